"""Growth on the real input: figures known from outside, and each recomputed from the raw files."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
from builds import shared_data
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

pytestmark = pytest.mark.long

CENT = Decimal("0.01")


def cents(amounts: pd.Series) -> pd.Series:
    """Round amounts as they were written half-up to cents."""
    return amounts.map(lambda text: Decimal(text).quantize(CENT, ROUND_HALF_UP))


def raw(folder: str, file: str) -> pd.DataFrame:
    """Read a raw file, amounts as they were written."""
    texts = dict.fromkeys(("treatment_cost", "claim_amount", "claim_paid"), str)
    return pd.read_csv(shared_data(folder) / f"{file}.csv", dtype=texts)


@pytest.fixture(scope="module")
def metrics(growth_real):
    return growth_real.frame("select * from growth.provider_metrics").set_index("provider_name")


@pytest.fixture(scope="module")
def metrics_with_supplies(growth_informatics):
    return growth_informatics.frame("select * from growth.provider_metrics").set_index(
        "provider_name"
    )


@pytest.fixture(scope="module")
def crm():
    return raw("growth", "salesforce_crm_full").set_index("provider_name")


@pytest.fixture(scope="module")
def claims():
    claims = raw("growth", "ehr_data_full")
    claims["amount"], claims["paid"] = cents(claims["claim_amount"]), cents(claims["claim_paid"])
    counts = (claims["claim_status"] == "Paid") & (claims["paid"] <= claims["amount"])
    return claims.assign(counted=claims["paid"].where(counts, Decimal(0)))


def encounter_figures(encounters: pd.DataFrame, by: str) -> pd.DataFrame:
    """Sum encounters up: patients, days from the dates, satisfaction and cost in cents."""
    days = pd.to_datetime(encounters["discharge_date"]) - pd.to_datetime(
        encounters["admission_date"]
    )
    stays = encounters.assign(days=days.dt.days, cost=cents(encounters["treatment_cost"]))
    groups = stays.groupby(by)
    return pd.DataFrame(
        {
            "n_encounters": groups.size(),
            "total_patients": groups["patient_id"].nunique(),
            "avg_length_of_stay": groups["days"].mean(),
            "avg_satisfaction": groups["satisfaction_score"].mean(),
            "avg_cost": groups["cost"].agg(lambda costs: float(costs.sum() / len(costs))),
            "total_cost": groups["cost"].sum().astype(float),
        }
    )


def assert_figures(told: pd.DataFrame, expected: pd.DataFrame):
    """Hold columns against their recomputation, row by row of the same index."""
    assert sorted(told.index) == sorted(expected.index)
    told = told.loc[expected.index, expected.columns].astype(float)
    # Scores are kept to four decimal places.
    np.testing.assert_allclose(told, expected.astype(float), rtol=0, atol=5e-5)


def figures(texts: dict[str, str]) -> pd.Series:
    """Return figures as they are known from outside, by provider."""
    return pd.Series({f"Dr. {name}": float(text) for name, text in texts.items()})


# -- The set with claims


@pytest.mark.parametrize(
    ("column", "known"),
    [
        (
            "pipeline_roi",
            {
                "Johnson": "44.9941",
                "Brown": "24.7608",
                "Davis": "19.2279",
                "Williams": "14.4004",
                "Garcia": "10.1692",
                "Smith": "7.5794",
                "Jones": "4.8196",
                "Miller": "4.3430",
            },
        ),
        (
            "denial_rate",
            {
                "Williams": ".1255",
                "Brown": ".1137",
                "Johnson": ".1135",
                "Miller": ".1031",
                "Davis": ".0977",
                "Smith": ".0869",
                "Garcia": ".0806",
                "Jones": ".0743",
            },
        ),
        (
            "collection_rate",
            {
                "Jones": ".6677",
                "Smith": ".6622",
                "Garcia": ".6482",
                "Brown": ".6466",
                "Davis": ".6325",
                "Williams": ".6251",
                "Johnson": ".6230",
                "Miller": ".6204",
            },
        ),
    ],
)
def test_figures_of_providers_are_those_known(metrics, column, known):
    expected = figures(known)
    assert set(metrics.index) == set(expected.index)
    assert (metrics[column].round(4).loc[expected.index] == expected).all()


def test_returns_are_recomputed(metrics, crm):
    deals, marketing = crm["deals_value"], crm["marketing_cost"]
    roi = (deals - marketing) / marketing
    is_won = crm["pipeline_stage"] == "Closed Won"
    expected = pd.DataFrame(
        {"pipeline_roi": roi, "deals_value": deals, "marketing_cost": marketing}
    )
    assert_figures(metrics, expected)
    realised = metrics["realised_roi"].loc[crm.index]
    assert list(realised.dropna().round(4).items()) == [("Dr. Smith", 7.5794)]
    assert realised[is_won].round(9).equals(roi[is_won].round(9).rename("realised_roi"))
    assert realised[~is_won].isna().all()


def test_claims_are_recomputed(metrics, claims):
    groups = claims.groupby("provider_name")
    is_denied = claims["claim_status"] == "Denied"
    n, n_denied = groups.size(), is_denied.groupby(claims["provider_name"]).sum()
    low, high = proportion_confint(n_denied, n, method="wilson")
    expected = pd.DataFrame(
        {
            "total_visits": n,
            "total_claim_amount": groups["amount"].sum(),
            "paid_amount": groups["counted"].sum(),
            "collection_rate": (groups["counted"].sum() / groups["amount"].sum()).astype(float),
            "denial_rate": n_denied / n,
            "denial_rate_low": low,
            "denial_rate_high": high,
            "pending_share": groups["claim_status"].agg(lambda each: (each == "Pending").mean()),
        }
    )
    assert_figures(metrics, expected)


def test_payments_that_do_not_count_would_make_the_collection_look_better(growth_real, claims):
    [(claimed, paid, reported)] = growth_real.query(
        "select sum(claim_amount), sum(paid_amount), sum(reported_paid_amount) from core.fct_claims"
    )
    assert claimed == claims["amount"].sum() == Decimal("69572259.70")
    assert paid == claims["counted"].sum()
    assert round(paid / claimed, 3) == Decimal("0.641")
    assert round(reported / claimed, 2) == Decimal("0.80")


def test_encounters_are_recomputed(growth_real, metrics):
    encounters = raw("growth", "sg2_patient_flow_full")
    assert_figures(metrics, encounter_figures(encounters, "referral_provider"))
    lines = growth_real.frame("select * from growth.service_line_summary").set_index("service_line")
    assert_figures(lines, encounter_figures(encounters, "service_line"))


def test_without_inventory_nothing_is_said_of_it_and_nothing_exported(growth_real, metrics):
    about_supplies = ["daily_usage", "quantity_on_hand", "supplies_per_patient", "n_supply_items"]
    assert metrics[about_supplies].isna().all(axis=None)
    written = sorted(path.name for path in (growth_real.exports / "growth").iterdir())
    assert written == ["provider_summary.csv", "provider_summary.parquet"]


def test_the_summary_and_its_export_are_the_metrics_with_a_prediction(growth_real, metrics):
    summary = growth_real.frame("select * from growth.provider_growth_summary")
    exported = pd.read_csv(growth_real.exports / "growth" / "provider_summary.csv")
    assert list(exported.columns) == list(summary.columns)
    assert set(exported["provider_name"]) == set(metrics.index)
    assert (exported["predicted_opportunity_value"] >= 0).all()
    assert summary["verdict"].notna().all()
    told = exported.set_index("provider_name")[["total_cost", "pipeline_roi", "collection_rate"]]
    assert_figures(metrics, told)


@pytest.mark.parametrize("amount", ["opportunity_value", "deals_value", "marketing_cost"])
def test_parts_of_service_lines_add_up_to_the_provider(growth_real, crm, amount):
    parts = growth_real.frame(
        f"select provider_name, {amount}, total_patients, is_allocated "
        "from growth.provider_service_line"
    )
    assert parts["is_allocated"].all()
    whole = parts.groupby("provider_name")[amount].sum().round(2)
    assert (whole == crm[amount].loc[whole.index]).all()
    patients = parts.groupby("provider_name")["total_patients"].transform("sum")
    exact = crm[amount].loc[parts["provider_name"]].to_numpy() * parts["total_patients"] / patients
    assert ((parts[amount] - exact).abs() < 0.0101).all()


def test_the_funnel_shows_what_is_hoped_weighted_and_realised(growth_real, crm):
    funnel = growth_real.frame("select * from growth.pipeline_funnel").set_index("pipeline_stage")
    groups = crm.groupby("pipeline_stage")
    probability = funnel["win_probability"].loc[list(groups.groups)]
    expected = pd.DataFrame(
        {
            "n_opportunities": groups.size(),
            "opportunity_value": groups["opportunity_value"].sum(),
            "weighted_value": groups["opportunity_value"].sum() * probability,
            "deals_value": groups["deals_value"].sum(),
        }
    )
    assert_figures(funnel[funnel["n_opportunities"] > 0], expected)
    assert dict(funnel["realised_value"].dropna()) == {"Closed Won": 475668}


def test_service_lines_are_compared_by_halves_of_their_year(growth_real):
    lines = growth_real.frame("select * from growth.service_line_summary").set_index("service_line")
    encounters = raw("growth", "sg2_patient_flow_full")
    admitted = pd.to_datetime(encounters["admission_date"])
    half = ((admitted.max() - admitted.min()).days + 1) // 2
    age = (admitted.max() - admitted).dt.days
    n_newest = encounters[age < half].groupby("service_line").size()
    n_before = encounters[(age >= half) & (age < 2 * half)].groupby("service_line").size()
    assert set(lines["compared_periods"]) == {"newest half of the data against the half before"}
    assert_figures(lines, pd.DataFrame({"n_newest": n_newest, "n_before": n_before}))
    for name, line in lines.iterrows():
        test = stats.binomtest(int(n_newest[name]), int(n_newest[name] + n_before[name]))
        assert line["p_value"] == pytest.approx(test.pvalue)
    assert set(lines["verdict"]) == {"no significant change"}


# -- The set with supplies and payers


def test_figures_of_providers_of_the_informatics_set_are_those_known(metrics_with_supplies):
    told = metrics_with_supplies
    known = {
        "Dr. Brown": (175, 4.7086, 84.6912, 5006.01),
        "Dr. Johnson": (223, 5.0987, 84.4657, 5114.35),
        "Dr. Jones": (208, 4.9279, 85.1842, 4863.79),
        "Dr. Smith": (201, 4.8159, 84.6923, 5005.36),
        "Dr. Williams": (193, 4.8756, 84.8258, 5116.53),  # 941 days by 193 are 4.87565
    }
    columns = {
        "total_patients": 0,
        "avg_length_of_stay": 4,
        "avg_satisfaction": 4,
        "avg_cost": 2,
    }
    rounded = told[list(columns)].round(columns)
    assert {name: tuple(row) for name, row in rounded.iterrows()} == known
    encounters = raw("growth_informatics", "sg2_patient_flow")
    assert_figures(told, encounter_figures(encounters, "referring_provider"))


def test_opportunity_and_supplies_per_patient_are_those_known(metrics_with_supplies):
    told = metrics_with_supplies
    known = {
        "Dr. Brown": (1739.84, 0.1943, 183),
        "Dr. Johnson": (1678.93, 0.1166, 358),
        "Dr. Williams": (817.51, 0.1036, 318),
        "Dr. Jones": (615.02, 0.1490, 277),
        "Dr. Smith": (267.52, 0.0498, 260),
    }
    columns = {"opportunity_per_patient": 2, "supplies_per_patient": 4, "quantity_on_hand": 0}
    rounded = told[list(columns)].round(columns)
    assert {name: tuple(row) for name, row in rounded.iterrows()} == known
    patients = raw("growth_informatics", "sg2_patient_flow").groupby("referring_provider")
    n_patients = patients["patient_id"].nunique()
    hoped = raw("growth_informatics", "salesforce_crm").set_index("provider_name")
    stock = raw("growth_informatics", "inventory_usage").groupby("provider_name")
    expected = pd.DataFrame(
        {
            "opportunity_per_patient": hoped["opportunity_value"] / n_patients,
            "supplies_per_patient": stock["daily_usage"].sum() / n_patients,
            "quantity_on_hand": stock["quantity_on_hand"].sum(),
            "n_supply_items": stock["item_name"].nunique(),
        }
    )
    assert_figures(told, expected)


def test_without_claims_and_deals_nothing_is_said_of_them(metrics_with_supplies):
    unknown = [
        "total_visits", "n_claims_denied", "n_claims_pending", "total_claim_amount", "paid_amount",
        "collection_rate", "denial_rate", "pending_share", "deals_value", "marketing_cost",
        "pipeline_roi", "realised_roi", "value_per_patient",
    ]  # fmt: skip
    assert metrics_with_supplies[unknown].isna().all(axis=None)


def test_service_lines_and_payers_are_those_known(growth_informatics):
    lines = growth_informatics.query(
        "select service_line, n_encounters from growth.service_line_summary"
    )
    assert dict(lines) == {
        "Surgical Oncology": 167,
        "Medical Oncology": 151,
        "Radiation Oncology": 155,
        "Diagnostic Imaging": 188,
        "Urology": 157,
        "Breast Center": 182,
    }
    payers = growth_informatics.frame("select * from growth.payer_mix").set_index("payer")
    assert dict(payers["n_encounters"]) == {
        "Medicare": 251,
        "Medicaid": 241,
        "Commercial": 265,
        "Self-Pay": 243,
    }
    encounters = raw("growth_informatics", "sg2_patient_flow")
    encounters["payer"] = encounters["payer"].str.replace("\u2011", "-")
    assert_figures(payers, encounter_figures(encounters, "payer"))
    n = payers["n_encounters"]
    low, high = proportion_confint(n, n.sum(), method="wilson")
    expected = pd.DataFrame({"encounter_share": n / n.sum()})
    assert_figures(payers, expected.assign(encounter_share_low=low, encounter_share_high=high))


def test_one_item_is_to_be_ordered(growth_informatics):
    stock = raw("growth_informatics", "inventory_usage").set_index(["provider_name", "item_name"])
    told = growth_informatics.frame("select * from growth.supply_position")
    told = told.set_index(["provider_name", "item_name"])
    expected = stock[["quantity_on_hand", "daily_usage", "reorder_point"]]
    cover = stock["quantity_on_hand"] / stock["daily_usage"]
    assert_figures(told, expected.assign(days_of_cover=cover))
    to_order = told[told["is_at_reorder_point"]]
    assert to_order[["quantity_on_hand", "reorder_point", "days_of_cover"]].T.to_dict("list") == {
        ("Dr. Jones", "Chemo Drug A"): [16, 16, 2.0]
    }
    n_to_order = growth_informatics.query(
        "select provider_name, n_items_to_reorder from growth.provider_metrics "
        "where n_items_to_reorder > 0"
    )
    assert n_to_order == [("Dr. Jones", 1)]


def test_no_prediction_is_negative_and_supplies_are_exported(growth_informatics):
    folder = growth_informatics.exports / "growth"
    names = ["provider_merged_summary_informatics", "provider_summary"]
    written = sorted(path.name for path in folder.iterdir())
    assert written == [f"{name}.{kind}" for name in names for kind in ("csv", "parquet")]
    merged, summary = (pd.read_parquet(folder / f"{name}.parquet") for name in names)
    pd.testing.assert_frame_equal(merged, summary)
    assert len(merged) == 5
    assert merged["supplies_per_patient"].notna().all()
    assert (merged[["predicted_opportunity_value", "prediction_low"]].astype(float) >= 0).all(
        axis=None
    )
    assert not merged["is_reliable"].any()

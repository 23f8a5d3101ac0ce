"""Growth's sample: the same bytes every time, every kind of dirt, and truth that holds."""

import csv
import time

import numpy as np
import pandas as pd
import pytest
from builds import PROJECT
from scipy import stats
from typer.testing import CliRunner
from wardhouse import cli
from wardhouse.areas.growth.dirt import (
    CLAIMS,
    ENCOUNTERS,
    FEEDS,
    KINDS,
    OPPORTUNITIES,
    SUPPLIES,
    GrowthDirt,
)
from wardhouse.areas.growth.opportunity import judge, leave_one_out
from wardhouse.areas.growth.sample import generate_growth
from wardhouse.synthetic import writer

CLEAN = GrowthDirt().scaled(0)


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read(summary, feed, *dates):
    return pd.read_csv(summary.raw_dir / f"{feed}.csv", parse_dates=list(dates))


def planted(summary):
    with (summary.truth_dir / "planted.csv").open(newline="") as source:
        return {row["plant"]: row["what"] for row in csv.DictReader(source)}


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    return generate_growth(tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module", params=[(900, 20250101), (3000, 5)], ids=["shipped", "larger"])
def clean(request, tmp_path_factory):
    encounters, seed = request.param
    return generate_growth(tmp_path_factory.mktemp("clean"), encounters, seed, CLEAN)


@pytest.fixture(scope="module")
def plants(default):
    return planted(default)


def test_shipped_sample_is_what_the_generator_writes(default):
    assert files(PROJECT / "seeds/sample/growth") == files(default.raw_dir)
    assert files(PROJECT / "tests/truth/growth") == files(default.truth_dir)
    assert sum(map(len, files(default.raw_dir).values())) < 200_000


def test_blocks_do_not_change_a_byte(default, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BLOCK_RECORDS", 97)
    again = generate_growth(tmp_path)
    assert files(again.raw_dir) == files(default.raw_dir)
    assert files(again.truth_dir) == files(default.truth_dir)


def test_another_seed_is_another_sample(default, tmp_path):
    ours, other = files(default.raw_dir), files(generate_growth(tmp_path, seed=1).raw_dir)
    assert other.keys() == ours.keys()
    assert all(other[name] != ours[name] for name in ours)


def is_one_of(column, *words):
    """Tell which texts are whole words of a pattern."""
    return column.str.fullmatch("|".join(words))


def is_spelt_otherwise(column, *words):
    """Tell which texts are neither blank nor one of the words, each a pattern."""
    return column.ne("") & ~is_one_of(column, *words)


def is_copy(rows):
    """Tell which rows are exact copies of one before."""
    return rows.duplicated()


NAME, ISO_DAY, IMPOSSIBLE = r"Dr\. .*", r"\d{4}-\d\d-\d\d", r"\d{4}-02-30"
STAGES = ("Prospecting", "Qualification", "Proposal", "Negotiation", "Closed (?:Won|Lost)")
# How each kind shows in the rows of its feed, all text.
LOOKS = {
    "patient_missing": lambda rows: rows.patient_id == "",
    "provider_spelling": lambda rows: is_spelt_otherwise(rows.referral_provider, NAME),
    "provider_typo": lambda rows: rows.referral_provider == "Dr. Garnet Fiarview",
    "provider_missing": lambda rows: rows.referral_provider == "",
    "service_line_spelling": lambda rows: is_spelt_otherwise(
        rows.service_line,
        *("Cardiology", "Orthopedics", "Surgical Oncology", "Urology", "Diagnostic Imaging"),
        *("Behavioral Health", "Sleep Medicine"),
    ),
    "service_line_unlisted": lambda rows: rows.service_line == "Sleep Medicine",
    "payer_spelling payer_hyphen": lambda rows: is_spelt_otherwise(
        rows.payer, "Medicare", "Medicaid", "Commercial", "Self-Pay"
    ),
    "payer_blank": lambda rows: rows.payer == "",
    "cost_blank": lambda rows: rows.treatment_cost == "",
    "cost_currency": lambda rows: rows.treatment_cost.str.startswith("$"),
    "cost_thousands": lambda rows: rows.treatment_cost.str.contains(","),
    "cost_unreadable": lambda rows: rows.treatment_cost == "see invoice",
    "cost_negative": lambda rows: rows.treatment_cost.str.startswith("-"),
    "admission_unreadable": lambda rows: is_one_of(rows.admission_date, IMPOSSIBLE),
    "date_slashes": lambda rows: is_one_of(rows.admission_date, r"\d{4}/\d\d/\d\d"),
    "date_month_name": lambda rows: is_one_of(rows.admission_date, r"[A-Z][a-z]{2} \d+, \d{4}"),
    "discharge_before_admission": lambda rows: (
        is_one_of(rows.discharge_date, ISO_DAY)
        & is_one_of(rows.admission_date, ISO_DAY)
        & ~is_one_of(rows.admission_date, IMPOSSIBLE)
        & ~is_one_of(rows.discharge_date, IMPOSSIBLE)
        & (rows.discharge_date < rows.admission_date)
    ),
    "discharge_unreadable": lambda rows: is_one_of(rows.discharge_date, IMPOSSIBLE),
    "discharge_open_in_words": lambda rows: is_one_of(
        rows.discharge_date, "still admitted", "9999-12-31"
    ),
    "stay_disputed": lambda rows: (
        (
            pd.to_datetime(rows.discharge_date, errors="coerce", format="%Y-%m-%d")
            - pd.to_datetime(rows.admission_date, errors="coerce", format="%Y-%m-%d")
        )
        .dt.days.sub(pd.to_numeric(rows.length_of_stay))
        .fillna(0)
        .ne(0)
    ),
    "stay_blank": lambda rows: (
        (rows.length_of_stay == "")
        & is_one_of(rows.discharge_date, ISO_DAY)
        & (rows.discharge_date >= rows.admission_date)
        & (rows.discharge_date < "9999")
    ),
    "satisfaction_beyond": lambda rows: is_one_of(rows.satisfaction_score, "101", "250", "-5"),
    "satisfaction_unreadable": lambda rows: rows.satisfaction_score == "very good",
    "satisfaction_blank": lambda rows: rows.satisfaction_score == "",
    "duplicate_exact": is_copy,
    "crm_provider_spelling": lambda rows: is_spelt_otherwise(rows.provider_name, NAME),
    "crm_stage_spelling": lambda rows: is_spelt_otherwise(rows.pipeline_stage, *STAGES, "On Hold"),
    "crm_stage_unknown": lambda rows: rows.pipeline_stage == "On Hold",
    "crm_exported_before": lambda rows: (
        (rows.as_of_date < rows.as_of_date.max()) & (rows.pipeline_stage != "On Hold")
    ),
    "crm_value_currency": lambda rows: rows.opportunity_value.str.startswith("$"),
    "crm_duplicate": is_copy,
    "claim_id_missing": lambda rows: rows.claim_id == "",
    "claim_patient_missing": lambda rows: rows.patient_id == "",
    "claim_provider_spelling": lambda rows: is_spelt_otherwise(rows.provider_name, NAME),
    "claim_overpaid": lambda rows: (
        pd.to_numeric(rows.claim_paid, errors="coerce")
        > pd.to_numeric(rows.claim_amount, errors="coerce").where(lambda amount: amount > 0)
    ),
    "claim_paid_while_denied": lambda rows: (
        (rows.claim_status == "Denied") & (rows.claim_paid != "0.00")
    ),
    "claim_paid_while_pending": lambda rows: (
        (rows.claim_status == "Pending") & (rows.claim_paid != "0.00")
    ),
    "claim_status_spelling": lambda rows: is_spelt_otherwise(
        rows.claim_status, "Paid", "Denied", "Pending", "Escalated"
    ),
    "claim_status_unknown": lambda rows: rows.claim_status == "Escalated",
    "claim_negative": lambda rows: rows.claim_amount.str.startswith("-"),
    "claim_amount_unreadable": lambda rows: rows.claim_amount == "to follow",
    "claim_paid_unreadable": lambda rows: rows.claim_paid == "see remittance",
    "claim_visit_unreadable": lambda rows: is_one_of(rows.visit_date, IMPOSSIBLE),
    "claim_duplicate": is_copy,
    "claim_conflicting": lambda rows: (
        rows.claim_id.ne("") & rows.claim_id.duplicated() & ~rows.duplicated()
    ),
    "supply_provider_spelling": lambda rows: is_spelt_otherwise(rows.provider_name, NAME),
    "supply_zero_usage": lambda rows: rows.daily_usage == "0",
    "supply_negative": lambda rows: rows.quantity_on_hand.str.startswith("-"),
    "supply_date_unreadable": lambda rows: is_one_of(rows.date, IMPOSSIBLE),
    "supply_duplicate": is_copy,
}


def test_every_kind_of_dirt_has_a_look():
    assert {kind for kinds in LOOKS for kind in kinds.split()} == KINDS.keys()


@pytest.mark.parametrize("kinds", LOOKS)
def test_every_kind_of_dirt_shows_in_the_shipped_sample(default, kinds):
    kinds, look = kinds.split(), LOOKS[kinds]
    path = default.raw_dir / f"{KINDS[kinds[0]]['feed']}.csv"
    shown = look(pd.read_csv(path, dtype=str, keep_default_na=False)).sum()
    assert shown == sum(default.dirt[kind] for kind in kinds) > 0


def test_spellings_that_are_one_and_names_that_are_not_occur(default, plants):
    text = {name: content.decode() for name, content in files(default.raw_dir).items()}
    encounters = text[f"{ENCOUNTERS}.csv"]
    assert all(word in encounters for word in ("Self-Pay", "Self\u2011Pay", "SELF-PAY", "DR "))
    assert plants["provider_who_is_not"] + "," in encounters
    assert plants["this_provider"] + "," in encounters
    # Family name first, as one field.
    assert read(default, ENCOUNTERS).referral_provider.str.contains(r"^\w+, \w+$").any()
    assert all(len(line.partition(".")[2].split(",")[0]) <= 2 for line in _amounts(default))


def _amounts(summary):
    crm = pd.read_csv(summary.raw_dir / f"{OPPORTUNITIES}.csv", dtype=str)
    return pd.concat([crm.opportunity_value, crm.deals_value, crm.marketing_cost])


def test_no_dirt_is_clean(clean):
    assert clean.dirt == {}
    assert all(feed.n_raw == feed.n_accepted for feed in clean.feeds.values())
    encounters = read(clean, ENCOUNTERS)
    is_open = encounters.discharge_date.isna()
    assert 0 < is_open.mean() < 0.02
    assert encounters.length_of_stay.isna().equals(is_open)
    assert encounters.drop(columns=["discharge_date", "length_of_stay"]).notna().all().all()


@pytest.mark.parametrize("encounters", [1, 2, 7])
def test_tiny_samples_without_dirt_can_be(tmp_path, encounters):
    tiny = generate_growth(tmp_path, encounters, dirt=CLEAN)
    assert tiny.feeds[ENCOUNTERS].n_accepted == encounters
    assert {feed: truth.n_raw > 0 for feed, truth in tiny.feeds.items()} == dict.fromkeys(
        FEEDS, True
    )


def test_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        generate_growth(tmp_path, 0)


def test_figures_of_the_truth_are_those_of_the_files(clean):
    encounters, claims = read(clean, ENCOUNTERS), read(clean, CLAIMS)
    by = encounters.groupby("referral_provider").patient_id
    found = pd.DataFrame(
        {
            "n_encounters": by.size(),
            "total_patients": by.nunique(),
            "n_claims": claims.groupby("provider_name").size(),
            "n_claims_denied": (claims.claim_status == "Denied")
            .groupby(claims.provider_name)
            .sum(),
            "opportunity_value": read(clean, OPPORTUNITIES)
            .groupby("provider_name")
            .opportunity_value.sum()
            .round(2),
        }
    )
    truth = pd.read_csv(clean.truth_dir / "providers.csv", index_col="provider_name")
    pd.testing.assert_frame_equal(found.rename_axis("provider_name"), truth, check_dtype=False)
    stays = encounters.dropna(subset=["discharge_date"])
    days = pd.to_datetime(stays.discharge_date) - pd.to_datetime(stays.admission_date)
    assert (days.dt.days == stays.length_of_stay).all()
    assert claims.claim_paid.le(claims.claim_amount).all()
    assert claims.claim_paid.gt(0).equals(claims.claim_status == "Paid")


def test_one_service_line_grows_and_satisfaction_differs_nowhere(clean):
    encounters = read(clean, ENCOUNTERS, "admission_date")
    newest = encounters.admission_date.max()
    is_new = encounters.admission_date > newest - pd.Timedelta(days=365)
    is_before = ~is_new & (encounters.admission_date > newest - pd.Timedelta(days=730))
    counts = encounters.groupby("service_line").apply(
        lambda rows: pd.Series(
            {"new": is_new[rows.index].sum(), "old": is_before[rows.index].sum()}
        ),
        include_groups=False,
    )
    p = counts.apply(lambda row: stats.binomtest(row.new, row.new + row.old).pvalue, axis=1)
    grown = planted(clean)["service_line_that_grows"]
    assert p[grown] < 1e-4
    assert counts.loc[grown, "new"] > 1.8 * counts.loc[grown, "old"]
    assert p.drop(grown).min() > 0.05 / len(p)
    groups = [rows.satisfaction_score for _, rows in encounters.groupby("service_line")]
    assert stats.f_oneway(*groups).pvalue > 0.05
    assert encounters.satisfaction_score.between(0, 100).all()


def test_one_provider_is_denied_more_often(clean):
    claims = read(clean, CLAIMS)
    denied = claims.claim_status == "Denied"
    is_planted = claims.provider_name == planted(clean)["provider_whose_claims_are_denied"]
    table = pd.crosstab(is_planted, denied)
    assert stats.fisher_exact(table).pvalue < 0.001
    assert denied[is_planted].mean() > 2 * denied[~is_planted].mean()
    by = denied[~is_planted].groupby(claims.provider_name).agg(["sum", "size"])
    assert stats.chi2_contingency([by["sum"], by["size"] - by["sum"]]).pvalue > 0.05


def test_one_referrer_lapsed_and_one_declines(clean):
    encounters = read(clean, ENCOUNTERS, "admission_date")
    age = (encounters.admission_date.max() - encounters.admission_date).dt.days
    by = encounters.referral_provider
    recent = (age < 90).groupby(by).sum()
    earlier = ((age >= 90) & (age < 455)).groupby(by).sum()
    p = pd.Series(
        [
            stats.binomtest(int(n), int(n + m), 90 / 455, "less").pvalue
            for n, m in zip(recent, earlier, strict=True)
        ],
        recent.index,
    )
    lapsed, declines = (planted(clean)[f"referrer_who_{what}"] for what in ("lapsed", "declines"))
    assert recent[lapsed] == 0
    assert 0 < recent[declines] < earlier[declines] * 90 / 365 / 3
    assert p[[lapsed, declines]].max() < 0.05 / len(p)
    assert p.drop([lapsed, declines]).min() > 0.05 / len(p)


def test_one_item_runs_out(clean):
    counts = read(clean, SUPPLIES, "date")
    last = counts.loc[counts.groupby(["provider_name", "item_name"]).date.idxmax()]
    short = last[last.quantity_on_hand <= last.reorder_point]
    plants = planted(clean)
    assert short[["provider_name", "item_name"]].to_numpy().tolist() == [
        [plants["provider_short_of_an_item"], plants["item_that_runs_out"]]
    ]
    assert (short.quantity_on_hand / short.daily_usage).tolist() == [2]


def test_the_opportunity_depends_on_patients_beyond_doubt(clean):
    encounters, crm = read(clean, ENCOUNTERS), read(clean, OPPORTUNITIES).groupby("provider_name")
    by = encounters.groupby("referral_provider")
    features = np.column_stack(
        [by.patient_id.nunique(), crm.contact_count.sum(), by.treatment_cost.mean()]
    ).astype(float)
    target = crm.opportunity_value.sum().to_numpy()
    judgement = judge(leave_one_out(features, target).errors, target, seed=42)
    assert judgement.is_reliable
    assert judgement.error < judgement.error_of_mean / 2


def test_a_large_sample_takes_seconds(tmp_path):
    start = time.process_time()
    large = generate_growth(tmp_path, 100_000)
    assert time.process_time() - start < 10
    assert large.feeds[ENCOUNTERS].n_raw > 100_000
    crm = read(large, OPPORTUNITIES)
    assert 100 < crm.account_id.nunique() < 500
    assert not (large.raw_dir / f"{CLAIMS}.csv.unfinished").exists()


def test_the_warehouse_makes_of_every_record_what_the_truth_says(sample, default):
    rows = sample.query(
        "select feed, n_raw, n_accepted, n_rejected, n_duplicates "
        "from quality.feed_reconciliation where area = 'growth' and n_files > 0"
    )
    assert {feed: counts for feed, *counts in rows} == {
        feed: list(vars(truth).values()) for feed, truth in default.feeds.items()
    }


def test_the_shipped_sample_stays_below_the_thresholds(sample):
    shares = sample.query(
        "select verdict, n_values from quality.intake_shares where area = 'growth'"
    )
    assert len(shares) > len(FEEDS)
    assert {verdict for verdict, _ in shares} == {"fine"}


def test_flags_of_the_facts_are_as_many_as_the_dirt(sample, default):
    ((overpaid, unexpected, paid),) = sample.query(
        "select count_if(is_overpaid), count_if(is_paid_unexpectedly), "
        "sum(paid_amount) filter (is_overpaid or is_paid_unexpectedly) from core.fct_claims"
    )
    dirt = default.dirt
    assert overpaid == dirt["claim_overpaid"]
    assert unexpected == dirt["claim_paid_while_denied"] + dirt["claim_paid_while_pending"]
    assert paid == 0
    (found,) = sample.query(
        "select count_if(is_length_of_stay_disputed), count_if(is_discharge_before_admission), "
        "count_if(treatment_cost_amount is null), count_if(provider_id is null), "
        "count_if(payer = 'Unknown'), count_if(satisfaction_score is null) "
        "from core.fct_encounters"
    )
    assert found == (
        dirt["stay_disputed"],
        dirt["discharge_before_admission"],
        dirt["cost_blank"] + dirt["cost_unreadable"],
        dirt["provider_missing"],
        dirt["payer_blank"],
        dirt["satisfaction_beyond"] + dirt["satisfaction_unreadable"] + dirt["satisfaction_blank"],
    )
    assert {payer for (payer,) in sample.query("select payer from growth.payer_mix")} == {
        "Medicare",
        "Medicaid",
        "Commercial",
        "Self-Pay",
        "Unknown",
    }
    assert sample.query("select service_line from core.dim_service_line where is_inferred") == [
        ("Sleep Medicine",)
    ]


def test_the_warehouse_finds_what_is_planted(sample, plants):
    status = dict(sample.query("select provider_name, referrer_status from growth.referrer_status"))
    typo = next(name for name in status if name not in _names_of(plants, sample))
    assert {name for name, word in status.items() if word != "steady"} == {
        plants["referrer_who_lapsed"],
        plants["referrer_who_declines"],
        typo,
    }
    assert status[plants["referrer_who_lapsed"]] == "lapsed"
    assert status[plants["referrer_who_declines"]] == "declining"
    pairs = sample.query(
        "select provider_name, other_provider_name from growth.provider_name_matches"
    )
    assert {frozenset(pair) for pair in pairs} == {
        frozenset([plants["provider_who_is_not"], plants["this_provider"]]),
        frozenset([plants["provider_with_a_typo"], typo]),
    }
    actions = set(
        sample.query(
            "select action, subject, item_name from growth.growth_actions "
            "where action not in ('keep', 'win back')"
        )
    )
    assert actions == {
        ("grow", plants["service_line_that_grows"], None),
        ("fix denials", plants["provider_whose_claims_are_denied"], None),
        ("reorder", plants["provider_short_of_an_item"], plants["item_that_runs_out"]),
    }
    reliable = sample.query("select distinct is_reliable from growth.provider_growth_summary")
    assert reliable == [(True,)]
    verdicts = dict(
        sample.query("select insight, verdict from quality.insights where area = 'growth'")
    )
    assert verdicts["service_line_satisfaction"] == "service lines do not differ"
    assert verdicts["provider_denials"] == "providers differ"
    assert verdicts["promise_volume"] == "related"


def _names_of(plants, sample):
    """Names of providers whom the CRM knows."""
    rows = sample.query("select provider_name from core.growth_providers where not is_inferred")
    return {name for (name,) in rows} | {"Unknown"}


def run(*options):
    return CliRunner().invoke(cli.app, ["sample", *map(str, options)])


def test_command_writes_what_the_function_writes(default, tmp_path):
    result = run("--area", "growth", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "growth") == files(default.raw_dir)
    assert files(tmp_path / "truth" / "growth") == files(default.truth_dir)


def test_command_takes_shares_of_its_area(tmp_path):
    options = ("--area", "growth", "--dirt", 0, "--share", "cost_unreadable=0.01")
    assert run(*options, "--out", tmp_path).exit_code == 0
    text = (tmp_path / "growth" / f"{ENCOUNTERS}.csv").read_text()
    assert text.count(",see invoice,") == 9

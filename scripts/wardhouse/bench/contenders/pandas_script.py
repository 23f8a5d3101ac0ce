"""The hospital in pandas, vectorised, as one writes it who knows pandas well.

Usage: python pandas_script.py RAW_DIR OUT_DIR
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = [
    "treatment_id",
    "patient_id",
    "doctor_id",
    "treatment_type",
    "treatment_cost",
    "room_cost",
    "treatment_date",
]
PLACEHOLDERS = ["", "N/A", "#N/A", "NA", "NULL", "NONE", "NAN", "-", "--", "?", "UNKNOWN"]
DATE_FORMATS = ["%Y/%m/%d", "%d/%m/%Y", "%d-%m-%Y", "%b %d, %Y", "%d %b %Y", "%Y-%m-%d %H:%M:%S"]
FEATURES = ["total_revenue", "n_visits", "avg_spent", "avg_feedback"]
VIP_SEED, VIP_MAX_ROWS = 42, 200_000


def clean_ids(texts: pd.Series) -> pd.Series:
    """Trim and upper-case identifiers; placeholders become missing."""
    ids = texts.str.strip().str.upper()
    return ids.mask(ids.isin(PLACEHOLDERS))


def parse_cents(texts: pd.Series) -> pd.Series:
    """Read amounts as whole cents; the texts that are no plain numbers are looked at again."""
    amounts = pd.to_numeric(texts, errors="coerce")
    dirty = amounts.isna() & texts.notna()
    again = texts[dirty].str.replace(r"[$€£, ]", "", regex=True)
    again = again.str.replace(r"^\((.*)\)$", r"-\1", regex=True)
    amounts[dirty] = pd.to_numeric(again, errors="coerce")
    return (amounts * 100).round()


def parse_dates(texts: pd.Series) -> pd.Series:
    """Read dates, format by format, each only where the ones before it failed."""
    dates = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce")
    for date_format in DATE_FORMATS:
        missing = dates.isna() & texts.notna() & (texts != "")
        if not missing.any():
            break
        found = pd.to_datetime(texts[missing], format=date_format, errors="coerce")
        dates[missing] = found.dt.normalize()
    return dates.where(dates.between("1990-01-01", "2050-12-31"))


def read_treatments(raw: Path, out: Path) -> pd.DataFrame:
    """Read, validate and deduplicate treatments; what is refused goes to `quarantine.csv`."""
    texts = pd.read_csv(
        raw / "patients_data_with_doctor.csv",
        dtype=str,
        keep_default_na=False,
        encoding_errors="replace",
        on_bad_lines="skip",
    )
    # pandas skips lines with too many fields, and fills up those with too few.
    is_broken = (texts[COLUMNS[3:]] == "").all(axis=1)
    is_broken |= texts["treatment_type"].str.contains("\ufffd", regex=False)
    rows = pd.DataFrame({name: clean_ids(texts[name]) for name in COLUMNS[:3]})
    rows["treatment_type"] = texts["treatment_type"].str.strip()
    cents = {name: parse_cents(texts[name]) for name in ("treatment_cost", "room_cost")}
    for name, values in cents.items():
        rows[name] = values.fillna(0).astype("int64")
    rows["treatment_date"] = parse_dates(texts["treatment_date"])
    rows["is_repaired"] = (
        cents["treatment_cost"].isna()
        | cents["room_cost"].isna()
        | (rows["treatment_date"].isna() & (texts["treatment_date"] != ""))
    )
    reason = pd.Series(
        np.select(
            [
                is_broken,
                rows["treatment_id"].isna(),
                rows["patient_id"].isna(),
                rows["doctor_id"].isna(),
                (rows["treatment_cost"] < 0) | (rows["room_cost"] < 0),
            ],
            ["unreadable", "no treatment", "no patient", "no doctor", "negative cost"],
            "",
        ),
        index=rows.index,
    )
    good = rows[reason == ""]
    repeated = good[good["treatment_id"].duplicated(keep=False)]
    distinct = repeated.drop_duplicates()
    conflicting = distinct.loc[distinct["treatment_id"].duplicated(keep=False), "treatment_id"]
    is_conflict = repeated["treatment_id"].isin(conflicting)
    reason[repeated.index[is_conflict]] = "conflict"
    is_copy = pd.Series(False, index=rows.index)
    is_copy[repeated.index] = repeated.duplicated()
    refused = reason != ""
    texts[refused].assign(reason=reason[refused]).to_csv(out / "quarantine.csv", index=False)
    return rows[~refused & ~is_copy]


def read_feedback(raw: Path) -> pd.DataFrame:
    """Read survey answers: one row per patient with the number of answers and their mean."""
    answers = pd.DataFrame(json.loads((raw / "patient_feedback.json").read_text()))
    score = pd.to_numeric(answers["patient_feedback_score"], errors="coerce")
    texts = answers["review_date"].astype("str")
    rows = pd.DataFrame(
        {
            "patient_id": clean_ids(answers["patient_id"].astype("str")),
            "treatment_id": clean_ids(answers["treatment_id"].astype("str")),
            "score": score,
            "review_date": parse_dates(texts),
        }
    )
    rows["is_repaired"] = rows["review_date"].isna() & texts.notna()
    rows = rows[rows["patient_id"].notna() & rows["score"].between(1, 5)]
    is_identified = rows["treatment_id"].notna() | rows["review_date"].notna()
    rows = rows[~is_identified | ~rows.duplicated()]
    scores = rows.groupby("patient_id")["score"].agg(n_feedback="size", avg_feedback="mean")
    return scores.reset_index()


def rank_doctors(processed: pd.DataFrame, doctors: pd.DataFrame) -> pd.DataFrame:
    """Rank doctors by revenue, with the standard error of their feedback by patient."""
    care = processed.groupby(["doctor_id", "patient_id"], as_index=False).agg(
        weight=("cents", "size"), score=("avg_feedback", "first")
    )
    known = care[care["score"].notna()].copy()
    known["weighted"] = known["weight"] * known["score"]
    sums = known.groupby("doctor_id")[["weight", "weighted"]].sum()
    mean = sums["weighted"] / sums["weight"]
    known["residual"] = known["weighted"] - known["weight"] * known["doctor_id"].map(mean)
    n = known.groupby("doctor_id").size()
    squares = (known["residual"] ** 2).groupby(known["doctor_id"]).sum()
    figures = processed.groupby("doctor_id").agg(
        cents=("cents", "sum"), n_treatments=("cents", "size")
    )
    figures["n_patients"] = care.groupby("doctor_id").size()
    figures["avg_feedback"] = mean.round(2)
    figures["n_patients_with_feedback"] = n
    figures["standard_error"] = (squares * n / (n - 1)) ** 0.5 / sums["weight"]
    ranking = doctors.merge(figures.reset_index(), on="doctor_id", how="outer")
    ranking["total_revenue"] = ranking.pop("cents").fillna(0) / 100
    ranking["revenue_share"] = ranking["total_revenue"] / ranking["total_revenue"].sum()
    ranking["revenue_rank"] = ranking["total_revenue"].rank(method="min", ascending=False)
    return ranking.sort_values(["revenue_rank", "doctor_id"])


def fit_vip(processed: pd.DataFrame, feedback: pd.DataFrame) -> pd.DataFrame:
    """Label every treated patient VIP or Non-VIP."""
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    patients = processed.groupby("patient_id").agg(
        cents=("cents", "sum"), n_visits=("cents", "size")
    )
    patients["total_revenue"] = patients.pop("cents") / 100
    patients["avg_spent"] = patients["total_revenue"] / patients["n_visits"]
    known = feedback.set_index("patient_id")["avg_feedback"].reindex(patients.index)
    patients["avg_feedback"] = known.fillna(known.mean())
    values = patients.sort_index()[FEATURES].to_numpy(float)
    fitted = values
    if len(values) > VIP_MAX_ROWS:
        chosen = np.random.default_rng(VIP_SEED).permutation(len(values))[:VIP_MAX_ROWS]
        fitted = values[np.sort(chosen)]
    with threadpool_limits(1):
        scaler = StandardScaler().fit(fitted)
        model = KMeans(2, n_init=10, max_iter=1000, tol=0, random_state=VIP_SEED)
        model.fit(scaler.transform(fitted))
        labels = model.predict(scaler.transform(values))
    vip = np.argmax(model.cluster_centers_[:, 0])
    status = np.where(labels == vip, "VIP", "Non-VIP")
    return pd.DataFrame({"patient_id": patients.sort_index().index, "vip_status": status})


def export(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet and CSV."""
    table.to_parquet(path.with_suffix(".parquet"), compression="zstd", index=False)
    table.to_csv(path.with_suffix(".csv"), index=False)


def main(raw: Path, out: Path) -> None:
    """Run every step and leave the answer in `answer.json`."""
    out.mkdir(parents=True, exist_ok=True)
    treatments = read_treatments(raw, out)
    doctors = pd.read_csv(raw / "doctors_info.csv", dtype=str)
    doctors["doctor_id"] = clean_ids(doctors["doctor_id"])
    doctors = doctors.drop_duplicates("doctor_id", keep="last")
    feedback = read_feedback(raw)

    processed = treatments.drop(columns="is_repaired").merge(doctors, on="doctor_id", how="left")
    processed = processed.merge(feedback, on="patient_id", how="left")
    processed["n_feedback"] = processed["n_feedback"].fillna(0).astype("int64")
    processed["cents"] = processed["treatment_cost"] + processed["room_cost"]

    ranking = rank_doctors(processed, doctors)
    month = processed["treatment_date"].dt.to_period("M").rename("month")
    by_month = processed.groupby(["doctor_id", month], dropna=False)["cents"].agg(["size", "sum"])
    pairs = processed[["doctor_id", "specialty", "patient_id", "n_feedback"]]
    coverage = []
    for name in ("doctor_id", "specialty"):
        patients = pairs.drop_duplicates([name, "patient_id"])
        has_any = patients["n_feedback"] > 0
        coverage.append(has_any.groupby(patients[name]).agg(["size", "sum", "mean"]))
    for name, table in (
        ("ranking", ranking),
        ("months", by_month),
        ("coverage", pd.concat(coverage)),
    ):
        table.to_csv(out / f"{name}.csv")

    labels = fit_vip(processed, feedback)
    processed["total_revenue"] = processed.pop("cents") / 100
    for name in ("treatment_cost", "room_cost"):
        processed[name] /= 100
    export(processed, out / "processed")
    export(processed.merge(labels, on="patient_id", how="left"), out / "enriched")
    top = ranking.head(5)
    answer = {
        "n_accepted": len(treatments),
        "n_vip": int((labels["vip_status"] == "VIP").sum()),
        "n_patients": len(labels),
        "top_doctors": [
            [doctor, f"{revenue:.2f}"]
            for doctor, revenue in zip(top["doctor_id"], top["total_revenue"], strict=True)
        ],
    }
    (out / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "hospital", Path(sys.argv[2]))

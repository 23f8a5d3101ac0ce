"""The hospital the lab's way: pandas row by row, and all feedback joined to all treatments.

The same rules as the others, so that the results can be compared; the manner is the lab's own.

Usage: python lab_script.py RAW_DIR OUT_DIR
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

FEATURES = ["total_revenue", "n_visits", "avg_spent", "avg_feedback"]
VIP_SEED, VIP_MAX_ROWS = 42, 200_000


def parse_date(text):
    """Let pandas guess the format of one date after the other."""
    text = str(text).strip()
    date = pd.to_datetime(text, dayfirst=not text[:4].isdigit(), errors="coerce")
    return None if pd.isna(date) else date.date().isoformat()


def clean_cost(text):
    """Read an amount; what cannot be read is zero."""
    text = str(text).replace("$", "").replace("€", "").replace(",", "").strip()
    if text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1]
    try:
        cost = float(text)
    except ValueError:
        return 0.0
    return 0.0 if np.isnan(cost) else cost


def clean_id(text):
    """Trim and upper-case an identifier."""
    text = str(text).strip().upper()
    return None if text in ("", "N/A", "NAN", "NONE", "NULL", "--") else text


def read_treatments(raw):
    """Read and clean treatments, row by row."""
    rows = pd.read_csv(
        raw / "patients_data_with_doctor.csv",
        dtype=str,
        keep_default_na=False,
        encoding_errors="replace",
        on_bad_lines="skip",
    )
    is_short = rows[["treatment_type", "treatment_cost", "treatment_date"]].eq("").all(axis=1)
    rows = rows[~is_short & ~rows["treatment_type"].str.contains("\ufffd")]
    for name in ("treatment_id", "patient_id", "doctor_id"):
        rows[name] = rows[name].apply(clean_id)
    for name in ("treatment_cost", "room_cost"):
        rows[name] = rows[name].apply(clean_cost)
    rows["treatment_date"] = rows["treatment_date"].apply(parse_date)
    rows = rows.dropna(subset=["treatment_id", "patient_id", "doctor_id"])
    rows = rows[(rows["treatment_cost"] >= 0) & (rows["room_cost"] >= 0)]
    rows = rows.drop_duplicates()
    return rows[~rows["treatment_id"].duplicated(keep=False)]


def read_feedback(raw):
    """Read and clean survey answers, row by row."""
    rows = pd.DataFrame(json.loads((raw / "patient_feedback.json").read_text()))
    for name in ("patient_id", "treatment_id"):
        rows[name] = rows[name].apply(clean_id)
    rows["patient_feedback_score"] = pd.to_numeric(rows["patient_feedback_score"], errors="coerce")
    rows["is_repaired"] = rows["review_date"].notna()
    rows["review_date"] = rows["review_date"].apply(parse_date)
    rows["is_repaired"] &= rows["review_date"].isna()
    rows = rows[rows["patient_id"].notna() & rows["patient_feedback_score"].between(1, 5)]
    is_identified = rows["treatment_id"].notna() | rows["review_date"].notna()
    return rows[~is_identified | ~rows.duplicated()]


def main(raw, out):
    """Run every step and leave the answer in `answer.json`."""
    out.mkdir(parents=True, exist_ok=True)
    treatments = read_treatments(raw)
    doctors = pd.read_csv(raw / "doctors_info.csv")
    doctors["doctor_id"] = doctors["doctor_id"].apply(clean_id)
    doctors = doctors.drop_duplicates("doctor_id", keep="last")
    feedback = read_feedback(raw)[["patient_id", "patient_feedback_score"]]

    # Every treatment meets every answer of its patient, and is then put together again.
    merged = treatments.merge(feedback, on="patient_id", how="left")
    merged = merged.merge(doctors, on="doctor_id", how="left")
    merged["total_revenue"] = (merged["treatment_cost"] + merged["room_cost"]).round(2)
    processed = merged.groupby("treatment_id", as_index=False).agg(
        patient_id=("patient_id", "first"),
        doctor_id=("doctor_id", "first"),
        doctor_name=("doctor_name", "first"),
        specialty=("specialty", "first"),
        treatment_type=("treatment_type", "first"),
        treatment_cost=("treatment_cost", "first"),
        room_cost=("room_cost", "first"),
        total_revenue=("total_revenue", "first"),
        treatment_date=("treatment_date", "first"),
        avg_feedback=("patient_feedback_score", "mean"),
        n_feedback=("patient_feedback_score", "count"),
    )
    processed.to_csv(out / "processed.csv", index=False)

    ranking = processed.groupby(["doctor_id"], as_index=False).agg(
        total_revenue=("total_revenue", "sum"), avg_feedback=("avg_feedback", "mean")
    )
    ranking = ranking.sort_values(["total_revenue", "doctor_id"], ascending=[False, True])
    ranking.to_csv(out / "ranking.csv", index=False)
    processed["month"] = processed["treatment_date"].str[:7]
    by_month = processed.groupby(["doctor_id", "month"], dropna=False)["total_revenue"].sum()
    by_month.to_csv(out / "months.csv")

    patients = processed.groupby("patient_id").agg(
        total_revenue=("total_revenue", "sum"),
        n_visits=("treatment_id", "count"),
        avg_feedback=("avg_feedback", "first"),
    )
    patients["avg_spent"] = patients["total_revenue"] / patients["n_visits"]
    patients["avg_feedback"] = patients["avg_feedback"].fillna(patients["avg_feedback"].mean())
    values = patients[FEATURES].to_numpy(float)
    fitted = values
    if len(values) > VIP_MAX_ROWS:
        chosen = np.random.default_rng(VIP_SEED).permutation(len(values))[:VIP_MAX_ROWS]
        fitted = values[np.sort(chosen)]
    scaler = StandardScaler().fit(fitted)
    model = KMeans(n_clusters=2, n_init=10, max_iter=1000, tol=0, random_state=VIP_SEED)
    model.fit(scaler.transform(fitted))
    vip = np.argmax(model.cluster_centers_[:, 0])
    labels = model.predict(scaler.transform(values))
    patients["vip_status"] = np.where(labels == vip, "VIP", "Non-VIP")
    enriched = processed.merge(patients[["vip_status"]], on="patient_id", how="left")
    enriched.to_csv(out / "enriched.csv", index=False)
    top = ranking.head(5)
    answer = {
        "n_accepted": len(treatments),
        "n_vip": int((patients["vip_status"] == "VIP").sum()),
        "n_patients": len(patients),
        "top_doctors": [
            [doctor, f"{revenue:.2f}"]
            for doctor, revenue in zip(top["doctor_id"], top["total_revenue"], strict=True)
        ],
    }
    (out / "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "hospital", Path(sys.argv[2]))

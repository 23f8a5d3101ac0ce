"""The sample: the same bytes every time, every kind of dirt, and truth that holds."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import pytest
import typer
from builds import PROJECT
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner
from wardhouse.areas.hospital import population, sample
from wardhouse.areas.hospital.dirt import DOCTORS, FEEDBACK, KINDS, TREATMENTS, Dirt
from wardhouse.commands.sample import sample_command
from wardhouse.synthetic import writer

CLEAN = Dirt().scaled(0)

# How each kind shows in its feed, as a whole line.
ID, MONEY, DAY = r"[TPD]\d{3,}", r"\d+\.\d\d", r"\d{4}-\d\d-\d\d"
IDS, BILL = rf"{ID},{ID},{ID}", rf"{MONEY},{MONEY}"
ANSWER = rf'  {{"patient_id": "{ID}", "treatment_id": "{ID}", "patient_feedback_score": '
LOOKS = {
    "id_spaces": rf" {ID}  ,  {ID},{ID} ,.*",
    "id_lower_case": r"t\d+,p\d+,d\d+,.*",
    "patient_missing": rf"{ID},,{ID},.*",
    "doctor_missing": rf"{ID},{ID},,.*",
    "doctor_undescribed": rf"{ID},{ID},D051,.*",
    "cost_currency": rf"{IDS},[^,]*,([$€]{MONEY},{MONEY}|{MONEY},[$€]{MONEY}),.*",
    "cost_thousands": rf'{IDS},[^,]*,"\d,\d{{3}}\.\d\d",.*',
    "cost_parentheses": rf"{IDS},[^,]*,\({MONEY}\),.*",
    "cost_negative": rf"{IDS},[^,]*,-{MONEY},.*",
    "cost_blank": rf"{IDS},[^,]*,(,{MONEY}|{MONEY},),.*",
    "cost_na": rf"{IDS},[^,]*,(N/A,{MONEY}|{MONEY},N/A),.*",
    "cost_dashes": rf"{IDS},[^,]*,(--,{MONEY}|{MONEY},--),.*",
    "cost_nan": rf"{IDS},[^,]*,(NaN,{MONEY}|{MONEY},NaN),.*",
    "cost_unreadable": rf"{IDS},[^,]*,(see invoice,{MONEY}|{MONEY},see invoice),.*",
    "date_slashes": rf"{IDS},[^,]*,{BILL},\d{{4}}/\d\d/\d\d",
    "date_day_first": rf"{IDS},[^,]*,{BILL},\d\d/\d\d/\d{{4}}",
    "date_month_name": rf'{IDS},[^,]*,{BILL},"[A-Z][a-z]{{2}} \d+, \d{{4}}"',
    "date_day_month": rf"{IDS},[^,]*,{BILL},\d+ [A-Z][a-z]{{2}} \d{{4}}",
    "date_timestamp": rf"{IDS},[^,]*,{BILL},{DAY} \d\d:30:00",
    "date_impossible": rf"{IDS},[^,]*,{BILL},\d{{4}}-02-30",
    "date_blank": rf"{IDS},[^,]*,{BILL},",
    "duplicate_reformatted": rf"t\d+,{ID} ,{ID},[^,]*,\${MONEY},{MONEY},\d\d/\d\d/\d{{4}}",
    "columns_too_many": rf"{IDS},[^,]*,{BILL},{DAY},checked,twice",
    "columns_too_few": IDS,
    "bad_encoding": rf"{IDS},R\udce9habilitation,{BILL},{DAY}",
    "feedback_out_of_range": rf"{ANSWER}(0|5\.5|-1\.0|47), .*",
    "feedback_score_missing": rf'.*"treatment_id": "{ID}", ("patient_feedback_score": null, )?"r.*',
    "feedback_score_text": rf'{ANSWER}"\d\.\d", .*',
    "feedback_patient_missing": r'  {"patient_id": (null|""), .*',
    "feedback_unidentified": rf'  {{"patient_id": "{ID}", "patient_feedback_score": \d\.\d}},?',
    "feedback_date_impossible": rf'{ANSWER}\d\.\d, "review_date": "\d{{4}}-02-30"}},?',
}
COPIES = {"duplicate_exact", "conflicting", "doctor_duplicate", "doctor_changed"} | {
    "feedback_duplicate"
}


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(path):
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def judge_money(text):
    """Read an amount as the rules say: None where the record must be rejected."""
    if not re.fullmatch(r"\(?-?[$€]?[\d,]+(\.\d+)?\)?", text):
        return Decimal("0.00")
    amount = Decimal(re.sub(r"[$€,()]", "", text))
    return None if amount < 0 or text.startswith("(") else amount


def judge_date(text):
    for style in ("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%b %d, %Y", "%d %b %Y", "%Y-%m-%d %H:%M:%S"):
        try:
            return datetime.strptime(text or "", style).date().isoformat()
        except ValueError:
            continue
    return ""


def judge_treatments(folder):
    """Clean the treatments by hand: accepted rows in file order, and counts."""
    lines = (folder / f"{TREATMENTS}.csv").read_bytes().splitlines()[1:]
    n_rejected, typed = 0, []
    for line in lines:
        try:
            (values,) = csv.reader([line.decode()])
            treatment, patient, doctor, kind, cost, room, day = values
        except ValueError:  # too many or few columns, bad encoding
            n_rejected += 1
            continue
        ids = [value.strip().upper() for value in (treatment, patient, doctor)]
        costs = [judge_money(cost), judge_money(room)]
        if None in costs or not ids[1] or not ids[2]:
            n_rejected += 1
            continue
        typed.append((*ids, kind, *map(str, costs), judge_date(day)))
    distinct = list(dict.fromkeys(typed))
    versions = Counter(row[0] for row in distinct)
    accepted = [row for row in distinct if versions[row[0]] == 1]
    n_conflicting = sum(versions[row[0]] > 1 for row in typed)
    n_duplicates = len(typed) - n_conflicting - len(accepted)
    return accepted, (len(lines), len(accepted), n_rejected + n_conflicting, n_duplicates)


def judge_doctors(folder):
    """Keep the last record of each doctor."""
    rows = table(folder / f"{DOCTORS}.csv")
    doctors = {row["doctor_id"]: row for row in rows}
    return doctors, (len(rows), len(doctors), 0, len(rows) - len(doctors))


def judge_feedback(folder):
    """Clean the answers by hand: accepted (patient, score) in file order, and counts."""
    answers = json.loads((folder / f"{FEEDBACK}.json").read_text(encoding="utf-8"))
    accepted, seen, n_rejected = [], set(), 0
    for answer in answers:
        patient, score = answer.get("patient_id"), answer.get("patient_feedback_score")
        if not patient or score is None or not 1 <= float(score) <= 5:
            n_rejected += 1
            continue
        treatment, day = answer.get("treatment_id"), judge_date(answer.get("review_date"))
        if (treatment or day) and (patient, treatment, float(score), day) in seen:
            continue
        seen.add((patient, treatment, float(score), day))
        accepted.append((patient, float(score)))
    n_duplicates = len(answers) - len(accepted) - n_rejected
    return accepted, (len(answers), len(accepted), n_rejected, n_duplicates)


def judge_frames(folder):
    """Give accepted treatments with revenue, and accepted feedback, as data frames."""
    names = ["treatment", "patient", "doctor", "type", "cost", "room", "day"]
    treatments = pd.DataFrame(judge_treatments(folder)[0], columns=names)
    treatments["revenue"] = treatments["cost"].astype(float) + treatments["room"].astype(float)
    return treatments, pd.DataFrame(judge_feedback(folder)[0], columns=["patient", "score"])


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    return sample.generate_hospital(tmp_path_factory.mktemp("default"), 1000)


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    return sample.generate_hospital(tmp_path_factory.mktemp("larger"), 20_000, seed=7)


def test_shipped_sample_is_what_the_generator_writes(default):
    assert files(PROJECT / "seeds/sample/hospital") == files(default.raw_dir)
    assert files(PROJECT / "tests/truth/hospital") == files(default.truth_dir)


def test_shipped_sample_is_small(default):
    assert sum(map(len, [*files(default.raw_dir).values(), *files(default.truth_dir).values()])) < (
        300_000
    )


def test_blocks_do_not_change_a_byte(default, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BLOCK_RECORDS", 97)
    monkeypatch.setattr(population, "BLOCK_ROWS", 101)
    again = sample.generate_hospital(tmp_path, 1000)
    assert files(again.raw_dir) == files(default.raw_dir)
    assert files(again.truth_dir) == files(default.truth_dir)


@pytest.mark.system
def test_threads_do_not_change_a_byte(tmp_path, monkeypatch):
    connect = duckdb.connect
    written = []
    for threads in (1, 4):
        monkeypatch.setattr(
            duckdb,
            "connect",
            lambda name, config, n=threads: connect(name, config=config | {"threads": n}),
        )
        sample.generate_hospital(tmp_path / str(threads), 300_000)
        written.append(files(tmp_path / str(threads)))
    assert written[0] == written[1]


def test_another_seed_is_another_hospital(default, tmp_path):
    other = sample.generate_hospital(tmp_path, 1000, seed=1)
    theirs, ours = files(other.raw_dir), files(default.raw_dir)
    assert theirs.keys() == ours.keys()
    assert all(theirs[name] != ours[name] for name in ours)


def test_parts_hold_the_lines_of_the_single_file(default, tmp_path):
    single = (default.raw_dir / f"{TREATMENTS}.csv").read_bytes().splitlines()
    sample.generate_hospital(tmp_path, 1000, files=4)
    parts = sorted((tmp_path / "hospital" / TREATMENTS).iterdir())
    assert [part.name for part in parts] == [f"part-000{part}.csv" for part in range(1, 5)]
    lines = [part.read_bytes().splitlines() for part in parts]
    assert [part[0] for part in lines] == [single[0]] * 4
    assert [line for part in lines for line in part[1:]] == single[1:]


def test_a_new_sample_takes_the_place_of_the_one_before(default, tmp_path):
    sample.generate_hospital(tmp_path, 2000, files=3)
    sample.generate_hospital(tmp_path, 1000)
    assert files(tmp_path / "hospital") == files(default.raw_dir)


def test_no_dirt_is_clean(tmp_path):
    clean = sample.generate_hospital(tmp_path, 1000, dirt=CLEAN)
    accepted, counts = judge_treatments(clean.raw_dir)
    assert counts == (1000, 1000, 0, 0)
    assert judge_doctors(clean.raw_dir)[1] == (50, 50, 0, 0)
    n_raw, n_accepted, n_rejected, n_duplicates = judge_feedback(clean.raw_dir)[1]
    assert (n_raw, 0, 0) == (n_accepted, n_rejected, n_duplicates)
    raw = (clean.raw_dir / f"{TREATMENTS}.csv").read_bytes()
    assert raw == (clean.truth_dir / "accepted_treatments.csv").read_bytes()
    assert {row[2] for row in accepted} <= judge_doctors(clean.raw_dir)[0].keys()
    assert clean.dirt == {}


@pytest.mark.parametrize("treatments", [1, 2, 7, 30])
def test_tiny_hospitals_without_dirt_can_be(tmp_path, treatments):
    tiny = sample.generate_hospital(tmp_path, treatments, dirt=CLEAN)
    assert judge_treatments(tiny.raw_dir)[1] == (treatments, treatments, 0, 0)
    json.loads((tiny.raw_dir / f"{FEEDBACK}.json").read_text())


def test_every_kind_of_dirt_has_a_look():
    assert LOOKS.keys() | COPIES == KINDS.keys()


@pytest.mark.parametrize("kind", LOOKS)
def test_every_kind_of_dirt_shows_in_the_default_sample(default, kind):
    name = {TREATMENTS: f"{TREATMENTS}.csv", FEEDBACK: f"{FEEDBACK}.json"}[KINDS[kind]["feed"]]
    lines = (default.raw_dir / name).read_text("utf-8", "surrogateescape").split("\n")
    copies = 2 if kind == "feedback_unidentified" else 1
    assert sum(bool(re.fullmatch(LOOKS[kind], line)) for line in lines) == (
        copies * default.dirt[kind]
    )


def test_copies_show_in_the_default_sample(default):
    lines = (default.raw_dir / f"{TREATMENTS}.csv").read_bytes().splitlines()
    assert len(lines) - len(set(lines)) == default.dirt["duplicate_exact"]
    ids = Counter(line.split(b",")[0].strip().upper() for line in set(lines))
    assert sum(n == 2 for n in ids.values()) == (
        default.dirt["conflicting"] + default.dirt["duplicate_reformatted"]
    )
    doctors = (default.raw_dir / f"{DOCTORS}.csv").read_bytes().splitlines()
    assert len(doctors) - len(set(doctors)) == default.dirt["doctor_duplicate"]
    ids = Counter(line.split(b",")[0] for line in set(doctors))
    assert sum(n == 2 for n in ids.values()) == default.dirt["doctor_changed"]
    assert default.dirt["feedback_duplicate"] >= 1


@pytest.mark.parametrize("size", ["default", "larger"])
def test_truth_agrees_with_an_independent_count(size, request):
    summary = request.getfixturevalue(size)
    judges = {
        TREATMENTS: judge_treatments,
        DOCTORS: judge_doctors,
        FEEDBACK: judge_feedback,
    }
    judged = {feed: judge(summary.raw_dir)[1] for feed, judge in judges.items()}
    assert {feed: tuple(vars(truth).values()) for feed, truth in summary.feeds.items()} == judged
    written = {
        row.pop("feed"): tuple(map(int, row.values()))
        for row in table(summary.truth_dir / "expected_feeds.csv")
    }
    assert written == judged
    by_kind = pd.read_csv(summary.truth_dir / "expected_dirt.csv")
    assert set(by_kind["kind"]) == KINDS.keys() | {"clean"}
    assert (by_kind[["n_accepted", "n_rejected", "n_duplicates"]].sum(axis=1) > 0).all()
    sums = by_kind.groupby("feed")[["n_accepted", "n_rejected", "n_duplicates"]].sum()
    assert {feed: tuple(row) for feed, row in zip(sums.index, sums.to_numpy(), strict=True)} == {
        feed: counts[1:] for feed, counts in judged.items()
    }


@pytest.mark.parametrize("size", ["default", "larger"])
def test_accepted_treatments_read_as_the_truth_says(size, request):
    summary = request.getfixturevalue(size)
    truth = [tuple(row.values()) for row in table(summary.truth_dir / "accepted_treatments.csv")]
    assert truth == judge_treatments(summary.raw_dir)[0]


def test_files_are_safe_to_read(default):
    for name, content in files(default.raw_dir).items():
        assert content.endswith(b"\n"), name
        assert b"\0" not in content, name
        assert b"\r" not in content, name
        assert all(line.count(b'"') % 2 == 0 for line in content.split(b"\n")), name


@pytest.mark.parametrize("size", ["default", "larger"])
def test_k_means_finds_the_planted_vips(size, request):
    summary = request.getfixturevalue(size)
    treatments, feedback = judge_frames(summary.raw_dir)
    features = treatments.groupby("patient")["revenue"].agg(["sum", "count", "mean"])
    features["feedback"] = feedback.groupby("patient")["score"].mean()
    features = features.fillna({"feedback": features["feedback"].mean()})
    model = KMeans(n_clusters=2, n_init=10, random_state=42)
    labels = model.fit_predict(StandardScaler().fit_transform(features))
    revenue = [features["sum"][labels == label].mean() for label in (0, 1)]
    found = set(features.index[labels == np.argmax(revenue)])
    planted = {row["patient_id"] for row in table(summary.truth_dir / "vip_patients.csv")}
    assert len(planted) == round(0.08 * summary.n_patients)
    assert len(found & planted) >= 0.95 * max(len(found), len(planted))


@pytest.mark.parametrize("size", ["default", "larger"])
def test_planted_doctors_earn_much_and_please_little_or_much(size, request):
    summary = request.getfixturevalue(size)
    treatments, feedback = judge_frames(summary.raw_dir)
    treatments["score"] = treatments["patient"].map(feedback.groupby("patient")["score"].mean())
    doctors = treatments.groupby("doctor").agg(revenue=("revenue", "sum"), score=("score", "mean"))
    planted = pd.read_csv(summary.truth_dir / "planted_doctors.csv", index_col="doctor_id")
    n_each = summary.n_doctors // 16
    counts = planted["plant"].value_counts().to_dict()
    assert counts == {"low_feedback": n_each, "high_feedback": n_each}
    assert doctors["revenue"][planted.index].min() > doctors["revenue"].quantile(0.85)
    score = doctors["score"][planted.index].groupby(planted["plant"]).mean()
    assert score["low_feedback"] == pytest.approx(2, abs=0.3)
    assert score["high_feedback"] == pytest.approx(4.6, abs=0.3)


def test_the_hospital_is_believable(larger):
    treatments, feedback = judge_frames(larger.raw_dir)
    visits = treatments.groupby("patient").size()
    assert len(visits) == pytest.approx(5000, rel=0.01)
    assert visits.max() > 5 * visits.mean()
    assert (treatments.groupby("patient")["doctor"].nunique() <= 2).mean() > 0.95
    assert 0.5 < (treatments["room"] == "0.00").mean() < 0.8
    assert feedback["patient"].nunique() / len(visits) == pytest.approx(0.6, abs=0.03)
    assert feedback.groupby("patient").size().max() <= 5  # 3 answers and stray repeats
    weekdays = pd.to_datetime(treatments["day"][treatments["day"] != ""]).dt.day_of_week
    assert weekdays.value_counts().idxmax() == 0
    assert (weekdays >= 5).mean() < 0.12


def test_doctor_names_are_obviously_made_up(default):
    doctors, _ = judge_doctors(default.raw_dir)
    assert all(re.fullmatch(r"Doctor \d{4}", row["doctor_name"]) for row in doctors.values())


def test_progress_ends_with_everything_written(default, tmp_path):
    told = []
    sample.generate_hospital(
        tmp_path, 1000, progress=lambda done, total: told.append((done, total))
    )
    total = sum(feed.n_raw for feed in default.feeds.values())
    assert told[-1] == (total, total)


def test_a_share_is_a_count_of_records(tmp_path):
    only = Dirt(**{**vars(CLEAN), "cost_blank": 0.1, "duplicate_exact": 0.0001})
    summary = sample.generate_hospital(tmp_path, 1000, dirt=only)
    assert summary.dirt == {"cost_blank": 100, "duplicate_exact": 1}
    assert summary.feeds[TREATMENTS].n_raw == 1001


def test_too_much_dirt_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="the dirt wants 27 records and there are 10"):
        sample.generate_hospital(tmp_path, 10)
    with pytest.raises(ValueError, match="cost_na: a share lies between 0 and 1"):
        Dirt(cost_na=1.5)
    with pytest.raises(ValueError, match="at least 1"):
        sample.generate_hospital(tmp_path, 0)


def run(*options):
    app = typer.Typer()
    app.command("sample")(sample_command)
    return CliRunner().invoke(app, [str(option) for option in options])


def test_command_writes_what_the_function_writes(default, tmp_path):
    assert run("--out", tmp_path).exit_code == 0
    assert files(tmp_path / "hospital") == files(default.raw_dir)
    assert files(tmp_path / "truth" / "hospital") == files(default.truth_dir)


def test_command_takes_shares(tmp_path):
    result = run("--out", tmp_path, "--dirt", 0, "--share", "cost_negative=0.02")
    assert result.exit_code == 0
    assert judge_treatments(tmp_path / "hospital")[1] == (1000, 980, 20, 0)


@pytest.mark.parametrize("share", ["mud=0.1", "cost_na=much", "cost_na=2"])
def test_command_refuses_what_is_no_share(tmp_path, share):
    result = run("--out", tmp_path, "--share", share)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_importing_the_command_is_cheap():
    heavy = "{'numpy', 'duckdb', 'rich.progress'} & set(sys.modules)"
    code = f"import sys, wardhouse.commands.sample; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

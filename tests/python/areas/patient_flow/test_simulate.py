"""Simulated streams: the same bytes every time, what is planted is there, and every sink works."""

import itertools
import json
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import duckdb
import numpy as np
import pandas as pd
import psutil
import pytest
from builds import PROJECT, in_fast_suite
from playing import START, Memory, files, read, run
from scipy import stats
from wardhouse.areas.patient_flow.dirt import CODES, FEED, KINDS, PatientFlowDirt
from wardhouse.areas.patient_flow.events import PatientFlow
from wardhouse.areas.patient_flow.population import BOTTLENECK_HOURS, DEPARTMENTS, weekly_rates
from wardhouse.commands.simulate import duration_seconds
from wardhouse.synthetic import sinks
from wardhouse.synthetic import timeline as simulate_stream
from wardhouse.synthetic.player import play
from wardhouse.synthetic.seeds import DEFAULT_SEED
from wardhouse.synthetic.sinks import FileSink, KafkaSink
from wardhouse.synthetic.timeline import DAY, HOUR, MINUTE, Arrivals, edges, take

# Nothing is built here: who begins with it does not wait while another worker parses the project.
pytestmark = [pytest.mark.long, pytest.mark.waiting]

CLEAN = PatientFlowDirt().scaled(0)
FIELDS = ["event_id", "event_time", "patient_id", "gender", "age", "department"]
FIELDS += ["admission_time", "discharge_time", "bed_id", "hospital_id", "wait_time_minutes"]


def flow(rate=0.05, days=7.0, seed=1, **options):
    return PatientFlow(rate, START, int(START + days * DAY), seed, **options)


def lines(stream, **options):
    sink = Memory()
    play(stream, sink, **options)
    return sink.lines(FEED)


def stays(**options):
    """Play a clean stream and give its events and its stays, the last event of each, as frames."""
    options = {"dirt": CLEAN, "older_share": 0, "overlap_share": 0} | options
    events = pd.DataFrame([json.loads(line) for line in lines(flow(**options))])
    for column in ("event_time", "admission_time", "discharge_time"):
        events[column] = pd.to_datetime(events[column])
    identity = ["hospital_id", "patient_id", "admission_time"]
    last = events.groupby(identity, as_index=False).last()
    last["hours"] = (last.discharge_time - last.admission_time).dt.total_seconds() / 3600
    last["hour"] = last.admission_time.dt.hour
    # Of who came before the recording, only those who stayed are known.
    return events, last[last.admission_time >= pd.Timestamp("2025-09-01")]


@pytest.fixture(scope="module")
def month():
    return stays(rate=0.04, days=42, hospitals=2)


@pytest.fixture(scope="module")
def uniform_month():
    return stays(rate=0.04, days=42, hospitals=2, uniform=True)


def complete(stays, days):
    """Keep stays so early that all of them have ended, the long ones too."""
    return stays[stays.admission_time < pd.Timestamp("2025-09-01") + pd.Timedelta(days=days - 14)]


# Arrivals


def test_arrivals_are_poisson_with_the_rates_asked_for():
    weekly = np.tile([5.0, 0.0, 120.0, 60.0], 42)
    arrivals = Arrivals(weekly, seed=3)
    begin = START
    _, times = arrivals.between(begin, begin + 280 * DAY)
    counts = np.bincount((times - begin) // HOUR, minlength=280 * 24).reshape(-1, 4)
    assert np.allclose(counts.mean(0), [5, 0, 120, 60], rtol=0.03)
    # The variance of a Poisson count is its mean.
    assert np.allclose(counts.var(0), [5, 0, 120, 60], rtol=0.1)
    within = (times % MINUTE) / MINUTE
    assert stats.kstest(within[::20], "uniform").pvalue > 0.001


def test_steps_do_not_change_an_arrival():
    weekly = np.full(168, 30.0)
    _, whole = Arrivals(weekly, 3).between(START, START + DAY)
    arrivals = Arrivals(weekly, 3)
    cuts = [START, START + 7 * MINUTE, START + 5 * HOUR, START + DAY]
    parts = [arrivals.between(*cut) for cut in itertools.pairwise(cuts)]
    assert np.concatenate([times for _, times in parts]).tolist() == whole.tolist()
    assert np.concatenate([rows for rows, _ in parts]).tolist() == list(range(len(whole)))


def test_steps_never_cross_midnight():
    cuts = list(edges(START + 5 * MINUTE, START + 2 * DAY, 480))
    assert [start for start, _ in cuts[1:]] == [stop for _, stop in cuts[:-1]]
    assert all(start // DAY == (stop - 1) // DAY for start, stop in cuts)
    assert cuts[-1][1] == START + 2 * DAY


# Patient flow: what it is like


def test_the_same_seed_gives_the_same_bytes():
    assert lines(flow(days=2)) == lines(flow(days=2))
    assert lines(flow(days=2)) != lines(flow(days=2, seed=2))


@pytest.mark.system
def test_steps_change_nothing_but_which_bed_is_taken(monkeypatch):
    def without_beds():
        told = lines(flow(rate=0.2, days=1.5, overlap_share=0))
        return [re.sub(rb'"bed_id":\d+', b"", line) for line in told]

    whole = without_beds()
    monkeypatch.setattr(simulate_stream, "STEP_ARRIVALS", 300)
    assert without_beds() == whole


RATES = [(20, 0.02), (2, 0.1), (0.5, 1), (0.1, 7), (0.05, 20), (0.02, 42)]


@pytest.mark.parametrize("rate_and_days", in_fast_suite(RATES, *RATES[1:4]), ids=str)
def test_the_rate_is_the_mean_over_the_duration(rate_and_days):
    rate, days = rate_and_days
    expected = rate * days * 86400
    assert len(lines(flow(rate, days))) == pytest.approx(expected, rel=0.05)


def test_a_message_has_the_fields_in_order(month):
    events, _ = month
    assert list(events.columns) == FIELDS
    assert events.event_id.is_unique
    assert events.event_id.str.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").all()
    assert events.event_time.is_monotonic_increasing
    late = events.event_time - events[["admission_time", "discharge_time"]].max(axis=1)
    is_first = ~events.duplicated(["patient_id", "admission_time"])
    is_first &= events.admission_time >= pd.Timestamp("2025-09-01")
    assert (
        late[is_first | events.discharge_time.notna()]
        .between(pd.Timedelta(seconds=1), pd.Timedelta(seconds=61))
        .all()
    )


@pytest.mark.system
def test_a_stay_is_admitted_sometimes_moved_and_discharged(month):
    events, stays = month
    whole = complete(stays, 42)
    of_stay = events.groupby(["hospital_id", "patient_id", "admission_time"])
    n_open = of_stay.discharge_time.apply(lambda ends: ends.isna().sum())
    n_ended = of_stay.discharge_time.count()
    keys = pd.MultiIndex.from_frame(whole[["hospital_id", "patient_id", "admission_time"]])
    assert set(n_ended[keys]) == {1}
    assert set(n_open[keys]) == {1, 2}
    assert 0.05 < (n_open[keys] == 2).mean() < 0.12
    moved = of_stay.bed_id.nunique()[keys]
    assert ((moved == 2) == (n_open[keys] == 2)).all()
    # What does not change over a stay does not.
    assert (of_stay[["age", "gender", "department", "wait_time_minutes"]].nunique() == 1).all(
        axis=None
    )


def test_departments_have_their_share_and_their_rhythm(month):
    _, stays = month
    share = stays.department.value_counts(normalize=True)
    for department in DEPARTMENTS:
        assert share[department.name] == pytest.approx(department.share, abs=0.02)
    rates = weekly_rates(DEPARTMENTS)
    weeks = stays.admission_time.dt.day_of_week * 24 + stays.hour
    for number, department in enumerate(DEPARTMENTS):
        told = np.bincount(weeks[stays.department == department.name], minlength=168)
        expected = rates[:, number] / rates[:, number].sum() * told.sum()
        # By quarters of a day, so that each is expected often enough.
        quarters = told.reshape(-1, 6).sum(1), expected.reshape(-1, 6).sum(1)
        assert stats.chisquare(*quarters).pvalue > 0.001
    surgery = stays[stays.department == "Surgery"].admission_time.dt
    assert surgery.hour.mode()[0] in (7, 8, 9)
    assert (surgery.day_of_week == 6).mean() < 0.05


def test_stays_are_log_normal(month):
    _, stays = month
    whole = complete(stays, 42)
    for department in DEPARTMENTS:
        hours = np.log(whole[whole.department == department.name].hours)
        if department.name == "Emergency":
            evening = whole.hour[hours.index].isin(BOTTLENECK_HOURS)
            assert hours[evening].median() - hours[~evening].median() == pytest.approx(
                np.log(3), abs=0.1
            )
            hours = hours[~evening]
        assert np.exp(hours.mean()) == pytest.approx(department.stay_hours, rel=0.07)
        assert hours.std() == pytest.approx(department.spread, rel=0.08)
        assert stats.kstest(hours, "norm", (hours.mean(), hours.std())).pvalue > 0.001


def test_evening_admissions_of_the_bottleneck_outrun_discharges(month):
    events, stays = month
    emergency = stays[stays.department == "Emergency"]
    is_evening = emergency.hour.isin(BOTTLENECK_HOURS)
    wait = emergency.wait_time_minutes.groupby(is_evening).median()
    assert wait[True] > 1.6 * wait[False]
    ended = events[(events.department == "Emergency") & events.discharge_time.notna()]
    n_left = ended.discharge_time.dt.hour.isin(BOTTLENECK_HOURS).sum()
    assert is_evening.sum() > 1.3 * n_left


@pytest.mark.system
def test_waits_grow_with_the_beds_in_use():
    _, told = stays(rate=0.005, days=84, hospitals=2)
    told = told[told.department != "Emergency"].sort_values("admission_time")
    loads, waits = [], []
    for _, group in told.groupby(["hospital_id", "department"]):
        left = np.sort(group.discharge_time.fillna(pd.Timestamp("2100-01-01")))
        in_use = np.arange(len(group)) - np.searchsorted(left, group.admission_time)
        settled = group.admission_time >= pd.Timestamp("2025-09-22")
        loads += list(in_use[settled] / in_use[settled].mean())
        waits += list(np.log(group.wait_time_minutes[settled].clip(1)))
    grown = stats.linregress(loads, waits)
    # By the planned load, and noise in what was typed: waits are whole minutes.
    assert grown.slope == pytest.approx(1.5 * 0.85, rel=0.25)
    assert grown.pvalue < 1e-12


def test_the_slow_department_is_far_worse(month):
    _, stays = month
    wait = stays.groupby("department").wait_time_minutes.median()
    assert wait.idxmax() == "Oncology"
    assert wait["Oncology"] > 2 * wait.drop("Oncology").max()
    assert wait["Oncology"] > 60


def test_people_fit_their_departments_and_come_back(month):
    events, stays = month
    age = stays.age
    assert age.between(0, 100).all()
    assert age[stays.department == "Pediatrics"].max() <= 16
    mothers = stays[stays.department == "Maternity"]
    assert (mothers.gender == "Female").all()
    assert mothers.age.between(16, 45).all()
    assert (events.groupby("patient_id").gender.nunique() == 1).all()
    again = stays.sort_values("admission_time").groupby("patient_id")
    assert 0.01 < (again.cumcount() > 0).mean() < 0.3
    ended_before = again.discharge_time.shift().dropna()
    assert len(ended_before) > 100
    assert (ended_before < stays.admission_time[ended_before.index]).all()


def overlaps(stays):
    """Count stays that begin on a bed which somebody still has."""
    stays = stays.sort_values("admission_time")
    ends = stays.discharge_time.fillna(pd.Timestamp("2100-01-01"))
    of_bed = ends.groupby([stays.hospital_id, stays.bed_id])
    return int((of_bed.transform(lambda e: e.shift().cummax()) > stays.admission_time).sum())


@pytest.mark.system
def test_no_two_stays_share_a_bed_unless_planted(month):
    events, stays = month
    assert overlaps(stays) == 0
    # Nor by the bed of the admission.
    first = events.groupby(["hospital_id", "patient_id", "admission_time"], as_index=False).agg(
        bed_id=("bed_id", "first"), discharge_time=("discharge_time", "last")
    )
    assert overlaps(first[first.admission_time >= pd.Timestamp("2025-09-01")]) == 0
    # Beds are used again and again.
    assert len(stays) > 8 * len(stays.drop_duplicates(["hospital_id", "bed_id"]))


@pytest.mark.system
def test_planted_overlaps_are_there():
    stream = flow(rate=0.03, days=28, dirt=CLEAN, overlap_share=0.05)
    events, told = stays(rate=0.03, days=28, overlap_share=0.05)
    n_stays = len(told)
    assert 0.005 * n_stays < overlaps(told) < 0.05 * n_stays
    assert stream.overlap_share == 0.05
    assert len(events) > n_stays


@pytest.mark.system
def test_on_uniform_input_departments_and_hours_do_not_differ(uniform_month):
    _, stays = uniform_month
    stays = complete(stays, 42)
    assert stats.chisquare(stays.department.value_counts()).pvalue > 0.01
    assert stats.chisquare(stays.hour.value_counts()).pvalue > 0.01
    assert stats.chisquare(stays.admission_time.dt.day_of_week.value_counts()).pvalue > 0.01
    for measure in ("hours", "wait_time_minutes"):
        for by in ("department", "hour"):
            groups = [group[measure] for _, group in stays.groupby(by)]
            assert stats.kruskal(*groups).pvalue > 0.01
    assert overlaps(stays) == 0


# Dirt


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_dirt_has_its_share(kind):
    stream = flow(rate=0.2, days=3, dirt=PatientFlowDirt(**vars(CLEAN) | {kind: 0.1}))
    blocks = [step.blocks[FEED] for step in stream.steps()]
    block = {name: np.concatenate([b[name] for b in blocks]) for name in blocks[0]}
    block = take(block, ~block["is_copy"])
    can = np.ones(len(block["event"]), bool)
    if kind in ("discharge_before_admission", "admission_in_future"):
        can &= block["event"] % 3 == {"d": 2, "a": 0}[kind[0]]
    if kind.startswith(("conflicting", "admission_in_future")):
        can &= ~block["is_older"]
    has_it = block["kind"] == CODES[kind]
    assert not has_it[~can].any()
    assert stats.binomtest(int(has_it[can].sum()), int(can.sum()), 0.1).pvalue > 0.001


def test_shares_above_everything_are_refused():
    stream = flow(dirt=PatientFlowDirt(**vars(CLEAN) | {"age_outside": 0.6, "out_of_order": 0.6}))
    with pytest.raises(ValueError, match="more than every event"):
        lines(stream)


def moment(message, name):
    text = message.get(name)
    return datetime.fromisoformat(text) if text else None


def looks(kind, seed=5):
    """Play a stream of nothing but one kind of dirt."""
    dirt = PatientFlowDirt(**vars(CLEAN) | {kind: 1})
    return lines(flow(rate=0.02, days=1, seed=seed, dirt=dirt, older_share=0))


def test_what_each_kind_looks_like():
    shapes = {
        "age_outside": lambda m: not 0 <= m["age"] <= 100,
        "discharge_before_admission": lambda m: (
            m["discharge_time"] is None or m["discharge_time"] < m["admission_time"]
        ),
        "admission_in_future": lambda m: (
            (moment(m, "admission_time") - moment(m, "event_time")).total_seconds() > 300
            or m["discharge_time"]
            or moment(m, "event_time") > moment(m, "admission_time")
        ),
        "department_spelling": lambda m: m["department"] != m["department"].strip().capitalize(),
        "gender_spelling": lambda m: m["gender"] not in ("Female", "Male"),
        "gender_missing": lambda m: not m.get("gender"),
        "patient_missing": lambda m: not m.get("patient_id"),
        "hospital_missing": lambda m: not m.get("hospital_id"),
        "department_missing": lambda m: not m.get("department"),
        "admission_missing": lambda m: not m.get("admission_time"),
        "admission_unreadable": lambda m: m["admission_time"] == "this morning",
    }
    for kind, shape in shapes.items():
        messages = [read(line) for line in looks(kind)]
        assert len(messages) > 500
        assert all(map(shape, messages)), kind
    future = [read(line) for line in looks("admission_in_future")]
    is_late = [(moment(m, "admission_time") - moment(m, "event_time")).days >= 0 for m in future]
    assert 0.3 < np.mean(is_late) < 0.6  # the admission events
    for kind in ("poison_text", "poison_truncated", "poison_array", "poison_bytes"):
        assert not any(map(read, looks(kind)))
    assert all(json.loads(line)[0]["patient_id"] for line in looks("poison_array"))
    for line in looks("poison_bytes"):
        with pytest.raises(UnicodeDecodeError):
            line.decode()


def test_out_of_order_events_come_late():
    times = [read(line)["event_time"] for line in looks("out_of_order")]
    assert times != sorted(times)


@pytest.mark.parametrize("kind", [k for k in KINDS if len(KINDS[k]["outcomes"]) == 2])
def test_what_is_told_twice_comes_twice(kind):
    told = looks(kind)
    tellings = {}
    for line in told:
        message = read(line)
        tellings.setdefault(message.pop("event_id"), []).append(message)
    assert {len(messages) for messages in tellings.values()} == {2}
    for first, again in tellings.values():
        differ = {name for name in first if first[name] != again[name]}
        newer = (first["event_time"] < again["event_time"]) - (
            first["event_time"] > again["event_time"]
        )
        assert (differ - {"event_time"}, newer) == {
            "duplicate_exact": (set(), 0),
            "duplicate_reformatted": (set(), 0),
            "conflicting_newer": ({"wait_time_minutes"}, 1),
            "conflicting_older": ({"wait_time_minutes"}, -1),
            "conflicting_equal": ({"wait_time_minutes"}, 0),
        }[kind]
    if kind.startswith("duplicate"):
        assert len(set(told)) == len(told) / (2 if kind == "duplicate_exact" else 1)


def test_older_producers_leave_out_what_they_do_not_know():
    messages = [json.loads(line) for line in lines(flow(days=3, dirt=CLEAN, older_share=0.3))]
    older = [m for m in messages if "event_id" not in m]
    assert len(older) / len(messages) == pytest.approx(0.3, abs=0.02)
    assert {tuple(m) for m in older} == {tuple(FIELDS[2:-1])}


# The recorded stream


def test_shipped_sample_is_what_the_command_writes(tmp_path):
    result = run("sample", "--area", "patient_flow", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    shipped = files(PROJECT / "seeds/sample/patient_flow")
    assert shipped == files(tmp_path / "patient_flow")
    assert files(PROJECT / "tests/truth/patient_flow") == files(tmp_path / "truth/patient_flow")
    assert sum(map(len, shipped.values())) < 700_000
    assert len(shipped) == 21


def judge(messages):
    """Judge raw messages by hand: accepted events, and the counts of the truth."""
    rejected, known, typed = 0, {}, set()
    n_duplicates = 0
    for line in messages:
        message = read(line)
        required = ("patient_id", "hospital_id", "department", "admission_time")
        if message is None or not all(message.get(name) for name in required):
            rejected += 1
            continue
        try:
            datetime.fromisoformat(message["admission_time"])
        except ValueError:
            rejected += 1
            continue
        content = json.dumps(message, sort_keys=True)
        if content in typed:
            n_duplicates += 1
            continue
        typed.add(content)
        known.setdefault(message.get("event_id") or content, []).append(message)
    accepted = []
    for versions in known.values():
        newest = max(version.get("event_time") or "" for version in versions)
        stand = [v for v in versions if (v.get("event_time") or "") == newest]
        if len(stand) > 1:
            rejected += len(stand)
            n_duplicates += len(versions) - len(stand)
        else:
            accepted += stand
            n_duplicates += len(versions) - 1
    return accepted, (len(messages), len(accepted), rejected, n_duplicates)


def recorded():
    folder = PROJECT / "seeds/sample/patient_flow" / FEED
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir())).split(b"\n")[:-1]


def test_the_truth_of_the_sample_holds_when_judged_by_hand():
    accepted, counts = judge(recorded())
    truth = pd.read_csv(PROJECT / "tests/truth/patient_flow/expected_feeds.csv")
    assert truth.to_numpy().tolist() == [[FEED, *counts]]
    by_kind = pd.read_csv(PROJECT / "tests/truth/patient_flow/expected_dirt.csv").set_index("kind")
    assert set(by_kind.index) == {"clean", *KINDS}
    assert tuple(by_kind[["n_accepted", "n_rejected", "n_duplicates"]].sum()) == counts[1:]
    n = by_kind.n_accepted
    assert sum(not 0 <= m["age"] <= 100 for m in accepted) == n["age_outside"]
    reversed_ = [m for m in accepted if (m["discharge_time"] or "3") < m["admission_time"]]
    assert len(reversed_) == n["discharge_before_admission"]
    future = [
        m
        for m in accepted
        if "event_time" in m
        and (moment(m, "admission_time") - moment(m, "event_time")).total_seconds() > 300
    ]
    assert len(future) == n["admission_in_future"]


def test_each_file_holds_the_messages_that_came_on_its_day():
    for path in (PROJECT / "seeds/sample/patient_flow" / FEED).iterdir():
        days = [(read(line) or {}).get("event_time", "")[:10] for line in path.open("rb")]
        days = [day for day in days if day]
        assert days.count(path.stem) > 0.95 * len(days)


# Sinks and time


def test_files_grow_by_whole_messages_and_are_one_a_day(tmp_path):
    sink = FileSink(tmp_path, "patient_flow", appends=False)
    play(flow(rate=0.05, days=2.5), sink)
    sink.close()
    written = files(tmp_path)
    assert list(written) == [f"patient_flow/{FEED}/2025-09-0{day}.ndjson" for day in (1, 2, 3)]
    assert b"".join(written.values()).split(b"\n")[:-1] == lines(flow(rate=0.05, days=2.5))


def test_files_that_are_there_are_not_overwritten(tmp_path):
    options = ("simulate", "patient-flow", "--out", tmp_path, "--rate", 0.01)
    assert run(*options).exit_code == 0
    before = files(tmp_path)
    again = run(*options)
    assert again.exit_code == 2
    assert "there already" in again.output
    assert files(tmp_path) == before


def test_a_producer_that_was_killed_goes_on_in_its_file(tmp_path):
    sink = FileSink(tmp_path, "area", appends=True)
    path = tmp_path / "area" / "feed" / "2025-09-01.ndjson"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"a": 1}\n{"a"')
    sink.write("feed", START, b'{"a": 3}\n')
    sink.close()
    assert path.read_bytes() == b'{"a": 1}\n{"a"\n{"a": 3}\n'


def command(*options):
    return [sys.executable, "-m", "wardhouse.cli", "simulate", *map(str, options)]


def test_standard_output_holds_messages_only():
    told = subprocess.run(
        command("patient-flow", "--stdout", "--speed", 0, "--duration", "6h", "--rate", 0.1),
        capture_output=True,
        check=True,
    )
    expected = lines(PatientFlow(0.1, START, START + 6 * HOUR, DEFAULT_SEED))
    assert told.stdout.split(b"\n")[:-1] == expected
    assert f"{len(expected):,} messages" in told.stderr.decode()


@pytest.mark.system
def test_a_reader_may_leave():
    producer = subprocess.Popen(
        command("patient-flow", "--stdout", "--speed", 0, "--rate", 5, "--duration", "2d"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    producer.stdout.readline()
    producer.stdout.close()
    assert producer.wait(60) == 0
    assert producer.stderr.read() == b""


def test_count_caps_the_messages():
    every = lines(flow(days=1))
    assert lines(flow(days=1), count=100) == every[:100]
    assert lines(flow(days=1), count=10**9) == every


@pytest.mark.system
def test_a_live_stream_tells_the_present_time_at_the_rate_asked_for():
    now = int(time.time() * 1000)
    sink = Memory()
    stream = PatientFlow(50, now, now + 4000, 1, CLEAN, older_share=0)
    n_sent = play(stream, sink, speed=1, is_live=True)
    assert 120 < n_sent < 290
    assert 2.5 < sink.written[-1][0] - sink.written[0][0] < 6
    for sent_at, _, due, messages in sink.written:
        first = json.loads(messages.split(b"\n")[0])
        told = datetime.fromisoformat(first["event_time"]).replace(tzinfo=UTC).timestamp()
        assert told * 1000 == due
        assert 0 <= sent_at - told < 1.5


@pytest.mark.system
def test_a_clock_can_run_faster():
    sink = Memory()
    begun = time.time()
    play(flow(rate=0.05, days=1 / 12, dirt=CLEAN), sink, speed=3600)
    assert 1.8 < time.time() - begun < 10
    assert sink.lines(FEED) == lines(flow(rate=0.05, days=1 / 12, dirt=CLEAN))
    assert len(sink.written) > 20


def test_a_stop_ends_a_stream_between_messages():
    stopped = threading.Event()
    sink = Memory()
    player = threading.Thread(
        target=play,
        args=(PatientFlow(20, START, None, 1), sink),
        kwargs={"speed": 1, "stopped": stopped},
    )
    player.start()
    deadline = time.time() + 60
    while not sink.written and time.time() < deadline:
        time.sleep(0.05)
    stopped.set()
    player.join(20)
    assert not player.is_alive()
    assert sink.written


@pytest.mark.parametrize("number", in_fast_suite([signal.SIGINT, signal.SIGTERM], signal.SIGTERM))
def test_signals_stop_gracefully(number, tmp_path):
    producer = subprocess.Popen(
        command("patient-flow", "--out", tmp_path, "--speed", 1, "--rate", 20),
        stderr=subprocess.PIPE,
    )
    deadline = time.time() + 60
    while not list(tmp_path.rglob("*.ndjson")) and time.time() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    producer.send_signal(number)
    assert producer.wait(30) == 0
    written = b"".join(files(tmp_path).values())
    assert written.endswith(b"\n")
    n_written = written.count(b"\n")
    assert f"{n_written:,} messages".encode() in producer.stderr.read()


@pytest.fixture(scope="module")
def brokers():
    """Start librdkafka's mock cluster, which serves others too, and give its address."""
    from confluent_kafka import Producer

    owner = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored", "log_level": 0})
    broker = next(iter(owner.list_topics(timeout=10).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    del owner


def consume(brokers, topic, n):
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    messages = []
    deadline = time.time() + 60
    while len(messages) < n and time.time() < deadline:
        messages += [m for m in consumer.consume(1000, 0.5) if not m.error()]
    messages += [m for m in consumer.consume(10, 1) if not m.error()]
    consumer.close()
    return messages


@pytest.mark.system
def test_kafka_gets_every_message_with_its_key(brokers, monkeypatch):
    expected = lines(PatientFlow(0.1, START, START + 6 * HOUR, DEFAULT_SEED))
    monkeypatch.setenv("WARDHOUSE_KAFKA_CLIENT_ID", "ward")
    options = ("--kafka", brokers, "--topic", "flow", "--speed", 0)
    told = subprocess.run(
        command("patient-flow", *options, "--duration", "6h", "--rate", 0.1),
        capture_output=True,
        check=True,
    )
    assert f"{len(expected):,} messages" in told.stderr.decode()
    messages = consume(brokers, "flow", len(expected))
    assert sorted(m.value() for m in messages) == sorted(expected)
    partitions = {}
    for message in messages:
        patient = (read(message.value()) or {}).get("patient_id")
        if patient:
            assert message.key().decode() == patient
        partitions.setdefault(message.key(), set()).add(message.partition())
    # The events of a patient keep their order.
    assert {len(of_key) for of_key in partitions.values()} == {1}
    assert len(set.union(*partitions.values())) > 1


def test_kafka_settings_reach_librdkafka(brokers, monkeypatch):
    monkeypatch.setenv("WARDHOUSE_KAFKA_NO_SUCH_OPTION", "1")
    result = run("simulate", "patient-flow", "--kafka", brokers, "--count", 1)
    assert result.exit_code == 1
    assert "no.such.option" in result.output


def test_no_broker_is_said(monkeypatch):
    monkeypatch.setattr(sinks, "KAFKA_PATIENCE", 1)
    with pytest.raises(RuntimeError, match="Kafka"):
        KafkaSink({FEED: "flow"}, {"bootstrap.servers": "127.0.0.1:1", "log_level": "0"})


@pytest.mark.system
def test_a_message_too_large_is_said(brokers):
    sink = KafkaSink({"feed": "large"}, {"bootstrap.servers": brokers, "message.timeout.ms": 2000})
    assert isinstance(sink, KafkaSink)
    sink.write("feed", 0, b"key\x1e{}\n")
    sink.write("another feed", 0, b"key\x1e{}\n")
    sink.close()
    assert [m.value() for m in consume(brokers, "large", 1)] == [b"{}"]


@pytest.mark.system
def test_memory_is_bounded(tmp_path):
    """A million messages take no more than a quarter of a million, give or take."""
    peaks = []
    for days in (3, 12):
        producer = subprocess.Popen(
            command("patient-flow", "--out", tmp_path / str(days), "--duration", f"{days}d"),
            stderr=subprocess.DEVNULL,
        )
        process, peak = psutil.Process(producer.pid), 0
        while producer.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.02)
        assert producer.wait() == 0
        peaks.append(peak)
    n_lines = duckdb.sql(
        f"select count(*) from read_csv('{tmp_path}/12/*/*/*', columns = {{'line': 'varchar'}}, "
        "sep = '\x1f', quote = '', escape = '', header = false, encoding = 'latin-1')"
    ).fetchall()[0][0]
    assert n_lines == pytest.approx(1_036_800, rel=0.02)
    assert peaks[1] < peaks[0] * 1.3 + 100e6


# Options


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2592000), ("2h", 7200), ("1h30m", 5400), ("90s", 90)]
)
def test_durations(text, seconds):
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "1.5h", "2h later", "-1d"])
def test_no_durations(text):
    with pytest.raises(ValueError, match="no duration"):
        duration_seconds(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give one of"),
        (["--stdout", "--out", "x"], "give one of"),
        (["--stdout", "--duration", "soon"], "no duration"),
        (["--stdout", "--rate", "0"], "above 0"),
        (["--stdout", "--share", "age=1"], "no dirt is called"),
        (["--stdout", "--duration", "0s"], "above 0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    result = run("simulate", "patient-flow", *options, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.output


def test_the_command_line_stays_quick():
    told = subprocess.run(
        [sys.executable, "-c", "import sys, wardhouse.cli; print(*sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = set(told.stdout.split())
    assert not loaded & {"numpy", "duckdb", "confluent_kafka", "pandas", "scipy"}

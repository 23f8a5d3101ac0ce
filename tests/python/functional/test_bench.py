"""Benchmarks measure what they say: contenders do the same work, a stream's figures are exact."""

from dataclasses import replace

import duckdb
import pytest
from builds import PROJECT, SAMPLE
from wardhouse.bench.hospital import (
    CONTENDERS,
    Bench,
    as_markdown,
    check_agreement,
    ratios,
    read_answer,
    run_contenders,
)
from wardhouse.bench.measure import ContenderError, Measurement, run_measured
from wardhouse.bench.postgresql import measure_pairs
from wardhouse.bench.stream import details, verdicts
from wardhouse.bench.stream_cycles import hold_back, measure_history
from wardhouse.bench.stream_latency import measure_latency, read_latency
from wardhouse.bench.stream_place import StreamBench
from wardhouse.bench.stream_rate import Rates, measure_ingest

pytestmark = pytest.mark.long

SCRIPTS = [name for name in CONTENDERS if not name.startswith("dbt")]


@pytest.mark.system
def test_every_script_agrees_with_the_sample_that_is_built(sample, tmp_path):
    (tmp_path / "raw").symlink_to(SAMPLE, target_is_directory=True)
    bench = Bench(tmp_path, PROJECT, treatments=1000, seed=20250101)
    measurements = run_contenders(bench, SCRIPTS)
    assert len(measurements) == 3
    built = Measurement("sample", 1, 1, 1, read_answer(sample.database))
    assert "sample" in check_agreement([built, *measurements])
    assert built.answer["n_accepted"] == 987
    assert all(found.cpu > 0 and found.wall > 0 and found.peak > 10 for found in measurements)


@pytest.fixture(scope="module")
def measurements(tmp_path_factory) -> list[Measurement]:
    """Return a run of every contender on 2,000 treatments, the tests' own cost left out."""
    bench = Bench(tmp_path_factory.mktemp("bench"), PROJECT, treatments=2000, seed=20250101)
    names = [name for name in CONTENDERS if name not in ("dbt_noop", "dbt")]
    return run_contenders(bench, names)


@pytest.mark.system
def test_all_contenders_agree(measurements):
    sentence = check_agreement(measurements)
    for found in measurements:
        if found.name == "dbt_parse":
            assert found.answer == {}
            continue
        assert found.name in sentence
        assert found.answer["n_accepted"] == 1974


@pytest.mark.system
def test_every_contender_was_measured(measurements):
    assert all(found.cpu > 0 and found.wall > 0 and found.peak > 10 for found in measurements)
    assert "dbt_append / dbt_append_full" in dict(ratios(measurements))
    markdown = as_markdown(measurements, 2000)
    assert all(f"| {found.name} |" in markdown for found in measurements)


@pytest.mark.parametrize("key", ["n_accepted", "n_patients", "n_vip", "top_doctors"])
def test_a_contender_that_differs_is_told(key):
    answer = {
        "n_accepted": 10,
        "n_patients": 5,
        "n_vip": 2,
        "top_doctors": [["D001", "10.50"], ["D002", "9.00"]],
    }
    one = Measurement("one", 1, 1, 1, answer)
    wrong = list(reversed(answer[key])) if key == "top_doctors" else answer[key] + 1
    other = replace(one, name="other", answer={**answer, key: wrong})
    assert "agree" in check_agreement([one, replace(one, name="other")])
    with pytest.raises(ContenderError, match="one and other differ"):
        check_agreement([one, other])


def test_a_contender_that_fails_is_told_with_its_last_words(tmp_path):
    command = ["python3", "-c", "import sys; sys.exit('no such luck')"]
    with pytest.raises(ContenderError, match="no such luck"):
        run_measured("broken", command, tmp_path / "log", tmp_path, {})


@pytest.fixture
def stream_bench(tmp_path) -> StreamBench:
    """Return a stream's benchmark at its smallest."""
    return StreamBench(
        tmp_path,
        PROJECT,
        n_events=3000,
        rounds=1,
        rate=50,
        seconds=8,
        histories=(1000, 2000),
        batch=100,
        cycles=1,
        seed=1,
    )


def test_stream_is_measured_against_a_bare_consumer_and_live(kafka_broker, stream_bench):
    bootstrap = kafka_broker.bootstrap
    rates = measure_ingest(stream_bench, bootstrap, str)
    assert len(rates.ingest) == len(rates.bare) == 1
    lines = (stream_bench.place / "ingest" / "kafka_script-0" / "payloads").read_bytes()
    assert lines.count(b"\n") == 3000
    latency = measure_latency(stream_bench, bootstrap, str)
    # A Poisson process of 400 events, seven standard deviations wide.
    assert 260 < latency.n_events < 540
    assert 0 < latency.half <= latency.p95 <= latency.most < 60
    assert latency.n_waited > 0
    assert latency.n_cycles > 0
    topics = kafka_broker.admin().list_topics(timeout=10).topics
    assert not [topic for topic in topics if topic.startswith("wardhouse-bench")]
    assert [each.name for each in verdicts(rates, latency, None)] == [
        "ingest / bare consumer, messages a second",
        "event to star, median",
        "event to star, 95th percentile",
    ]


@pytest.mark.system
def test_cost_of_cycles_is_measured_on_a_built_history(stream_bench):
    history = measure_history(stream_bench, 1000, str)
    assert len(history.cpu) == len(history.wall) == 1
    assert min(history.cpu) > 0.1
    assert history.n_files == 1
    with duckdb.connect(
        str(stream_bench.place / "history-1000" / "wardhouse.duckdb")
    ) as connection:
        [n_events] = connection.execute(
            "select count(*) from staging.base_patient_flow__patient_events"
        ).fetchone()
    assert n_events == 1000 + 3 * 500
    longer = replace(history, n_events=9000, cpu=[2 * seconds for seconds in history.cpu])
    [verdict] = verdicts(None, None, [history, longer])
    assert (round(verdict.figure, 9), verdict.is_met) == (2.0, False)
    assert "1,000 events in 1 files" in details(None, None, [history])[0]


def test_an_event_is_in_the_star_when_the_build_that_loaded_it_ends(tmp_path):
    path = tmp_path / "wardhouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("""
            create schema staging; create schema core; create schema landing;
            create table landing.landed_files as
            select * from (values
                ('a', make_timestamp(105000000)), ('b', make_timestamp(115000000)),
                ('c', make_timestamp(131000000))
            ) as files (source_file, landed_at);
            create table staging.base_patient_flow__patient_events as
            select
                'stay' as patient_stay_key, null as rejection_reason, is_duplicate, source_file,
                make_timestamp(seconds * 1000000) as event_time
            from (values
                (100, 'a', false), (109, 'b', false), (111, 'b', false), (114, 'b', true),
                (121, 'c', false), (130, 'c', false), (141, 'c', false)
            ) as events (seconds, source_file, is_duplicate);
            create table core.fct_patient_stays as select 'stay' as patient_stay_key;
        """)
    latency = read_latency(path, began=98, until=140, built=[110, 120, 130, 140])
    assert (latency.first_build, latency.n_waited, latency.n_cycles) == (12, 2, 3)
    # 111 is in core at 120; 121 and 130, loaded at 131, are at 140; 141 is after the end.
    assert (latency.n_events, latency.half, latency.most) == (3, 10, 19)
    assert latency.rate == pytest.approx(0.1)
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from core.fct_patient_stays")
    with pytest.raises(ContenderError, match="6 events are not in core"):
        read_latency(path, began=98, until=140, built=[110, 120, 130, 140])


def test_the_last_lines_are_held_back(tmp_path):
    told = tmp_path / "told"
    told.mkdir()
    for day, lines in (("1", b"a\nb\r\nc\n"), ("2", b"d\n"), ("3", b"e\n")):
        (told / f"{day}.ndjson").write_bytes(lines)
    hold_back(told, 3, tmp_path / "rest")
    assert (tmp_path / "rest").read_bytes() == b"c\nd\ne\n"
    assert [path.read_bytes() for path in told.iterdir()] == [b"a\nb\r\n"]


def test_a_target_is_met_on_its_own_side():
    [enough] = verdicts(Rates([70, 60, 80], [100]), None, None)
    [too_little] = verdicts(Rates([69], [100]), None, None)
    assert (enough.figure, enough.is_met, too_little.is_met) == (0.7, True, False)


@pytest.mark.system
def test_postgresql_holds_the_same_rows_both_ways(postgresql, tmp_path):
    """Else the benchmark would end with an error: each pair is compared."""
    found = measure_pairs(postgresql, tmp_path, rows=3000, pairs=2, tell=lambda line: None)
    assert len(found) == 2
    assert all(pair.adbc > 0 and pair.copy > 0 for pair in found)

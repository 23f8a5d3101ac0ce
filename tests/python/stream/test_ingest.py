"""Ingest: what lands, in which form, and what happens when stream and landing disagree."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import psutil
import pyarrow.parquet as pq
import pytest
from builds import PROJECT, SAMPLE
from confluent_kafka import Producer, TopicPartition
from small_disk import resize, small_disk
from typer.testing import CliRunner
from wardhouse.bench.ports import free_port
from wardhouse.cli import app
from wardhouse.streaming.batches import (
    ContinuedError,
    StreamError,
    StreamFolder,
    StreamKey,
    batch_files,
    feed_folder,
    footer_batches,
    logical_files,
    parse_name,
    read_landed,
    read_last_record,
    remove_temporaries,
    temporary_file,
)
from wardhouse.streaming.compaction import Compacted, Policy, choose_runs, compact
from wardhouse.streaming.ingest import Ingest, Limits
from wardhouse.streaming.metrics import Metrics
from wardhouse.streaming.sources import kafka as stream_sources
from wardhouse.streaming.sources.directory import DirectorySource
from wardhouse.streaming.sources.kafka import KafkaSource
from wardhouse.streaming.sources.open import open_source

FEED = "patient_flow.patient_events"
QUICK = {"session.timeout.ms": "1000", "heartbeat.interval.ms": "300"}
KEY = StreamKey("events", 0)
SOON = Limits(max_seconds=0.05)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "raw" / "patient_flow" / "patient_events"


@pytest.fixture
def landing(folder) -> StreamFolder:
    landing = StreamFolder(folder)
    landing.prepare()
    return landing


@pytest.fixture(scope="module")
def mock_bootstrap():
    """Return librdkafka's mock cluster; it lives as long as the client that made it."""
    owner = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0})
    brokers = owner.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    owner.flush()


def send(bootstrap: str, topic: str, messages: list, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 20_000_000})
    for message in messages:
        producer.produce(topic, message, partition=partition)
    assert producer.flush(30) == 0


def kafka(bootstrap: str, *topics: str, group: str = "g", settings=QUICK, **options):
    settings = {"bootstrap.servers": bootstrap, **settings}
    return KafkaSource(topics, settings, group, **options)


def drain(source, folder: Path, **options) -> Ingest:
    """Land all that is there."""
    with Ingest(source, folder, FEED, **options) as ingest:
        ingest.run(until_end=True)
    return ingest


def positions(folder: Path) -> list[str]:
    return [position for position, _ in read_landed(folder)]


def poll_until(condition, *ingests: Ingest, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        for ingest in ingests:
            ingest.poll(0.05)


# The form of what lands


def test_micro_batch_is_what_the_contract_says(kafka_broker, folder):
    topic = kafka_broker.create_topic("form")
    send(kafka_broker.bootstrap, topic, [b'{"a": 1}', b"\xff\xfe bytes", None, b"", b"\x00", b"{"])
    drain(kafka(kafka_broker.bootstrap, topic), folder)
    path = folder / "form-00000-00000000000000000000.parquet"
    assert [file.name for file in folder.iterdir() if file.name[0] != "."] == [path.name]
    with duckdb.connect() as connection:
        relation = connection.read_parquet(str(path))
        assert relation.columns == ["payload", "ingested_at", "stream_position"]
        assert relation.types == ["VARCHAR", "TIMESTAMP", "VARCHAR"]
        rows = relation.fetchall()
        age = connection.execute(
            "select (now() at time zone 'UTC') - max(ingested_at) from read_parquet(?)", [str(path)]
        ).fetchone()[0]
    payloads = ['{"a": 1}', "\\xff\\xfe bytes", None, "", "\x00", "{"]
    assert [row[0] for row in rows] == payloads
    assert [row[2] for row in rows] == [f"form[0]@{offset}" for offset in range(6)]
    assert len({row[1] for row in rows}) == 1
    assert 0 <= age.total_seconds() < 60


def test_ndjson_holds_the_same(kafka_broker, folder):
    topic = kafka_broker.create_topic("lines", 2)
    send(kafka_broker.bootstrap, topic, ["ä\u2028\n", None], 0)
    send(kafka_broker.bootstrap, topic, [b"\xff"], 1)
    drain(kafka(kafka_broker.bootstrap, topic), folder, file_format="ndjson")
    names = [f"lines-0000{number}-{0:020d}.ndjson" for number in (0, 1)]
    assert sorted(path.name for path in folder.iterdir()) == names
    records = [json.loads(line) for line in (folder / names[0]).read_text().split("\n")[:-1]]
    assert [(each["payload"], each["stream_position"]) for each in records] == [
        ("ä\u2028\n", "lines[0]@0"),
        (None, "lines[0]@1"),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", records[0]["ingested_at"])
    send(kafka_broker.bootstrap, topic, [b"later"], 0)
    drain(kafka(kafka_broker.bootstrap, topic), folder, file_format="ndjson")
    assert positions(folder) == ["lines[0]@0", "lines[0]@1", "lines[0]@2", "lines[1]@0"]
    with pytest.raises(StreamError, match="go on in that format"):
        drain(kafka(kafka_broker.bootstrap, topic), folder)


def test_huge_message_and_several_topics_land_in_bounded_batches(kafka_broker, folder):
    first = kafka_broker.create_topic("huge", max_message_bytes="15000000")
    second = kafka_broker.create_topic("other-1")
    send(kafka_broker.bootstrap, first, [b"x" * 12_000_000, b"after"])
    send(kafka_broker.bootstrap, second, [b"small"] * 10)
    drain(kafka(kafka_broker.bootstrap, first, second), folder, limits=Limits(max_bytes=1_000_000))
    landed = dict(read_landed(folder))
    assert len(landed["huge[0]@0"]) == 12_000_000
    assert len(landed) == 12


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a-b-1-00002-00000000000000000007.parquet", ("a-b-1", 2, 7, 0)),
        ("t-00000-00000000000000000000-compacted.parquet", ("t", 0, 0, 1)),
        ("t-00000-00000000000000000000-3-compacted.parquet", ("t", 0, 0, 3)),
        (".t-00000-00000000000000000000.parquet.0123abcd.tmp", None),
        (".t-00000-00000000000000000000.parquet", None),
        ("events.ndjson", None),
    ],
)
def test_names_tell_what_files_hold(name, expected):
    found = parse_name(Path(name))
    fields = found and (found.stream, found.partition, found.start, found.generation)
    assert fields == expected


# Exactly once


def test_transactions_and_deleted_offsets_leave_no_hole_and_no_wait(kafka_broker, folder):
    topic = kafka_broker.create_topic("transactions")
    settings = {"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": "t"}
    producer = Producer(settings)
    producer.init_transactions(20)
    for number, is_kept in enumerate((True, False, True)):
        producer.begin_transaction()
        producer.produce(topic, f"m{number}")
        producer.flush()
        producer.commit_transaction(20) if is_kept else producer.abort_transaction(20)
    for _ in range(2):  # the second begins behind the last marker
        ingest = drain(kafka(kafka_broker.bootstrap, topic), folder)
    assert list(read_landed(folder)) == [("transactions[0]@0", "m0"), ("transactions[0]@4", "m2")]
    assert ingest.counts.n_records == 0


def test_what_the_broker_deleted_before_it_landed_stops_ingest(kafka_broker, folder):
    topic = kafka_broker.create_topic("gap")
    send(kafka_broker.bootstrap, topic, [b"0", b"1"])
    drain(kafka(kafka_broker.bootstrap, topic), folder)
    send(kafka_broker.bootstrap, topic, [b"2", b"3", b"4"])
    admin = kafka_broker.admin()
    admin.delete_records([TopicPartition(topic, 0, 4)])[TopicPartition(topic, 0)].result(20)
    with pytest.raises(StreamError, match=r"gap\[0\]: 2 is the next .* first is 4: .* 2 offsets"):
        drain(kafka(kafka_broker.bootstrap, topic), folder)
    ingest = drain(kafka(kafka_broker.bootstrap, topic, accept_gap=True), folder)
    assert ingest.counts.n_errors == 1
    assert positions(folder) == ["gap[0]@0", "gap[0]@1", "gap[0]@4"]
    assert (folder / "gap-00000-00000000000000000002.parquet").is_file()


def test_what_is_deleted_under_a_running_ingest_stops_it(kafka_broker, folder):
    topic = kafka_broker.create_topic("running-gap")
    send(kafka_broker.bootstrap, topic, [b"0"])
    part = TopicPartition(topic, 0, 4)
    with Ingest(kafka(kafka_broker.bootstrap, topic), folder, FEED, SOON) as ingest:
        poll_until(lambda: ingest.counts.n_records == 1, ingest)
        ingest._source._consumer.pause([TopicPartition(topic, 0)])
        send(kafka_broker.bootstrap, topic, [b"1", b"2", b"3", b"4"])
        admin = kafka_broker.admin()
        admin.delete_records([part])[part].result(20)
        ingest._source._consumer.seek(TopicPartition(topic, 0, 1))
        ingest._source._consumer.resume([TopicPartition(topic, 0)])
        with pytest.raises(StreamError, match=r"1 is the next offset.*first is 4"):
            poll_until(lambda: False, ingest)


def test_topic_made_again_stops_ingest_until_it_gets_a_name(kafka_broker, folder, monkeypatch):
    monkeypatch.setattr("wardhouse.streaming.sources.kafka.BROKER_SECONDS", 1)
    topic = kafka_broker.create_topic("again")
    send(kafka_broker.bootstrap, topic, [b"0", b"1", b"2"])
    drain(kafka(kafka_broker.bootstrap, topic), folder)
    admin = kafka_broker.admin()
    admin.delete_topics([topic])[topic].result(20)
    wait_for(lambda: topic not in admin.list_topics(timeout=5).topics)
    kafka_broker.create_topic(topic)
    send(kafka_broker.bootstrap, topic, [b"new"])
    with pytest.raises(StreamError, match=r"again\[0\]: 3 is the next .* last is 0: .*--name"):
        drain(kafka(kafka_broker.bootstrap, topic), folder)
    drain(kafka(kafka_broker.bootstrap, topic, name="again-2"), folder)
    assert positions(folder)[-1] == "again-2[0]@0"


def test_absent_topic_and_absent_broker_are_said(kafka_broker, folder, monkeypatch):
    monkeypatch.setattr("wardhouse.streaming.sources.kafka.BROKER_SECONDS", 2)
    with pytest.raises(StreamError, match="no topic nowhere"):
        drain(kafka(kafka_broker.bootstrap, "nowhere"), folder)
    with pytest.raises(StreamError, match="Kafka:"):
        drain(kafka("127.0.0.1:9", "nowhere"), folder)


def test_two_ingesters_share_a_topic_and_hand_partitions_over(kafka_broker, folder):
    topic = kafka_broker.create_topic("shared", 4)
    for partition in range(4):
        send(kafka_broker.bootstrap, topic, [f"{partition}a"] * 50, partition)
    with Ingest(kafka(kafka_broker.bootstrap, topic), folder, FEED, SOON) as first:
        poll_until(lambda: first.counts.n_records == 200, first)
        second = Ingest(kafka(kafka_broker.bootstrap, topic), folder, FEED, SOON)
        with second:
            poll_until(lambda: len(second._held) == 2 and len(first._held) == 2, first, second)
            for partition in range(4):
                send(kafka_broker.bootstrap, topic, [f"{partition}b"] * 50, partition)
            poll_until(
                lambda: first.counts.n_records + second.counts.n_records == 400, first, second
            )
            assert second.counts.n_records == 100
        for partition in range(4):
            send(kafka_broker.bootstrap, topic, [f"{partition}c"] * 50, partition)
        poll_until(lambda: first.counts.n_records + second.counts.n_records == 600, first)
    expected = [f"shared[{partition}]@{offset}" for partition in range(4) for offset in range(150)]
    assert positions(folder) == expected


def test_a_partition_of_which_the_broker_knows_nothing_is_said(kafka_broker, folder, monkeypatch):
    topic = kafka_broker.create_topic("short")
    source = kafka(kafka_broker.bootstrap, topic)
    with Ingest(source, folder, FEED, SOON):
        monkeypatch.setattr(stream_sources, "BROKER_SECONDS", 0)
        with pytest.raises(StreamError, match=r"^short\[7\]: Kafka: "):
            source._watermarks(StreamKey(topic, 7))


def test_two_that_hold_one_partition_land_it_once(kafka_broker, folder):
    """Two groups know nothing of each other: both hold all partitions, as a zombie would."""
    topic = kafka_broker.create_topic("held-twice", 2)
    with (
        Ingest(kafka(kafka_broker.bootstrap, topic, group="a"), folder, FEED, SOON) as first,
        Ingest(kafka(kafka_broker.bootstrap, topic, group="b"), folder, FEED, SOON) as second,
    ):
        poll_until(lambda: len(first._held) == 2 and len(second._held) == 2, first, second)
        for number in range(20):
            send(kafka_broker.bootstrap, topic, [f"{number}"] * 11, number % 2)
            first.poll(0.05 * (number % 3))
            second.poll(0.05 * (number % 2))
        poll_until(lambda: first.counts.n_records + second.counts.n_records == 220, first, second)
        n_continued = first.counts.n_continued + second.counts.n_continued
    assert n_continued > 0
    expected = [f"held-twice[{part}]@{offset}" for part in (0, 1) for offset in range(110)]
    assert positions(folder) == expected


def test_only_one_continues_a_chain(landing, folder):
    landing.land(KEY, 0, [b"a", b"b"], [0, 1])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ContinuedError):
        landing.land(KEY, 0, [b"a", b"b", b"c"], [0, 1, 2])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_name_that_compaction_freed_is_not_taken_again(landing, folder):
    for start in range(0, 4, 2):
        landing.land(KEY, start, [b"a", b"b"], [start, start + 1])
    compact(folder, Policy(0, 0, min_files=2))
    assert compact(folder, Policy(0, 0, min_files=2)).n_deleted == 2
    with pytest.raises(ContinuedError):  # a zombie stopped for longer than the grace time
        landing.land(KEY, 2, [b"a", b"b", b"c"], [2, 3, 4])
    assert positions(folder) == [f"events[0]@{offset}" for offset in range(4)]
    assert landing.last_record(KEY).offset == 3


def test_what_a_zombie_left_beside_a_compacted_file_is_ignored(landing, folder):
    for start in range(0, 4, 2):
        landing.land(KEY, start, [b"a", b"b"], [start, start + 1])
    zombie = (folder / f"events-00000-{2:020d}.parquet", folder / ".kept")
    compact(folder, Policy(0, 0, min_files=2))
    compact(folder, Policy(0, 0, min_files=2))
    other = StreamFolder(folder.parent / "other")
    other.prepare()
    left = other.land(KEY, 2, [b"x"] * 3, [2, 3, 4])
    left.rename(zombie[0])  # killed after it took the name, before it looked for compacted files
    assert positions(folder) == [f"events[0]@{offset}" for offset in range(4)]
    assert landing.last_record(KEY).offset == 3


def test_cleaning_leaves_living_writers_alone(folder):
    folder.mkdir(parents=True)
    name = "events-00000-00000000000000000000.parquet"
    dead = folder / f".{name}.0123abcd.tmp"
    dead.write_bytes(b"half")
    (folder / ".mine.tmp").touch()
    with temporary_file(folder, name) as (_, living):
        assert remove_temporaries(folder) == 1
        assert living.exists()
        assert not dead.exists()
    assert [path.name for path in folder.iterdir()] == [".mine.tmp"]


def test_damaged_last_file_stops_ingest(landing, folder):
    path = landing.land(KEY, 0, [b"a"], [0])
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StreamError, match="damaged"):
        landing.last_record(KEY)


def test_compacted_files_that_are_damaged_or_overlap_are_said(landing, folder):
    land_many(landing, 10, 3)
    compact(folder, Policy(0, 600))
    [path] = folder.glob("*-compacted.parquet")
    table = pq.read_table(path)
    last = json.loads(pq.read_metadata(path).metadata[b"wardhouse"])["batches"][-1]
    batches = {"batches": [last, last | {"file": "events-00000-00000000000000000030.parquet"}]}
    other = folder / "events-00000-00000000000000000027-compacted.parquet"
    pq.write_table(table.replace_schema_metadata({"wardhouse": json.dumps(batches)}), other)
    with pytest.raises(StreamError, match="hold the same batches"):
        logical_files(batch_files(folder))
    other.write_bytes(other.read_bytes()[:-1])
    with pytest.raises(StreamError, match="is damaged: "):
        logical_files(batch_files(folder))


def test_a_compacted_file_that_lost_records_takes_the_place_of_none(landing, folder):
    land_many(landing, 10, 3)
    compact(folder, Policy(0, 600))
    [path] = folder.glob("*-compacted.parquet")
    held = sorted(folder.glob("*.parquet"))
    listed = {"wardhouse": pq.read_metadata(path).metadata[b"wardhouse"]}
    pq.write_table(pq.read_table(path).slice(1).replace_schema_metadata(listed), path)
    with pytest.raises(StreamError, match="lists 30 records and does not hold them"):
        compact(folder, Policy(0, 0))
    assert sorted(folder.glob("*.parquet")) == held


def test_last_line_of_ndjson_is_found_behind_long_ones(folder):
    landing = StreamFolder(folder, "ndjson")
    landing.prepare()
    path = landing.land(KEY, 0, [b"a" * 500_000, b"b" * 300_000], [0, 1])
    assert read_last_record(path).offset == 1


def test_full_disk_is_said_and_leaves_nothing_half_written(tmp_path, folder, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ndjson").write_text("1\n2\n")

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("wardhouse.streaming.batches.os.fsync", fail)
        with pytest.raises(StreamError, match=r"cannot write into .*No space left"):
            drain(DirectorySource(tmp_path / "in"), folder)
    assert list(folder.iterdir()) == [folder / ".compaction.lock"] or not list(folder.iterdir())
    drain(DirectorySource(tmp_path / "in"), folder)
    assert positions(folder) == ["a.ndjson@0", "a.ndjson@2"]


@pytest.mark.system
def test_disk_that_fills_up_loses_nothing(tmp_path):
    """Stopped in the middle, and once there is room every line lands once."""
    source = tmp_path / "in"
    source.mkdir()
    lines = [f"{number:06} {hashlib.sha256(bytes(number)).hexdigest()}" for number in range(5000)]
    (source / "a.ndjson").write_text("\n".join(lines) + "\n")
    with small_disk(tmp_path / "disk", "128k") as raw_dir:
        places = ("--directory", str(source), "--raw-dir", str(raw_dir), "--max-messages", "200")
        arguments = ["ingest", "--feed", FEED, *places, "--until-end", "--no-compact"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1, result.output
        assert "cannot write into" in result.output
        assert "No space left on device" in result.output
        landed = list(read_landed(feed_folder(raw_dir, FEED)))
        assert 0 < len(landed) < len(lines)
        resize(raw_dir, "10m")
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        found = read_landed(feed_folder(raw_dir, FEED))
        assert [text for _, text in found] == lines
        assert {path.name for path in raw_dir.rglob(".*")} <= {".compaction.lock"}


@pytest.mark.system
def test_folder_deleted_under_a_running_ingest_is_said_or_filled_again(tmp_path, folder):
    """What was landed and deleted is gone with its folder; the next start reads it again."""
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.ndjson").write_text("1\n2\n")
    options = ("--feed", FEED, "--directory", str(source), "--raw-dir", str(tmp_path / "raw"))
    with command("ingest", *options, "--max-seconds", "0.1") as process:
        wait_for(lambda: list(folder.glob("*.parquet")))
        shutil.rmtree(folder)
        with (source / "a.ndjson").open("a") as file:
            file.write("3\n")
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 1, out
    assert "cannot write into" in out
    assert "Traceback" not in out
    drain(DirectorySource(source), folder)
    assert [text for _, text in read_landed(folder)] == ["1", "2", "3"]


# A directory


def test_growing_files_land_line_by_line(tmp_path, folder):
    source = tmp_path / "in"
    source.mkdir()
    (source / "one.ndjson").write_bytes(b'{"n": 1}\r\n\n  \n{"n": 2}\n{"n":')
    (source / "notes.txt").write_text("no\n")
    (source / ".hidden.ndjson").write_text("no\n")
    drain(DirectorySource(source), folder)
    assert list(read_landed(folder)) == [
        ("one.ndjson@0", '{"n": 1}'),
        ("one.ndjson@14", '{"n": 2}'),
    ]
    with (source / "one.ndjson").open("ab") as file:
        file.write(b" 3}\n\n")
    (source / "two.jsonl").write_bytes(b"\xff\n" + b"y" * 20_000_000 + b"\n")
    with Ingest(DirectorySource(source), folder, FEED, SOON) as ingest:
        poll_until(lambda: ingest.counts.n_records == 3, ingest)
        with (source / "two.jsonl").open("ab") as file:
            file.write(b"last")
            file.flush()
            assert ingest.poll(0.3).n_records == 0
            poll_until(lambda: ingest.progress().lag[StreamKey("two.jsonl")] == 4, ingest)
            file.write(b"\n")
        poll_until(lambda: ingest.counts.n_records == 4, ingest)
    assert positions(folder)[2:] == [
        "one.ndjson@23",
        "two.jsonl@0",
        "two.jsonl@2",
        "two.jsonl@20000003",
    ]


@pytest.mark.parametrize("content", ["", "1\n", "1\n3\n33\n", "1\n22 and more\n"])
def test_file_that_shrank_or_was_replaced_stops_ingest(tmp_path, folder, content):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.ndjson").write_text("1\n22\n")
    drain(DirectorySource(source), folder)
    (source / "a.ndjson").write_text(content)
    with pytest.raises(StreamError, match=r"a.ndjson .*(truncated or replaced)"):
        drain(DirectorySource(source), folder)


def test_file_that_shrinks_under_a_running_ingest_stops_it(tmp_path, folder):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.ndjson").write_text("1\n22\n")
    with Ingest(DirectorySource(source), folder, FEED, SOON) as ingest:
        poll_until(lambda: ingest.counts.n_records == 2, ingest)
        (source / "a.ndjson").write_text("1\n")
        with pytest.raises(StreamError, match="shrank: 5 bytes of it were read, 2 are left"):
            ingest.poll(1)


# Compaction


def land_many(landing: StreamFolder, count: int, size: int = 1) -> None:
    for number in range(count):
        offsets = list(range(number * size, (number + 1) * size))
        landing.land(KEY, offsets[0], [b"x%d" % offset for offset in offsets], offsets)


def test_compacted_file_is_what_the_contract_says(landing, folder):
    land_many(landing, 10, 3)
    files = batch_files(folder)
    originals = {file.path.name: file.path.read_bytes() for file in files}
    before = list(read_landed(folder))
    assert compact(folder, Policy(0, 600)) == Compacted(n_merged=10, n_written=1)
    path = folder / "events-00000-00000000000000000000-compacted.parquet"
    assert [file.path for file in logical_files(batch_files(folder))] == [path]
    assert list(read_landed(folder)) == before
    footer = json.loads(pq.read_metadata(path).metadata[b"wardhouse"])
    assert footer["batches"] == [
        {
            "file": name,
            "n_bytes": len(content),
            "content_hash": hashlib.sha256(content).hexdigest(),
            "n_records": 3,
        }
        for name, content in originals.items()
    ]
    table = pq.read_table(path)
    assert table.column_names == ["payload", "ingested_at", "stream_position", "source_file"]
    expected = [file.path.name for file in files for _ in range(3)]
    assert table.column("source_file").to_pylist() == expected
    times = [t for file in files for t in pq.read_table(file.path)["ingested_at"].to_pylist()]
    assert table.column("ingested_at").to_pylist() == times
    assert len(batch_files(folder)) == 11  # in the grace time all is still there
    assert compact(folder, Policy(0, 0)) == Compacted(n_deleted=10)
    assert list(read_landed(folder)) == before
    assert landing.last_record(KEY).offset == 29


def test_young_files_and_other_chains_are_not_merged(landing, folder):
    land_many(landing, 10)
    assert compact(folder, Policy(60, 600)) == Compacted()
    for number in range(4):
        landing.land(StreamKey("events", number + 1), 0, [b"a"], [0])
    compact(folder, Policy(0, 0))
    assert len([file for file in batch_files(folder) if file.generation]) == 1


def test_files_are_merged_by_their_size(landing, folder):
    """A file meets only neighbours that together hold as much as it does."""
    policy = Policy(target_bytes=1000, min_files=3)
    assert choose_runs([1] * 7, policy) == [range(7)]
    assert choose_runs([100, 1, 1], policy) == []
    assert choose_runs([100, 1, 1, 1], policy) == [range(1, 4)]
    assert choose_runs([600, 300, 300, 300, 1, 1, 1], policy) == [range(1, 7)]
    assert choose_runs([900, 900, 900], policy) == []


def test_number_of_files_grows_with_the_logarithm(landing):
    """Simulated: ten thousand micro-batches, one by one, each of them rewritten a few times."""
    policy = Policy(target_bytes=10**9)
    sizes: list[int] = []
    most = n_rewritten = 0
    for _ in range(10_000):
        sizes.append(100)
        for run in reversed(choose_runs(sizes, policy)):
            n_rewritten += sum(sizes[run.start : run.stop])
            sizes[run.start : run.stop] = [sum(sizes[run.start : run.stop])]
        most = max(most, len(sizes))
    assert most < 40
    assert n_rewritten / 1_000_000 < 6


def test_merged_files_are_merged_again_and_ignored_before_they_go(landing, folder):
    policy = Policy(0, 600, min_files=3)
    land_many(landing, 9)
    compact(folder, Policy(0, 600, min_files=3, max_files=3))
    assert sorted(f.generation for f in logical_files(batch_files(folder))) == [1, 1, 1]
    compact(folder, policy)
    [last] = logical_files(batch_files(folder))
    assert (last.generation, len(footer_batches(last.path))) == (2, 9)
    assert last.path.name.endswith("-2-compacted.parquet")  # landing knows them by the end
    assert len(batch_files(folder)) == 13
    compact(folder, Policy(0, 0, min_files=3))
    assert batch_files(folder) == [last]
    assert positions(folder) == [f"events[0]@{offset}" for offset in range(9)]


def test_a_compaction_that_dies_leaves_nothing_behind(landing, folder, monkeypatch):
    land_many(landing, 10)
    before = list(read_landed(folder))

    def die(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("wardhouse.streaming.compaction.publish", die)
        with pytest.raises(OSError, match="No space"):
            compact(folder, Policy(0, 0))
    assert list(read_landed(folder)) == before
    assert len(batch_files(folder)) == 10
    assert not list(folder.glob(".*.tmp"))


def test_one_compacts_at_a_time(landing, folder):
    land_many(landing, 10)
    script = "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX)"
    command = [sys.executable, "-c", f"{script}; print('locked', flush=True); time.sleep(60)"]
    other = subprocess.Popen([*command, folder / ".compaction.lock"], stdout=subprocess.PIPE)
    other.stdout.readline()
    assert compact(folder, Policy(0, 0)) == Compacted()
    other.kill()
    other.wait()
    assert compact(folder, Policy(0, 0)).n_merged == 10


# The command


@contextmanager
def command(*arguments: str, **environment: str):
    """Run the real command in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wardhouse.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "scripts"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition, seconds: float = 20) -> None:
    poll_until(lambda: condition() or time.sleep(0.05), seconds=seconds)


def read_metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def test_command_serves_metrics_and_lands_what_it_holds_on_sigterm(kafka_broker, tmp_path, folder):
    topic = kafka_broker.create_topic("command")
    send(kafka_broker.bootstrap, topic, [b"12345"] * 7)
    port = free_port()
    options = ("--feed", FEED, "--topic", topic, "--raw-dir", str(tmp_path / "raw"))
    settings = {"WARDHOUSE_KAFKA_BOOTSTRAP_SERVERS": kafka_broker.bootstrap}
    with command(
        "ingest", *options, "--max-seconds", "1", "--metrics-port", str(port), **settings
    ) as (process):
        wait_for(lambda: list(folder.glob("*.parquet")))
        send(kafka_broker.bootstrap, topic, [b"678"] * 2)

        def scrape() -> str:
            return read_metrics(port)

        chain = f'feed="{FEED}",partition="0",stream="command"'
        wait_for(lambda: f"wardhouse_ingest_messages_total{{{chain}}} 9.0" in scrape())
        page = scrape()
        assert f"wardhouse_ingest_bytes_total{{{chain}}} 41.0" in page
        wait_for(lambda: f"wardhouse_ingest_lag{{{chain}}} 0.0" in scrape())
        assert f'wardhouse_ingest_last_landed_timestamp_seconds{{feed="{FEED}"}} 1.' in page
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert "landed 9 messages in " in out
    assert len(positions(folder)) == 9


def test_sigterm_lands_what_is_held(kafka_broker, tmp_path, folder):
    topic = kafka_broker.create_topic("held")
    options = ("--feed", FEED, "--topic", topic, "--raw-dir", str(tmp_path / "raw"))
    options += ("--bootstrap", kafka_broker.bootstrap, "--max-seconds", "600")
    port = free_port()
    with command("ingest", *options, "--metrics-port", str(port)) as process:
        wait_for(folder.is_dir)  # then metrics are served
        send(kafka_broker.bootstrap, topic, [b"a"] * 5)
        lag = f'wardhouse_ingest_lag{{feed="{FEED}",partition="0",stream="held"}} 5.0'
        wait_for(lambda: lag in read_metrics(port))
        time.sleep(1)  # what it lags behind it fetches at once, and holds
        assert not list(folder.glob("*.parquet"))
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0, out
    assert len(positions(folder)) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--feed", "patients", "--directory", "."], "a feed is named <area>.<feed>"),
        (["--feed", "../x.y", "--directory", "."], "a feed is named <area>.<feed>"),
        (["--feed", FEED], "give --bootstrap and --topic, or --directory"),
        (["--feed", FEED, "--topic", "a", "--directory", "."], "either --directory or --topic"),
        (["--feed", FEED, "--directory", ".", "--format", "csv"], "one of parquet, ndjson"),
        (["--feed", FEED, "--directory", "nowhere"], "cannot read nowhere"),
    ],
)
def test_wrong_options_are_said(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["ingest", "--raw-dir", str(tmp_path / "raw"), *options])
    assert result.exit_code == 1
    assert message in result.output


def test_the_shipped_sample_is_never_landed_in():
    with pytest.raises(StreamError, match="shipped sample"):
        feed_folder(SAMPLE, FEED)


def test_unwritable_folder_is_said(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "raw").write_text("a file")
    places = ["--directory", str(tmp_path / "in"), "--raw-dir", str(tmp_path / "raw")]
    result = CliRunner().invoke(app, ["ingest", "--feed", FEED, *places, "--until-end"])
    assert result.exit_code == 1
    assert "cannot write into" in result.output


def test_compact_command_merges_once(landing, folder, tmp_path):
    land_many(landing, 9)
    arguments = ["compact", "--feed", FEED, "--raw-dir", str(tmp_path / "raw"), "--after", "0"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "merged 9 files into 1, deleted 0" in result.output


# Embedded


def test_embedded_in_a_thread_it_reports_and_stops(mock_bootstrap, folder):
    send(mock_bootstrap, "embedded", [b"a"] * 30)
    metrics = Metrics()
    with Ingest(
        kafka(mock_bootstrap, "embedded", settings={}),  # it lets groups begin after three seconds
        folder,
        FEED,
        SOON,
        policy=Policy(0, 0),
        metrics=metrics,
    ) as ingest:
        thread = threading.Thread(target=ingest.run)
        thread.start()
        try:
            wait_for(lambda: ingest.progress().counts.n_records == 30)
            for number in range(10):  # each a file of its own, so that there is what to merge
                send(mock_bootstrap, "embedded", [b"%d" % number])
                wait_for(lambda: ingest.progress().counts.n_records == 31 + number)  # noqa: B023
            wait_for(lambda: set(ingest.progress().lag.values()) == {0})
            wait_for(lambda: any(file.generation for file in batch_files(folder)))
        finally:
            ingest.stop()
            thread.join(10)
        assert not thread.is_alive()
    assert positions(folder) == [f"embedded[0]@{offset}" for offset in range(40)]
    labels = {"feed": FEED}
    assert metrics.registry.get_sample_value("wardhouse_ingest_compacted_files_total", labels) >= 8


def test_memory_is_bounded_whatever_the_backlog(kafka_broker, folder):
    """What is held and what librdkafka reads ahead stays far below the backlog of 200 MB."""
    topic = kafka_broker.create_topic("backlog", 4)
    for partition in range(4):
        send(kafka_broker.bootstrap, topic, [os.urandom(500).hex().encode()] * 50_000, partition)
    options = ("--feed", FEED, "--topic", topic, "--raw-dir", str(folder.parents[1]))
    options += ("--bootstrap", kafka_broker.bootstrap, "--max-megabytes", "4", "--until-end")
    with command("ingest", *options) as process:
        most = 0
        with suppress(psutil.NoSuchProcess):
            while process.poll() is None:
                most = max(most, psutil.Process(process.pid).memory_info().rss)
                time.sleep(0.02)
        assert process.returncode == 0, process.stdout.read()
    assert 50e6 < most < 330e6
    files = batch_files(folder)
    assert sum(pq.read_metadata(file.path).num_rows for file in files) == 200_000
    sizes = [pq.read_metadata(file.path).row_group(0).total_byte_size for file in files]
    assert max(sizes) < 12_000_000


def test_open_source_takes_the_group_from_options_then_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("WARDHOUSE_KAFKA_BOOTSTRAP_SERVERS", "a:1")
    place = (FEED, tmp_path)
    assert open_source(None, ["t"], None, *place)._settings["group.id"] == f"wardhouse.{FEED}"
    monkeypatch.setenv("WARDHOUSE_KAFKA_GROUP_ID", "mine")
    source = open_source("b:2", ["t"], None, *place)
    assert source._settings["group.id"] == "mine"
    assert source._settings["bootstrap.servers"] == "b:2"
    monkeypatch.setenv("WARDHOUSE_KAFKA_ENABLE_AUTO_COMMIT", "true")
    assert open_source(None, ["t"], None, *place)._settings["enable.auto.commit"] is False

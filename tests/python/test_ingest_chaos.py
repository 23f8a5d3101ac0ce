"""Killed at random moments, against a real broker, ingest lands every message exactly once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from conftest import PROJECT
from wardhouse.stream_batches import batch_files, logical_files, read_landed

N_EVENTS = 100_000
N_PARTITIONS = 3
N_KILLS = 24
BROKER_KILLED_AFTER, ZOMBIE_AFTER = (8, 16), (4, 12, 20)
SEED = 20251121
FEED = "patient_flow.patient_events"


class Ingester:
    """The real command in a process of its own, with small batches and much compaction."""

    def __init__(self, bootstrap: str, topic: str, raw_dir: Path, *options: str):
        self.log = raw_dir.parent / "ingest.log"
        command = [sys.executable, "-m", "wardhouse.cli", "ingest", "--feed", FEED]
        command += ["--raw-dir", str(raw_dir), "--bootstrap", bootstrap, "--topic", topic]
        command += ["--max-messages", "400", "--max-seconds", "0.1"]
        command += ["--compact-after", "0", "--compact-grace", "0.5", *options]
        environment = {
            **os.environ,
            "PYTHONPATH": str(PROJECT / "scripts"),
            "WARDHOUSE_KAFKA_SESSION_TIMEOUT_MS": "1000",
            "WARDHOUSE_KAFKA_HEARTBEAT_INTERVAL_MS": "300",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def produce(producer: Producer, topic: str, events: list[tuple[int, bytes]]) -> None:
    for partition, event in events:
        producer.produce(topic, event, partition=partition)
    assert producer.flush(60) == 0


def make_events(chance: random.Random) -> list[tuple[int, bytes]]:
    """Make events of which some are sent again later, and stays that are told out of order."""
    events = []
    for number in range(N_EVENTS):
        if events and chance.random() < 0.05:
            events.append((chance.randrange(N_PARTITIONS), chance.choice(events[-500:])[1]))
            continue
        event = {"event_id": f"e{number}", "patient_id": f"P{chance.randrange(2000)}"}
        events.append((chance.randrange(N_PARTITIONS), json.dumps(event).encode()))
    shuffled = []
    for begin in range(0, N_EVENTS, 50):
        part = events[begin : begin + 50]
        chance.shuffle(part)
        shuffled += part
    return shuffled


def topic_content(bootstrap: str, topic: str) -> Counter:
    """Read the topic without wardhouse: (position, payload), each once."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "witness"})
    parts = [TopicPartition(topic, number, 0) for number in range(N_PARTITIONS)]
    ends = [consumer.get_watermark_offsets(part)[1] for part in parts]
    consumer.assign(parts)
    found: Counter = Counter()
    while len(found) < sum(ends):
        found.update(
            (f"{topic}[{each.partition()}]@{each.offset()}", each.value().decode())
            for each in consumer.consume(10_000, 1)
            if each.error() is None
        )
    consumer.close()
    return found


def wait_for_landing(folder: Path, seconds: float) -> None:
    """Wait until a file comes that was not there, or for so long."""
    before = {path.name for path in folder.glob("*.parquet")}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if {path.name for path in folder.glob("*.parquet")} - before:
            return
        time.sleep(0.005)


@pytest.fixture
def raw_dir(tmp_path) -> Path:
    (tmp_path / "raw" / "patient_flow" / "patient_events").mkdir(parents=True)
    return tmp_path / "raw"


def test_every_message_lands_once_whatever_is_killed(kafka_broker, raw_dir):
    chance = random.Random(SEED)
    topic = kafka_broker.create_topic("chaos", N_PARTITIONS)
    folder = raw_dir / "patient_flow" / "patient_events"
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "enable.idempotence": True})
    events = make_events(chance)
    share = -(-N_EVENTS // N_KILLS)
    stopped: list[Ingester] = []
    n_landed_before_kill = []
    for number in range(N_KILLS):
        produce(producer, topic, events[number * share : (number + 1) * share])
        ingester = Ingester(kafka_broker.bootstrap, topic, raw_dir)
        if number % 4:  # while it lands, else wherever it is
            wait_for_landing(folder, 8)
            time.sleep(chance.random() * 0.3)
        else:
            time.sleep(chance.random() * 2)
        n_landed_before_kill.append(len(batch_files(folder)))
        if number in BROKER_KILLED_AFTER:
            kafka_broker.kill()
            kafka_broker.start()
            time.sleep(1)
        assert ingester.process.poll() is None, ingester.log.read_text()[-2000:]
        if number in ZOMBIE_AFTER:
            ingester.process.send_signal(signal.SIGSTOP)
            stopped.append(ingester)
        else:
            ingester.kill()
    last = Ingester(kafka_broker.bootstrap, topic, raw_dir)
    for zombie in stopped:  # they believe that their partitions are still theirs
        zombie.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    for each in (*stopped, last):
        each.process.terminate()
    for each in (*stopped, last):
        assert each.process.wait(30) == 0, each.log.read_text()[-2000:]

    end = Ingester(kafka_broker.bootstrap, topic, raw_dir, "--until-end")
    assert end.process.wait(60) == 0, end.log.read_text()[-2000:]
    landed = Counter(read_landed(folder))
    assert sum(landed.values()) == N_EVENTS
    assert landed == topic_content(kafka_broker.bootstrap, topic)
    assert len(set(n_landed_before_kill)) > N_KILLS / 2, "it was killed before it did anything"
    assert any(file.generation for file in logical_files(batch_files(folder)))
    assert not list(folder.glob(".*.tmp"))

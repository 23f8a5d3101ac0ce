"""Killed at random moments, against a real broker, ingest lands every message exactly once."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from builds import PROJECT
from confluent_kafka import Consumer, Producer, TopicPartition
from wardhouse.streaming.batches import batch_files, logical_files, read_landed

pytestmark = [pytest.mark.long, pytest.mark.waiting]

N_EVENTS = 100_000
N_PARTITIONS = 3
N_KILLS = 24
BROKER_KILLED_AFTER, ZOMBIES = (8, 16), (3, 6, 10, 13, 18, 21)
EVENTS_PER_SECOND = 3500
PATIENCE_SECONDS = 30
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

    def stop(self) -> None:
        """Ask the process to end in good order, once it listens."""
        status = Path(f"/proc/{self.process.pid}/status")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            caught = next(x for x in status.read_text().splitlines() if x.startswith("SigCgt"))
            if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
                break
            time.sleep(0.05)
        self.process.terminate()

    def kill(self) -> None:
        """End the process as the kernel does, without a word."""
        self.process.kill()
        self.process.wait()


def produce(
    bootstrap: str, topic: str, events: list[tuple[int, bytes]], rounds: threading.Semaphore
) -> None:
    """Send a share of the events in every round, bit by bit, whatever happens to the broker."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0}
    )
    share = -(-len(events) // N_KILLS)
    for number, (partition, event) in enumerate(events):
        if number % share == 0:
            rounds.acquire()
        if number % 50 == 0:
            producer.flush()
            time.sleep(50 / EVENTS_PER_SECOND)
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
    rounds = threading.Semaphore(0)
    arguments = (kafka_broker.bootstrap, topic, make_events(chance), rounds)
    producing = threading.Thread(target=produce, args=arguments)
    producing.start()
    zombie: Ingester | None = None
    n_files_at_kill = []
    for number in range(N_KILLS):
        rounds.release()
        ingester = Ingester(kafka_broker.bootstrap, topic, raw_dir)
        if number % 4 or zombie:  # while it lands, else wherever it is
            wait_for_landing(folder, PATIENCE_SECONDS)
            if zombie:  # believes that its partitions are still its own
                zombie.process.send_signal(signal.SIGCONT)
            time.sleep(chance.random() * 0.5)
        else:
            time.sleep(chance.random() * 2)
        n_files_at_kill.append(len(batch_files(folder)))
        if number in BROKER_KILLED_AFTER:
            kafka_broker.kill()
            kafka_broker.start()
            time.sleep(0.5)
        assert ingester.process.poll() is None, ingester.log.read_text()[-2000:]
        if zombie:
            zombie.kill()
            zombie = None
        if number in ZOMBIES:
            ingester.process.send_signal(signal.SIGSTOP)
            zombie = ingester
        else:
            ingester.kill()
    last = Ingester(kafka_broker.bootstrap, topic, raw_dir)
    producing.join()
    last.stop()
    assert last.process.wait(30) == 0, last.log.read_text()[-2000:]

    end = Ingester(kafka_broker.bootstrap, topic, raw_dir, "--until-end")
    assert end.process.wait(60) == 0, end.log.read_text()[-2000:]
    landed = Counter(read_landed(folder))
    assert sum(landed.values()) == N_EVENTS
    assert landed == topic_content(kafka_broker.bootstrap, topic)
    assert len(set(n_files_at_kill)) > N_KILLS / 2, "it was killed before it did anything"
    assert any(file.generation for file in logical_files(batch_files(folder)))
    assert not list(folder.glob(".*.tmp"))

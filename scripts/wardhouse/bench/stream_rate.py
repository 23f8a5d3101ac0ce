"""How fast a stream lands, beside a bare consumer that writes the same bytes."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from wardhouse.bench.measure import ContenderError
from wardhouse.bench.stream_place import PARTITIONS, Place, StreamBench, simulate_arguments
from wardhouse.settings import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Rates:
    """Messages a second of each round, in the order of the rounds."""

    ingest: list[float]
    bare: list[float]

    @property
    def ratio(self) -> float:
        """The median rate of ingest over that of the bare consumer."""
        return median(self.ingest) / median(self.bare)


@contextmanager
def _new_topic(bootstrap: str) -> Iterator[str]:
    """Make a topic, and delete it in the end."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic

    from wardhouse.streaming.kafka_settings import kafka_settings

    settings = {**kafka_settings(environment()), "bootstrap.servers": bootstrap}
    admin = AdminClient({**settings, "log_level": 0})
    name = f"wardhouse-bench-{secrets.token_hex(4)}"
    try:
        admin.create_topics([NewTopic(name, PARTITIONS)])[name].result(30)
    except KafkaException as error:
        raise ContenderError(f"Kafka at {bootstrap}: {error.args[0].str()}") from None
    try:
        yield name
    finally:
        with suppress(KafkaException):
            admin.delete_topics([name])[name].result(30)


def measure_ingest(bench: StreamBench, bootstrap: str, tell: Callable[[str], None]) -> Rates:
    """Land a topic and write it by hand, by turns.

    Parameters
    ----------
    bench
        Where, and how much.
    bootstrap
        `host:port` of the broker.
    tell
        Called with a line before each step.

    Raises
    ------
    ContenderError
        If a process fails, or somebody got other messages than were sent.
    """
    place = Place(bench.place / "ingest", bench.project)
    place.folder.mkdir()
    rates: dict[str, list[float]] = {"ingest_script": [], "kafka_script": []}
    with _new_topic(bootstrap) as topic:
        tell(f"ingest: sending {bench.n_events:,} events")
        words = ("--kafka", bootstrap, "--topic", topic, "--speed", "0")
        place.run("simulate", *simulate_arguments(bench, bench.n_events), *words)
        for number in range(bench.rounds):
            # Whoever is first does not always find the machine as the other left it.
            for script in sorted(rates, reverse=number % 2 == 1):
                tell(f"ingest: round {number + 1}, {script}")
                name = f"{script}-{number}"
                answer = place.script(name, bootstrap, topic)
                if answer["n_records"] != bench.n_events:
                    raise ContenderError(
                        f"{script} got {answer['n_records']:,} of {bench.n_events:,} messages"
                    )
                rates[script].append(answer["n_records"] / answer["seconds"])
    return Rates(rates["ingest_script"], rates["kafka_script"])

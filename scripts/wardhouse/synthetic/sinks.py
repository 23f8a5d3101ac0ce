"""Where a simulated stream goes: files, standard output or Kafka."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_END = b"\x1e"  # a control character, which no JSON text holds as it is
KAFKA_PATIENCE = 30  # seconds to find the broker, and to hand over the last messages


class Sink(Protocol):
    """Where messages go."""

    is_keyed: bool

    def write(self, feed: str, moment: int, messages: bytes) -> None:
        """Take messages of a feed, each with a line end; the first is due at the moment."""

    def close(self) -> None:
        """Hand over what is still held."""


class FileSink:
    """Files that grow: `<directory>/<area>/<feed>/<day>.ndjson`.

    Parameters
    ----------
    directory : pathlib.Path
        A raw directory.
    area : str
    appends : bool
        Whether a file may be there already, of a producer that was stopped.

    Raises
    ------
    ValueError
        When writing, if the file is there and must not be.
    """

    is_keyed = False

    def __init__(self, directory: Path, area: str, appends: bool) -> None:
        self._directory = directory / area
        self._appends = appends
        self._open: dict[str, tuple[str, object]] = {}

    def write(self, feed: str, moment: int, messages: bytes) -> None:
        """Append whole messages, so that a reader sees at most one unfinished line."""
        day = datetime.fromtimestamp(moment / 1000, UTC).date().isoformat()
        if self._open.get(feed, ("",))[0] != day:
            if feed in self._open:
                self._open[feed][1].close()
            self._open[feed] = day, self._file(self._directory / feed / f"{day}.ndjson")
        rest = memoryview(messages)
        while rest:
            rest = rest[self._open[feed][1].write(rest) :]

    def _file(self, path: Path) -> object:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("ab" if self._appends else "xb", buffering=0)
        except FileExistsError:
            raise ValueError(
                f"{path} is there already; give another directory or remove it"
            ) from None
        if file.tell():
            with path.open("rb") as written:
                written.seek(-1, os.SEEK_END)
                is_torn = written.read() != b"\n"
            if is_torn:
                # Its producer was killed; what it did not finish is a message nobody can read.
                file.write(b"\n")
        return file

    def close(self) -> None:
        """Close the files."""
        for _, file in self._open.values():
            file.close()


class StdoutSink:
    """Standard output, one message a line; only the feed named."""

    is_keyed = False

    def __init__(self, feed: str) -> None:
        self._feed = feed

    def write(self, feed: str, moment: int, messages: bytes) -> None:
        """Print messages at once."""
        if feed == self._feed:
            sys.stdout.buffer.write(messages)
            sys.stdout.buffer.flush()

    def close(self) -> None:
        """Leave standard output open."""


class KafkaSink:
    """Topics of a Kafka cluster, one for each feed.

    A message counts when all in-sync replicas have it, in the order and as often as it was sent.
    Its key is the patient or the appointment, whose events so keep their order.

    Parameters
    ----------
    topics : dict of str to str
        The topic of each feed; others are left out.
    settings : mapping of str to str
        librdkafka's, such as `bootstrap.servers`.

    Raises
    ------
    RuntimeError
        If the cluster does not answer, or did not take a message in the end.
    """

    is_keyed = True

    def __init__(self, topics: dict[str, str], settings: Mapping[str, str]) -> None:
        from confluent_kafka import KafkaException, Producer

        self._topics = topics
        self._error = None
        try:
            self._producer = Producer(
                {
                    "linger.ms": 20,
                    "compression.type": "lz4",
                    "queue.buffering.max.messages": 200_000,
                }
                | dict(settings)
                | {"acks": "all", "enable.idempotence": True}
            )
            self._producer.list_topics(timeout=KAFKA_PATIENCE)
        except KafkaException as error:
            raise RuntimeError(f"Kafka: {error.args[0].str()}") from None

    def write(self, feed: str, moment: int, messages: bytes) -> None:
        """Hand messages to the producer, and wait when it holds too many."""
        if feed not in self._topics:
            return
        topic = self._topics[feed]
        for message in messages.split(b"\n")[:-1]:
            key, _, value = message.partition(KEY_END)
            while True:
                self._raise()
                try:
                    self._producer.produce(topic, value, key, on_delivery=self._told)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.poll(0)
        self._raise()

    def _told(self, error: object, message: object) -> None:
        self._error = self._error or error

    def _raise(self) -> None:
        if self._error:
            raise RuntimeError(f"Kafka did not take a message: {self._error.str()}")

    def close(self) -> None:
        """Wait until the cluster has everything."""
        left = self._producer.flush(KAFKA_PATIENCE)
        self._raise()
        if left:
            raise RuntimeError(f"Kafka did not take the last {left} messages")

"""Kafka topics as a source."""

from __future__ import annotations

import time
from itertools import groupby
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from wardhouse.streaming.batches import StreamError, StreamKey
from wardhouse.streaming.sources.base import Chains, Chunk
from wardhouse.streaming.sources.directory import IDLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BROKER_SECONDS = 30  # how long a broker may take to say where its partitions begin and end
CONSUMER_DEFAULTS = {
    "session.timeout.ms": "10000",  # how soon another ingester takes over from a dead one
    "fetch.wait.max.ms": "100",
    "fetch.message.max.bytes": "4194304",
    "queued.max.messages.kbytes": "32768",  # what librdkafka may read ahead: the back-pressure
    "reconnect.backoff.max.ms": "1000",  # a broker that is back is found soon
    "log_level": "2",  # what it logs comes as an error event, too
}


class KafkaSource:
    """Topics of a Kafka cluster, shared with the other members of a consumer group.

    Parameters
    ----------
    topics
        Their names.
    settings
        librdkafka's options, with `bootstrap.servers`; what exactly-once needs is put over them.
    group
        The consumer group. It only shares out partitions; nothing is committed to it.
    name
        Name of the chains in the landing instead of the topic's, for a topic that was deleted and
        made again. Only with one topic.
    accept_gap
        Go on where the broker no longer has what should come next.
    """

    unit = "messages"

    def __init__(
        self,
        topics: Sequence[str],
        settings: Mapping[str, str],
        group: str,
        name: str | None = None,
        accept_gap: bool = False,
    ):
        if name and len(topics) > 1:
            raise StreamError("a name of its own is for one topic, not several")
        for label in [*topics, *([name] if name else [])]:
            if label.startswith(".") or "/" in label:
                raise StreamError(f"{label!r} cannot be the beginning of a file's name")
        self._topics = list(topics)
        self._name = name
        self._accept_gap = accept_gap
        self._settings = {
            **CONSUMER_DEFAULTS,
            "group.id": group,
            **settings,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",  # a lost position is never mended by a guess
            "partition.assignment.strategy": "range,roundrobin",
            "error_cb": self._note,
        }
        self._consumer: Any = None
        self._chains: Chains
        self._next: dict[StreamKey, int] = {}  # where the next record of each owned chain may be
        self._from: dict[StreamKey, int] = {}  # where its first can be, when that is later
        self._ends: dict[StreamKey, int] = {}  # where the broker said that a chain ends
        self._present: dict[StreamKey, int] = {}  # where chains ended when the source was opened
        self._failure: Exception | None = None
        self._has_moved = False
        self._looked_at = 0.0

    def open(self, chains: Chains) -> None:
        """Join the group; partitions come with the first reads.

        Raises
        ------
        StreamError
            When the cluster does not answer, or has no such topic.
        """
        from confluent_kafka import Consumer, KafkaException

        self._chains = chains
        try:
            self._consumer = Consumer(self._settings)
            for topic in self._topics:
                for partition in self._partitions(topic):
                    key = self._key(topic, partition)
                    self._present[key] = self._watermarks(key)[1]
            self._consumer.subscribe(
                self._topics,
                on_assign=self._assigned,
                on_revoke=lambda _, parts: self._revoked(parts, lost=False),
                on_lost=lambda _, parts: self._revoked(parts, lost=True),
            )
        except (KafkaException, ValueError) as error:
            raise StreamError(f"Kafka: {_reason(error)}") from error

    def _partitions(self, topic: str) -> list[int]:
        from confluent_kafka import KafkaError

        deadline = time.monotonic() + BROKER_SECONDS / 3
        while True:  # a topic made just now is not known everywhere at once
            found = self._consumer.list_topics(topic, timeout=BROKER_SECONDS / 3).topics[topic]
            if found.error is None and found.partitions:
                return sorted(found.partitions)
            is_absent = found.error and found.error.code() != KafkaError.LEADER_NOT_AVAILABLE
            if is_absent or time.monotonic() > deadline:
                raise StreamError(f"the cluster has no topic {topic}: {found.error}")
            time.sleep(IDLE_SECONDS)

    def _key(self, topic: str, partition: int) -> StreamKey:
        return StreamKey(self._name or topic, partition)

    def _part(self, key: StreamKey, offset: int = -1001) -> Any:
        from confluent_kafka import TopicPartition

        return TopicPartition(self._topics[0] if self._name else key.stream, key.partition, offset)

    def _watermarks(self, key: StreamKey) -> tuple[int, int]:
        from confluent_kafka import KafkaException

        deadline = time.monotonic() + BROKER_SECONDS
        while True:
            try:
                return self._consumer.get_watermark_offsets(self._part(key), timeout=5)
            except KafkaException as error:
                if time.monotonic() > deadline or not _is_passing(error.args[0]):
                    raise StreamError(f"{key}: Kafka: {_reason(error)}") from error
                time.sleep(IDLE_SECONDS)

    def _place(self, key: StreamKey) -> None:
        last = self._chains.last_record(key)
        start = 0 if last is None else last.offset + 1
        low, high = self._watermarks(key)
        deadline = time.monotonic() + BROKER_SECONDS / 3
        while high < start and time.monotonic() < deadline:  # a leader newly elected catches up
            time.sleep(IDLE_SECONDS)
            low, high = self._watermarks(key)
        if high < start:
            raise StreamError(
                f"{key}: {start} is the next offset after what has landed, and the broker's last "
                f"is {high - 1}: the topic was made again. Land it under another name (--name)"
            )
        if last is not None and low > start:
            self._lost(key, start, low)
        self._next[key], self._from[key] = start, max(start, low)
        self._ends.pop(key, None)
        self._chains.begin(key, start)

    def _lost(self, key: StreamKey, start: int, low: int) -> None:
        message = (
            f"{key}: {start} is the next offset after what has landed, and the broker's first is "
            f"{low}: it deleted {low - start} offsets that never landed"
        )
        if not self._accept_gap:
            raise StreamError(f"{message}. To go on without them: --accept-gap")
        self._chains.tell(message, "gap")

    def _assigned(self, _consumer: Any, parts: Sequence[Any]) -> None:
        self._has_moved = True
        try:
            for part in parts:
                self._place(self._key(part.topic, part.partition))
            self._assign()
        except Exception as error:  # an exception from here would pass through C code
            self._failure = error

    def _assign(self) -> None:
        self._consumer.assign(
            [self._part(key, max(start, self._from[key])) for key, start in self._next.items()]
        )

    def _revoked(self, parts: Sequence[Any], lost: bool) -> None:
        self._has_moved = True
        keys = [self._key(part.topic, part.partition) for part in parts]
        try:
            self._chains.release(keys, lost)
        except Exception as error:  # see above
            self._failure = error
        for key in keys:
            self._next.pop(key, None)

    def read(self, count: int, seconds: float) -> list[Chunk]:
        """Read records; see `Source`.

        Raises
        ------
        StreamError
            When the stream cannot go on, or only with a loss that was not allowed.
        """
        from confluent_kafka import KafkaException

        try:
            messages = self._consumer.consume(count, seconds)
        except (KafkaException, RuntimeError) as error:
            raise self._failure or StreamError(f"Kafka: {_reason(error)}") from error
        if self._failure:
            raise self._failure
        if self._has_moved:
            self._has_moved = False
            if messages and self._next:
                self._assign()  # whether they were fetched before or after the move, nobody knows
            return []
        if any(map(_ERROR, messages)):
            for message in filter(_ERROR, messages):
                self._judge(message)
            messages = [message for message in messages if message.error() is None]
        return self._chunks(messages)

    def _chunks(self, messages: Sequence[Any]) -> list[Chunk]:
        chunks = []
        several = len(self._topics) > 1
        for place, run in groupby(messages, _place_of if several else _PARTITION):
            records = list(run)
            key = self._key(*place) if several else self._key(self._topics[0], place)
            if key not in self._next:
                continue
            if records[0].offset() < self._next[key]:  # sent twice after a move
                records = [record for record in records if record.offset() >= self._next[key]]
            if records:
                offsets = list(map(_OFFSET, records))
                self._next[key] = end = offsets[-1] + 1
                chunks.append(Chunk(key, list(map(_VALUE, records)), offsets, end))
        return chunks

    def _judge(self, message: Any) -> None:
        from confluent_kafka import KafkaError

        error = message.error()
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            key = self._key(message.topic(), message.partition())
            self._ends[key] = message.offset()
        elif code == KafkaError._AUTO_OFFSET_RESET:
            key = self._key(message.topic(), message.partition())
            self._chains.release([key], lost=False)
            self._place(key)
            self._assign()
        elif error.fatal() or code in (
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.GROUP_AUTHORIZATION_FAILED,
            KafkaError._AUTHENTICATION,
        ):
            raise StreamError(f"Kafka: {error.str()}")
        else:
            self._note(error)

    def _note(self, error: Any) -> None:
        from confluent_kafka import KafkaError

        if error.fatal() or error.code() == KafkaError._AUTHENTICATION:
            self._failure = StreamError(f"Kafka: {error.str()}")
        else:
            self._chains.tell(f"Kafka: {error.str()}", "kafka")

    def rewind(self, keys: Sequence[StreamKey]) -> None:
        """Read on from what has landed; see `Source`."""
        owned = [key for key in keys if key in self._next]
        for key in owned:
            self._place(key)
        if owned:
            self._assign()

    def lag(self, key: StreamKey, landed: int) -> int | None:
        """Return the messages from what has landed to the broker's last; see `Source`."""
        if key not in self._next:
            return None
        _, high = self._consumer.get_watermark_offsets(self._part(key), cached=True)
        if high < 0:
            return None
        # The markers of transactions are offsets that nobody gets.
        is_drained = self._ends.get(key, -1) >= high and landed == self._next[key]
        return 0 if is_drained else max(0, high - max(landed, self._from[key]))

    def is_drained(self, landed: Callable[[StreamKey], int]) -> bool:
        """Tell whether all that was there at the opening was read; see `Source`."""
        if time.monotonic() < self._looked_at + IDLE_SECONDS:  # it may look into the folder
            return False
        self._looked_at = time.monotonic()
        for key, end in self._present.items():
            is_read = max(self._ends.get(key, 0), self._next.get(key, 0)) >= end
            if end and not (is_read if key in self._next else landed(key) >= end):
                return False
        return bool(self._next) or all(landed(key) >= end for key, end in self._present.items())

    def close(self) -> None:
        """Leave the group."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


_ERROR, _OFFSET, _VALUE = (methodcaller(name) for name in ("error", "offset", "value"))
_PARTITION = methodcaller("partition")


def _place_of(message: Any) -> tuple[str, int]:
    return message.topic(), message.partition()


def _reason(error: Exception) -> str:
    kafka_error = error.args[0] if error.args else error
    return kafka_error.str() if hasattr(kafka_error, "str") else str(error)


def _is_passing(error: Any) -> bool:
    from confluent_kafka import KafkaError

    return error.code() in (
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._UNKNOWN_PARTITION,  # of a broker just started, before it tells its partitions
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
    )

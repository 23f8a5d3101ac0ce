"""Simulated streams: `wardhouse simulate` writes events as a hospital's systems would send them.

How fast, and where to, is here; what happens in the hospitals is in the modules of the areas.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from wardhouse.sample import DEFAULT_SEED, with_shares

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from wardhouse.sample_dirt import Shares
    from wardhouse.sample_lines import Writer
    from wardhouse.simulate_stream import Block, Step

FIRST_DAY = datetime(2025, 9, 1, tzinfo=UTC)  # a Monday
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
KEY_END = b"\x1e"  # a control character, which no JSON text holds as it is
LONGEST_NAP = 0.5  # seconds, so that a stop is soon noticed
SHORTEST_NAP = 0.01  # messages due within it go out together
KAFKA_PATIENCE = 30  # seconds to find the broker, and to hand over the last messages

app = typer.Typer(
    help="Write a believable stream of events to files, standard output or Kafka.",
    no_args_is_help=True,
)


class Stream(Protocol):
    """A stream that can be played: its feeds' queries, their macros, and its steps."""

    area: str

    @property
    def feeds(self) -> dict[str, str]:
        """Name the feeds, each with the query that gives `key` and `line` of its messages."""

    def macros(self) -> dict[str, str]:
        """Name the macros of the queries; `clock_shift()` is for the player to set."""

    def steps(self) -> Iterator[Step]:
        """Tell what happens, in order."""


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


def play(
    stream: Stream,
    sink: Sink,
    speed: float = 0,
    count: int | None = None,
    is_live: bool = False,
    stopped: threading.Event | None = None,
) -> int:
    """Send a stream's messages to a sink.

    Parameters
    ----------
    stream : Stream
    sink : Sink
        It is not closed.
    speed : float
        How many times faster than real time the stream's clock runs; 0 for no clock at all.
    count : int, optional
        Stop after so many messages.
    is_live : bool
        Shift the stream in time, so that its first message is due now.
    stopped : threading.Event, optional
        Set it to stop.

    Returns
    -------
    int
        Messages sent.
    """
    from wardhouse.sample_lines import open_writer

    stopped = stopped or threading.Event()
    clock = None
    n_sent = 0
    with open_writer(stream.macros()) as writer:
        for step in _ahead(stream.steps(), stopped):
            if speed and clock is None:
                clock = Clock(stream.start, speed)
                if is_live:
                    clock.shift = int(time.time() * 1000) - stream.start
                    writer.define("clock_shift()", str(clock.shift))
            blocks = step.blocks if count is None else _first(step.blocks, count - n_sent)
            due = [
                (feed, block["delivery"], messages_of(writer, stream, feed, block, sink.is_keyed))
                for feed, block in blocks.items()
                if len(block["delivery"])
            ]
            if clock:
                n_sent += _send_on_time(due, sink, clock, stopped)
            else:
                for feed, delivery, messages in due:
                    sink.write(feed, int(delivery[0]), messages)
                    n_sent += len(delivery)
            if stopped.is_set() or n_sent == count:
                break
    return n_sent


class Clock:
    """The clock of a stream that is sent on time.

    Parameters
    ----------
    start : int
        What it shows now, in milliseconds since 1970.
    speed : float
        How many times faster than real time it runs.

    Attributes
    ----------
    shift : int
        What to add to show the present time instead; 0 unless the stream is live.
    """

    def __init__(self, start: int, speed: float) -> None:
        self._begun = time.monotonic()
        self._start = start
        self.speed = speed
        self.shift = 0

    def now(self) -> float:
        """Read the clock, without the shift."""
        return self._start + (time.monotonic() - self._begun) * 1000 * self.speed

    def seconds_until(self, moment: int) -> float:
        """Tell how many real seconds are left until a moment."""
        return (moment - self.now()) / 1000 / self.speed


def messages_of(
    writer: Writer, stream: Stream, feed: str, block: Block, is_keyed: bool = False
) -> bytes:
    """Write a block's messages, each with a line end, and after its key and `KEY_END` if asked."""
    from wardhouse.simulate_stream import as_sent

    value = f"key || chr({KEY_END[0]}) || line" if is_keyed else "line"
    query = f"select {value} as line from ({stream.feeds[feed]})"  # noqa: S608
    return as_sent(writer.lines(query, block))


def _first(blocks: dict[str, Block], n: int) -> dict[str, Block]:
    """Keep the first n messages of all feeds together."""
    import numpy as np

    from wardhouse.simulate_stream import take

    delivery = np.concatenate([block["delivery"] for block in blocks.values()])
    kept = np.zeros(len(delivery), bool)
    kept[np.argsort(delivery, kind="stable")[:n]] = True
    ends = np.cumsum([len(block["delivery"]) for block in blocks.values()])
    parts = np.split(kept, ends[:-1])
    return {feed: take(blocks[feed], part) for feed, part in zip(blocks, parts, strict=True)}


def _send_on_time(
    due: list[tuple[str, np.ndarray, bytes]], sink: Sink, clock: Clock, stopped: threading.Event
) -> int:
    """Send each message when it is due, and tell how many went out before a stop."""
    import numpy as np

    queues = [(feed, delivery, messages.split(b"\n")[:-1]) for feed, delivery, messages in due]
    sent = [0] * len(queues)
    while not stopped.is_set():
        now = clock.now()
        following = []
        for number, (feed, delivery, messages) in enumerate(queues):
            begin, end = sent[number], int(np.searchsorted(delivery, now, side="right"))
            if end > begin:
                lines = b"".join(line + b"\n" for line in messages[begin:end])
                sink.write(feed, int(delivery[begin]) + clock.shift, lines)
                sent[number] = end
            following.extend(delivery[sent[number] : sent[number] + 1].tolist())
        if not following:
            break
        stopped.wait(min(max(clock.seconds_until(min(following)), SHORTEST_NAP), LONGEST_NAP))
    return sum(sent)


def _ahead(steps: Iterator[Step], stopped: threading.Event) -> Iterator[Step]:
    """Make the next step while one is being sent, so that a stream on time has no gaps."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as maker:
        following = maker.submit(next, steps, None)
        while (step := following.result()) is not None and not stopped.is_set():
            following = maker.submit(next, steps, None)
            yield step


def duration_seconds(text: str) -> int:
    """Read a duration such as `30d`, `2h` or `1h30m`.

    Raises
    ------
    ValueError
        If it is none.
    """
    parts = re.findall(r"(\d+)([dhms])", text)
    if not parts or "".join(n + unit for n, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration; write 30d, 2h or 1h30m")
    return sum(int(n) * UNITS[unit] for n, unit in parts)


@contextmanager
def _until_asked_to_stop() -> Iterator[threading.Event]:
    """Let SIGINT and SIGTERM end the stream after the message at hand; twice ends it at once."""
    stopped = threading.Event()
    before = {}

    def stop(number: int, frame: object) -> None:
        stopped.set()
        signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


Out = Annotated[
    Path | None,
    typer.Option(
        help="Write NDJSON files, one a day, in this directory's folder for the area and in it one "
        "for the feed. They grow while the stream runs; wardhouse can build from the directory.",
        metavar="DIRECTORY",
    ),
]
Stdout = Annotated[bool, typer.Option("--stdout", help="Write the events to standard output.")]
Kafka = Annotated[
    str | None,
    typer.Option(
        help="Send to this Kafka cluster. SASL, TLS and whatever else librdkafka can be told come "
        "from the environment: for sasl.username set WARDHOUSE_KAFKA_ followed by SASL_USERNAME.",
        metavar="HOST:PORT",
    ),
]
Rate = Annotated[
    float,
    typer.Option(
        help="Messages a second of simulated time, on average over the duration, or over the first "
        "day or week of a stream without end."
    ),
]
Duration = Annotated[
    str | None,
    typer.Option(
        help="Simulated time, such as 30d, 2h or 1h30m. By default 1d; a live stream runs until "
        "it is stopped."
    ),
]
Start = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
        help="When the simulated time begins, UTC. By default 2025-09-01, or now if it is live.",
    ),
]
Speed = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="How many times faster than real time the clock runs; 0 is as fast as possible. "
        "By default 0 for files, else 1. Speed 1 without --start is live: events bear the "
        "present time, as a real producer's do.",
    ),
]
Count = Annotated[int | None, typer.Option(min=1, help="Stop after so many messages.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes, unless live.")]
DirtFactor = Annotated[float, typer.Option(min=0, help="Times the usual dirt; 0 is clean.")]
ShareOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND=SHARE",
        help="Share of one kind of dirt among the events that can bear it; may be repeated. "
        "A wrong kind lists them all.",
    ),
]
Older = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share told by older producers, which send no event_id."),
]


@app.command("patient-flow")
def patient_flow_command(
    out: Out = None,
    stdout: Stdout = False,
    kafka: Kafka = None,
    topic: Annotated[str, typer.Option(help="Kafka topic of the events.")] = "patient_events",
    rate: Rate = 1.0,
    duration: Duration = None,
    start: Start = None,
    speed: Speed = None,
    count: Count = None,
    seed: Seed = DEFAULT_SEED,
    dirt: DirtFactor = 1.0,
    share: ShareOption = None,
    older: Older = 0.1,
    overlap: Annotated[
        float, typer.Option(min=0, max=1, help="Share of stays on a bed that is still taken.")
    ] = 0.01,
    hospitals: Annotated[int, typer.Option(min=1, help="How many hospitals.")] = 5,
    uniform: Annotated[
        bool, typer.Option("--uniform", help="No rhythm, no bottleneck, all departments alike.")
    ] = False,
) -> None:
    """Simulate patients who arrive, wait, stay and leave hospitals.

    Departments have rhythms of their own, waits grow with the beds in use, evening patients of
    the emergency department stay too long, and oncology keeps people waiting.
    """
    from wardhouse.simulate_patient_flow import FEED, PatientFlow, PatientFlowDirt

    def make(begin: int, end: int | None, shares: Shares) -> Stream:
        return PatientFlow(rate, begin, end, seed, shares, older, overlap, hospitals, uniform)

    timing = Timing(duration, start, speed, is_file=out is not None)
    shares = _dirt(PatientFlowDirt(), dirt, share)
    _run(make, shares, timing, (out, stdout, kafka), {FEED: topic}, count)


@app.command("telehealth")
def telehealth_command(
    out: Out = None,
    stdout: Stdout = False,
    kafka: Kafka = None,
    topic: Annotated[str, typer.Option(help="Kafka topic of the events.")] = "appointment_events",
    appointments_topic: Annotated[
        str, typer.Option(help="Kafka topic of the appointments as they are logged.")
    ] = "appointments",
    rate: Rate = 1.0,
    duration: Duration = None,
    start: Start = None,
    speed: Speed = None,
    count: Count = None,
    seed: Seed = DEFAULT_SEED,
    dirt: DirtFactor = 1.0,
    share: ShareOption = None,
    older: Older = 0.1,
) -> None:
    """Simulate video appointments: booked, moved, called off or held, event by event.

    Each appointment is also logged once when it is over: in files as feed appointment_logs, in
    Kafka as a topic of its own. Standard output has the events only. The rate is a week's mean:
    sessions are held from 8:00 to 20:00, fewer at weekends.
    """
    from wardhouse.simulate_telehealth import (
        APPOINTMENTS,
        EVENTS,
        AppointmentEventDirt,
        Telehealth,
    )

    def make(begin: int, end: int | None, shares: Shares) -> Stream:
        return Telehealth(rate, begin, end, seed, shares, older)

    timing = Timing(duration, start, speed, is_file=out is not None)
    shares = _dirt(AppointmentEventDirt(), dirt, share)
    topics = {EVENTS: topic, APPOINTMENTS: appointments_topic}
    _run(make, shares, timing, (out, stdout, kafka), topics, count)


class Timing:
    """When a stream begins and ends, and how fast its clock runs, from the options.

    Attributes
    ----------
    speed : float
    is_live : bool
    start : int
    stop : int or None
        Milliseconds since 1970.

    Raises
    ------
    typer.BadParameter
        If the duration cannot be read.
    """

    def __init__(
        self, duration: str | None, start: datetime | None, speed: float | None, is_file: bool
    ) -> None:
        self.speed = (0.0 if is_file else 1.0) if speed is None else speed
        self.is_live = self.speed == 1 and start is None
        begin = datetime.now(UTC) if self.is_live else start or FIRST_DAY
        self.start = int(begin.replace(tzinfo=UTC).timestamp() * 1000)
        try:
            seconds = duration_seconds(duration or "1d")
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--duration") from None
        is_endless = self.is_live and duration is None
        self.stop = None if is_endless else self.start + 1000 * seconds


def _dirt(usual: Shares, factor: float, options: list[str] | None) -> Shares:
    try:
        return with_shares(usual.scaled(factor), options or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _run(make, shares: Shares, timing: Timing, where: tuple, topics: dict, count) -> None:
    """Make the stream and the sink that the options ask for, and play the one to the other."""
    from rich.console import Console

    from wardhouse.kafka_settings import kafka_settings

    out, stdout, kafka = where
    if sum(map(bool, where)) != 1:
        raise typer.BadParameter("give one of --out, --stdout and --kafka")
    console = Console(stderr=True)
    begun = time.monotonic()
    try:
        stream = make(timing.start, timing.stop, shares)
        with _until_asked_to_stop() as stopped:
            if out:
                sink = FileSink(out, stream.area, appends=timing.is_live)
            elif stdout:
                sink = StdoutSink(next(iter(topics)))
            else:
                settings = kafka_settings(os.environ) | {"bootstrap.servers": kafka}
                sink = KafkaSink(topics, settings)
            n_sent = play(stream, sink, timing.speed, count, timing.is_live, stopped)
            sink.close()
    except BrokenPipeError:
        # Who reads standard output has had enough; Python must not complain when it leaves.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except (RuntimeError, OSError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    seconds = time.monotonic() - begun
    console.print(f"{n_sent:,} messages in {seconds:.1f} s, {n_sent / seconds:,.0f} a second")

"""`wardhouse simulate`."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wardhouse import settings
from wardhouse.areas.declared import AREAS, load
from wardhouse.commands.options import (
    DirtFactor,
    Seed,
    ShareOption,
    keyword,
    parameter_of,
    with_parameters,
)
from wardhouse.synthetic.dirt import with_shares
from wardhouse.synthetic.player import Stream, play
from wardhouse.synthetic.seeds import DEFAULT_SEED
from wardhouse.synthetic.sinks import FileSink, KafkaSink, StdoutSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wardhouse.areas.declared import Area
    from wardhouse.synthetic.dirt import Shares

FIRST_DAY = datetime(2025, 9, 1, tzinfo=UTC)  # a Monday
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
app = typer.Typer(
    help="Write a believable stream of events to files, standard output or Kafka.",
    no_args_is_help=True,
)


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


def _command_of(area: Area) -> Callable[..., None]:
    """Make the command that plays an area's stream."""
    simulation = area.simulation

    def command(
        out: Out = None,
        stdout: Stdout = False,
        kafka: Kafka = None,
        rate: Rate = 1.0,
        duration: Duration = None,
        start: Start = None,
        speed: Speed = None,
        count: Count = None,
        seed: Seed = DEFAULT_SEED,
        dirt: DirtFactor = 1.0,
        share: ShareOption = None,
        **options: Any,
    ) -> None:
        topics = {topic.feed: options.pop(topic.feed) for topic in simulation.topics}
        timing = Timing(duration, start, speed, is_file=out is not None)
        shares = _dirt(load(simulation.dirt)(), dirt, share)

        def make(begin: int, end: int | None) -> Stream:
            return load(simulation.stream)(rate, begin, end, seed, shares, **options)

        _run(make, timing, (out, stdout, kafka), topics, count)

    command.__doc__ = cleandoc(simulation.help)
    topics = [
        keyword(
            topic.feed,
            str,
            typer.Option(f"--{topic.option}", help=f"Kafka topic of {topic.help}."),
            topic.default,
        )
        for topic in simulation.topics
    ]
    return with_parameters(command, topics + [parameter_of(each) for each in simulation.options])


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


def _run(make, timing: Timing, where: tuple, topics: dict, count) -> None:
    """Make the stream and the sink that the options ask for, and play the one to the other."""
    from rich.console import Console

    from wardhouse.streaming.kafka_settings import kafka_settings

    out, stdout, kafka = where
    if sum(map(bool, where)) != 1:
        raise typer.BadParameter("give one of --out, --stdout and --kafka")
    console = Console(stderr=True)
    begun = time.monotonic()
    try:
        stream = make(timing.start, timing.stop)
        with _until_asked_to_stop() as stopped:
            if out:
                sink = FileSink(out, stream.area, appends=timing.is_live)
            elif stdout:
                sink = StdoutSink(next(iter(topics)))
            else:
                found = kafka_settings(settings.environment()) | {"bootstrap.servers": kafka}
                sink = KafkaSink(topics, found)
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


for _area in AREAS:
    if _area.simulation:
        app.command(_area.name.replace("_", "-"))(_command_of(_area))

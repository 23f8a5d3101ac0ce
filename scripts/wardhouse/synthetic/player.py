"""Plays a simulated stream: as fast as possible, or on time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from wardhouse.synthetic.sinks import KEY_END, Sink

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from wardhouse.synthetic.timeline import Block, Step
    from wardhouse.synthetic.writer import Writer

LONGEST_NAP = 0.5  # seconds, so that a stop is soon noticed
SHORTEST_NAP = 0.01  # messages due within it go out together


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
    from wardhouse.synthetic.writer import open_writer

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
    from wardhouse.synthetic.timeline import as_sent

    value = f"key || chr({KEY_END[0]}) || line" if is_keyed else "line"
    query = f"select {value} as line from ({stream.feeds[feed]})"  # noqa: S608
    return as_sent(writer.lines(query, block))


def _first(blocks: dict[str, Block], n: int) -> dict[str, Block]:
    """Keep the first n messages of all feeds together."""
    import numpy as np

    from wardhouse.synthetic.timeline import take

    delivery = np.concatenate([block["delivery"] for block in blocks.values()])
    kept = np.zeros(len(delivery), bool)
    kept[np.argsort(delivery, kind="stable")[:n]] = True
    ends = np.cumsum([len(block["delivery"]) for block in blocks.values()])
    parts = np.split(kept, ends[:-1])
    return {feed: take(blocks[feed], part) for feed, part in zip(blocks, parts, strict=True)}


def _send_on_time(
    due: list[tuple[str, np.ndarray, bytes]], sink: Sink, clock: Clock, stopped: threading.Event
) -> int:
    """Send each message when it is due, and say how many went out before a stop."""
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

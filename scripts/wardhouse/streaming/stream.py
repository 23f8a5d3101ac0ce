"""Ingest and build in one process: what arrives is in core some seconds later.

A thread lands the stream (`wardhouse.streaming.ingest`); beside it dbt builds, in this process with
a manifest that is parsed once, the models that the stream feeds. Either may be killed at any
moment: what has landed is on disk, and a build is taken in as a whole or not at all.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from wardhouse.streaming.build import Builder, Cycle
from wardhouse.streaming.ingest import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY_SECONDS = 5.0
WHOLE_EVERY_SECONDS = 3600.0
POLL_SECONDS = 0.2
STOP_SECONDS = 3.0  # that builds still get when the stream is told to stop
COSTLY = 10  # a whole build that failed is tried again after so many times what it took
LAST_TRIES = 3  # of the last build: another process may have the database just then


class Stream:
    """Lands a stream and builds from it until told to stop.

    Parameters
    ----------
    ingest
        Entered and left by a thread of this object.
    builder
        Builds in the calling thread.
    area
        Area of the feed.
    every_seconds
        From the beginning of one build to the beginning of the next; nothing is built while
        nothing landed.
    whole_every_seconds
        After so long a build makes the whole area again, with its tests; the others only what the
        stream feeds.
    on_cycle
        Told of every build.
    """

    def __init__(
        self,
        ingest: Ingest,
        builder: Builder,
        area: str,
        every_seconds: float,
        whole_every_seconds: float,
        on_cycle: Callable[[Cycle], None],
    ):
        self._ingest = ingest
        self._builder = builder
        self._area = area
        self._every_seconds = every_seconds
        self._whole_every_seconds = whole_every_seconds
        self._on_cycle = on_cycle
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._timer = threading.Timer(STOP_SECONDS, self._interrupt)
        self._timer.daemon = True
        self._is_over = threading.Event()

    def stop(self) -> None:
        """End: land what is held, and build it, where that takes no longer than STOP_SECONDS."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._timer.start()
        self._ingest.stop()

    def run(self, has_landed: Callable[[], bool], until_end: bool = False) -> Cycle | None:
        """Land and build.

        Parameters
        ----------
        has_landed
            Whether the feed's folder holds anything: before, there is nothing to build.
        until_end
            End when all that was there at the start has landed and is built.

        Returns
        -------
        Cycle or None
            The last build, or None where nothing was there to build.

        Raises
        ------
        Exception
            Whatever ended the ingest, a StreamError where the stream cannot go on. What has landed
            until then is built.
        """
        landing = threading.Thread(target=self._land, args=(until_end,), name="ingest")
        landing.start()
        built, whole_at, cycle, n_tries, has_whole = -1, -math.inf, None, LAST_TRIES, False
        try:
            while n_tries and not self._is_over.is_set():
                is_last = not landing.is_alive()
                n_landed = self._ingest.counts.n_batches
                began = time.monotonic()
                is_whole = began >= whole_at or (is_last and not has_whole)
                is_due = is_whole or has_whole
                if is_due and has_landed() and (n_landed != built or not cycle.is_done):
                    cycle = self._builder.build(self._area if is_whole else self._ingest.feed)
                    self._on_cycle(cycle)
                    if is_whole and cycle.error:
                        whole_at = time.monotonic() + COSTLY * cycle.seconds
                    elif is_whole:
                        whole_at, has_whole = began + self._whole_every_seconds, True
                    if cycle.is_done:
                        built = n_landed
                if is_last:
                    n_tries = n_tries - 1 if cycle and not cycle.is_done else 0
                if n_tries:
                    self._wait(landing, began + self._every_seconds)
        finally:
            self._stopped.set()
            self._ingest.stop()
            landing.join()
            self._timer.cancel()
        if self._failure:
            raise self._failure
        return cycle

    def _interrupt(self) -> None:
        self._is_over.set()
        self._builder.interrupt()

    def _wait(self, landing: threading.Thread, until: float) -> None:
        has_ended = not landing.is_alive()  # then it waits to try the last build again
        while time.monotonic() < until:
            if not has_ended and (self._stopped.is_set() or not landing.is_alive()):
                break
            time.sleep(POLL_SECONDS)
        if self._stopped.is_set():
            landing.join()

    def _land(self, until_end: bool) -> None:
        try:
            with self._ingest:
                self._ingest.run(until_end)
        except BaseException as error:  # for the other thread, which ends by it
            self._failure = error


def holds_files(folder: Path) -> bool:
    """Tell whether anything has landed in a folder; hidden files are temporary."""
    return any(not path.name.startswith(".") for path in folder.glob("*"))

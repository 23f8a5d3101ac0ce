"""How often somebody may ask: a bucket of tokens for each, refilled as time goes."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST = 10_000  # buckets of addresses: there are more than a server can remember


class Buckets:
    """Buckets of tokens, one for each who asks.

    Parameters
    ----------
    rate
        Requests a second that a bucket gets back.
    burst
        Requests that a full bucket holds.
    most
        Buckets kept: the one that gave nothing for longest goes first. None keeps all.
    clock
        Seconds that only grow.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._rate, self._burst, self._most, self._clock = rate, burst, most, clock
        self._held: dict[Hashable, tuple[float, float]] = {}

    def wait(self, who: Hashable) -> int:
        """Take a token; return 0, or after how many whole seconds there is one."""
        now = self._clock()
        left, at = self._held.get(who, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        if left < 1:
            return math.ceil((1 - left) / self._rate)
        self._held.pop(who, None)  # so that the first is the one that gave nothing for longest
        if self._most and len(self._held) >= self._most:
            del self._held[next(iter(self._held))]
        self._held[who] = (left - 1, now)
        return 0

"""How often somebody may ask: a bucket of tokens for each key, refilled as time goes."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

MOST = 10_000  # buckets kept; a full one need not be


class Buckets:
    """Buckets of tokens, one for each who asks.

    Parameters
    ----------
    rate
        Requests a second that a bucket gets back.
    burst
        Requests that a full bucket holds.
    clock
        Seconds that only grow.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic):
        self._rate, self._burst, self._clock = rate, burst, clock
        self._held: dict[Hashable, tuple[float, float]] = {}

    def wait(self, who: Hashable) -> int:
        """Take a token; return 0, or after how many whole seconds there is one."""
        now = self._clock()
        left, at = self._held.get(who, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        if left < 1:
            return math.ceil((1 - left) / self._rate)
        if len(self._held) >= MOST and who not in self._held:
            self._forget(now)
        self._held[who] = (left - 1, now)
        return 0

    def _forget(self, now: float) -> None:
        """Forget who has a full bucket again; where nobody has, everybody."""
        full = self._burst / self._rate
        self._held = {who: held for who, held in self._held.items() if now - held[1] < full}
        if len(self._held) >= MOST:
            self._held.clear()

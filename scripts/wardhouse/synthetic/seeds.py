"""Random numbers that depend on seed, purpose and row alone, and on no order of drawing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

DEFAULT_SEED = 20250101


def draw(seed: int, purpose: str, rows: int | np.ndarray) -> np.ndarray:
    """Draw 64 random bits a row: SplitMix64 of the row number, keyed by seed and purpose.

    Parameters
    ----------
    seed : int
    purpose : str
        Draws for different purposes are independent.
    rows : int or numpy.ndarray of integers, shape (n,)
        Row numbers, or how many from 0.

    Returns
    -------
    numpy.ndarray, shape (n,), uint64
    """
    import numpy as np

    digest = hashlib.sha256(f"{seed} {purpose}".encode()).digest()
    key = np.uint64(int.from_bytes(digest[:8], "little"))
    bits = np.arange(rows) if isinstance(rows, int) else rows
    bits = bits.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key
    bits = (bits ^ (bits >> 30)) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> 27)) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> 31)


def lanes(bits: np.ndarray) -> np.ndarray:
    """Split draws, shape (n,), into four numbers of 16 bits: shape (4, n), int64."""
    return bits.astype("<u8").view("<u2").reshape(-1, 4).T.astype("int64")


def deal(weights: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Choose by weight.

    Parameters
    ----------
    weights : numpy.ndarray of integers, shape (k,)
    bits : numpy.ndarray, shape (n,), uint64
        Draws, one a choice.

    Returns
    -------
    numpy.ndarray, shape (n,), int64
        Each in 0..k-1.
    """
    import numpy as np

    ends = np.cumsum(weights).astype(np.uint64)
    return np.searchsorted(ends, (bits >> 32) * ends[-1] >> 32, side="right")

"""What a source of a stream is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wardhouse.streaming.batches import LastRecord, StreamKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@dataclass(frozen=True)
class Chunk:
    """Records of one chain in order: payloads, their offsets, and where the chain goes on."""

    key: StreamKey
    payloads: list[bytes | None]
    offsets: list[int]
    end: int

    def __len__(self) -> int:
        """Count the records."""
        return len(self.offsets)


class Chains(Protocol):
    """What a source asks and tells of the chains that land."""

    def last_record(self, key: StreamKey) -> LastRecord | None:
        """Return the last record that landed."""

    def begin(self, key: StreamKey, start: int) -> None:
        """Take records of a chain from `start` on; what is held of it and has not landed goes."""

    def release(self, keys: Iterable[StreamKey], lost: bool) -> None:
        """Land what is held of chains that another reader gets, or drop it if it has them."""

    def tell(self, message: str, kind: str) -> None:
        """Count and report something that went wrong and is being mended."""


class Source(Protocol):
    """A source of records. All its methods are called from one thread."""

    unit: str

    def open(self, chains: Chains) -> None:
        """Connect and find the places to read on from."""

    def read(self, count: int, seconds: float) -> list[Chunk]:
        """Read at most about `count` records; wait for the first for at most `seconds`."""

    def rewind(self, keys: Sequence[StreamKey]) -> None:
        """Read on from what has landed now, because another continued these chains."""

    def lag(self, key: StreamKey, landed: int) -> int | None:
        """Return how much of a chain exists and has not landed; None where nobody knows."""

    def is_drained(self, landed: Callable[[StreamKey], int]) -> bool:
        """Tell whether everything that was there when the source was opened has been read."""

    def close(self) -> None:
        """Let go of the stream."""

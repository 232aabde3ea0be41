"""Where a follower keeps what it has read: the events, and the cursor that says how far it got, always together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.errors import NodeError

WINDOW = 256
"""Of how many of the newest blocks the hashes are kept: no reorganisation that follows the rules reaches deeper."""


class StoreError(NodeError):
    """What was read cannot be kept, or is of another ledger; says what to do."""


@dataclass(frozen=True, slots=True)
class BlockId:
    """One block of one chain."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One event of the contract, as the node gave it."""

    block: int
    position: int
    """Its place among all events of its block."""
    topics: tuple[bytes, ...]
    data: bytes


class LogStore(Protocol):
    """Keeps events and cursor. Every change is made as a whole or not at all."""

    def window(self) -> list[BlockId]:
        """The newest blocks read, at most :data:`WINDOW`, oldest first; the last one is the cursor."""

    def count(self) -> int:
        """Number of events kept."""

    def records(self, start: int = 0) -> list[LogRecord]:
        """The events from the ``start``-th on, in the chain's order."""

    def append(self, cursor: BlockId | None, records: Sequence[LogRecord], blocks: Sequence[BlockId]) -> None:
        """Keep what followed ``cursor``; the last of ``blocks`` is the new one.

        Raises :class:`StoreError`, changing nothing, if the cursor is another one: somebody else writes as well.
        """

    def rollback(self, number: int) -> None:
        """Forget the blocks after ``number`` and their events."""


class MemoryStore:
    """Keeps everything for as long as the process lives."""

    def __init__(self) -> None:
        self._blocks: list[BlockId] = []
        self._records: list[LogRecord] = []

    def window(self) -> list[BlockId]:
        """The newest blocks read, oldest first."""
        return list(self._blocks)

    def count(self) -> int:
        """Number of events kept."""
        return len(self._records)

    def records(self, start: int = 0) -> list[LogRecord]:
        """The events from the ``start``-th on."""
        return self._records[start:]

    def append(self, cursor: BlockId | None, records: Sequence[LogRecord], blocks: Sequence[BlockId]) -> None:
        """Keep what followed ``cursor``."""
        if cursor != (self._blocks[-1] if self._blocks else None):
            raise StoreError("events were read by two at once; give each reader a store of its own")
        self._records += records
        self._blocks = [*self._blocks, *blocks][-WINDOW:]

    def rollback(self, number: int) -> None:
        """Forget the blocks after ``number`` and their events."""
        self._blocks = [b for b in self._blocks if b.number <= number]
        self._records = [r for r in self._records if r.block <= number]

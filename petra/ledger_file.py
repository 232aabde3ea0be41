"""A published ledger log as the ledger that a DSO's desk reads."""

import time
from pathlib import Path

from assets.chainlog import LogReader
from assets.intervals import IntervalGrid
from assets.port import Entry
from assets.transactions import Domain


class LedgerFile:
    """``ledger.jsonl``, read whole; its time is that of its last entry, or the computer's if that is later.

    The hash chain is verified, the rules of the ledger are not: `petra audit` does that. Raises
    :class:`~assets.errors.LogTampered` for a changed line.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            reader = LogReader(file)
            self.domain: Domain = reader.genesis.domain
            self.grid: IntervalGrid = reader.genesis.grid
            self._entries = list(reader)
        self.now_s = max([int(time.time()), *(entry.time_s for entry in self._entries[-1:])])

    def entries(self, start: int = 0) -> list[Entry]:
        """Entries from sequence number ``start`` on."""
        return self._entries[start:]

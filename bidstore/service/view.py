"""The ledger, as many tasks ask it: its calls block, so they run in threads, one at a time."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

from assets.keys import Address, Digest
from assets.orders import Order
from assets.port import Ledger
from assets.transactions import Cancel
from bidstore.admission import check_stands
from contracts.errors import Reorganised

T = TypeVar("T")


class LedgerView:
    """One connection to the ledger, and what was read from it: cancellations, and when every entry was made."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.domain, self.grid = ledger.domain, ledger.grid
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._cancelled: defaultdict[Address, int] = defaultdict(int)
        self._marks: list[tuple[int, Digest]] = []

    async def ask(self, question: Callable[[Ledger], T]) -> T:
        """The answer to a question that blocks."""

        def locked() -> T:
            with self._lock:
                return question(self.ledger)

        return await asyncio.to_thread(locked)

    async def now_s(self) -> int:
        """Ledger time."""
        return await self.ask(lambda ledger: ledger.now_s)

    async def marks(self) -> list[tuple[int, Digest]]:
        """Time and digest of every entry."""
        await self.ask(self.follow)
        return self._marks

    def follow(self, ledger: Ledger) -> None:
        """Read the entries since the last time; to be called within :meth:`ask`."""
        known = len(self._marks)
        try:
            entries = ledger.entries(max(0, known - 1))
        except Reorganised:
            entries = []
        # Whoever else reads over this connection may have been told in our place, so the last entry is compared.
        if known and (not entries or entries[0].digest != self._marks[-1][1]):
            self._forget()
            entries = ledger.entries()
        elif known:
            entries = entries[1:]
        for entry in entries:
            if isinstance(entry.signed.tx, Cancel):
                self._cancelled[entry.signed.tx.owner] |= entry.signed.tx.nonces
            self._marks.append((entry.time_s, entry.digest))

    def check_stands(self, order: Order, ledger: Ledger) -> None:
        """Raise unless an order was not cancelled by what :meth:`follow` has read, and its notes are unspent."""
        check_stands(order, ledger, self._cancelled)

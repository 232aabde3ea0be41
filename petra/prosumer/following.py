"""Reading the ledger: the whole of it, entry after entry, from a node that may be away or change its mind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from assets.port import Entry
from assets.transactions import PriceChange
from contracts.errors import NodeError, Reorganised
from contracts.sync.store import StoreError

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger
    from petra.prosumer.folder import WalletFolder


class ReadLedger(Protocol):
    """What is asked of a ledger: any :class:`assets.port.Ledger` answers."""

    @property
    def now_s(self) -> int:
        """Ledger time, Unix seconds."""

    def entries(self, start: int = 0) -> list[Entry]:
        """Accepted transactions from ``start`` on."""

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as recorded so far."""


@dataclass(frozen=True, slots=True)
class News:
    """What the ledger recorded since the last time."""

    now_s: int
    """Ledger time; every entry up to it has been read."""
    entries: Sequence[Entry]
    again: bool
    """The entries begin with the ledger's first: forget all that was read before."""


class LedgerReader:
    """Reads the ledger on and on. Use it in one thread: that is where its file is opened."""

    def __init__(self, open_ledger: Callable[[], ReadLedger]) -> None:
        self._open = open_ledger
        self._ledger: ReadLedger | None = None
        self._cursor, self._again = 0, True

    def read(self) -> News:
        """What is new. Raises whatever keeps the node from being read; the next call goes on from here."""
        try:
            if self._ledger is None:
                self._ledger = self._open()
            return self._read(self._ledger)
        except Exception as failure:
            if not isinstance(failure, (NodeError, ConnectionError)) or isinstance(failure, StoreError):
                self._ledger = None  # of a broken file or an unknown state nothing is kept
                self._cursor, self._again = 0, True
            raise

    def start_over(self) -> None:
        """Begin with the ledger's first entry at the next :meth:`read`: what was read last was not taken in whole."""
        self._cursor, self._again = 0, True

    def prices(self, first: int, count: int) -> dict[int, PriceChange]:
        """The DSO's prices of the intervals from ``first`` on, as far as known. Raises as :meth:`read` does."""
        found: dict[int, PriceChange] = {}
        for t in range(first, first + count):
            price = None if self._ledger is None else self._ledger.price_at(t)
            if price is None:
                break
            found[t] = price
        return found

    def _read(self, ledger: ReadLedger) -> News:
        now_s = ledger.now_s  # before the entries, so that they are complete up to it
        try:
            entries = ledger.entries(self._cursor)
        except Reorganised:
            self._cursor, self._again = 0, True  # the ledger says so once, whether or not it answers next
            entries = ledger.entries(0)
        news = News(now_s, entries, self._again)
        self._cursor, self._again = self._cursor + len(entries), False
        return news


def open_ledger(folder: "WalletFolder") -> "EvmLedger":
    """The ledger of a wallet's folder; its copy there is made anew if it is damaged, since all of it is on the chain.

    Raises ``ConnectionError`` or :class:`~contracts.errors.NodeError` with what to do.
    """
    from contracts.sync.file import REMEDY

    try:
        ledger = folder.ledger()
        ledger.entries()
    except StoreError as failure:
        if REMEDY not in str(failure):
            raise
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (folder.path / name).unlink(missing_ok=True)
        ledger = folder.ledger()
    return ledger

"""What the public ledger says about each window of a village."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from assets.intervals import IntervalGrid
from assets.notes import Kind
from assets.port import Entry
from assets.transactions import NO_MEMO, Settle, Transact, Withdraw
from petra.trade import Trade, trades_of


@dataclass(slots=True)
class Window:
    """What happened for one delivery interval; times are ledger time, Unix seconds."""

    withdrawals: int = 0
    withdrawn_s: int | None = None
    """When the last standard set was recorded."""
    first_withdrawn_s: int | None = None
    mixes: list[int] = field(default_factory=list)
    """Peers of each mix."""
    mixed_s: int | None = None
    """When the last mix was recorded."""
    trades: list[Trade] = field(default_factory=list)
    settled_s: int | None = None
    first_settled_s: int | None = None
    deposits: int = 0
    deposited_s: int | None = None
    first_deposited_s: int | None = None

    @property
    def traded_wh(self) -> int:
        """Energy that neighbours sold one another."""
        return sum(trade.energy_wh for trade in self.trades)


def copied(window: Window) -> Window:
    """The window as it is now."""
    return replace(window, mixes=list(window.mixes), trades=list(window.trades))


class Market:
    """Follows the ledger and sorts what it says by window."""

    def __init__(self, grid: IntervalGrid) -> None:
        self._grid = grid
        self.cursor = 0
        self.windows: defaultdict[int, Window] = defaultdict(Window)

    def follow(self, entries: Iterable[Entry]) -> None:
        """Take in the next entries."""
        for entry in entries:
            self.cursor = entry.seq + 1
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        tx, time_s = entry.signed.tx, entry.time_s
        if isinstance(tx, Withdraw):
            window = self.windows[tx.window]
            window.withdrawals += 1
            window.first_withdrawn_s = window.first_withdrawn_s or time_s
            window.withdrawn_s = time_s
        elif isinstance(tx, Transact) and tx.memo != NO_MEMO:
            window = self.windows[self._window_of(tx, time_s, ahead=True)]
            window.mixes.append(len(tx.inputs))
            window.mixed_s = time_s
        elif isinstance(tx, Transact):
            window = self.windows[self._window_of(tx, time_s, ahead=False)]
            window.deposits += 1
            window.first_deposited_s = window.first_deposited_s or time_s
            window.deposited_s = time_s
        elif isinstance(tx, Settle):
            for trade in trades_of((entry,), self._grid.interval_s):
                window = self.windows[trade.t]
                window.trades.append(trade)
                window.first_settled_s = window.first_settled_s or time_s
                window.settled_s = time_s

    def _window_of(self, tx: Transact, time_s: int, *, ahead: bool) -> int:
        """Energy notes name their window; money has none, so it counts for the window whose stage this is."""
        spans = [i.note.start for i in tx.inputs if i.note.kind != Kind.FA]
        if spans:
            return spans[0]
        return max(0, (time_s - self._grid.genesis_s) // self._grid.interval_s + (1 if ahead else 0))

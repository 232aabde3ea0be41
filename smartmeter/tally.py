"""The tally: what a meter counts from the public ledger, interval by interval."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from assets.intervals import IntervalGrid
from assets.notes import Kind, Note
from assets.port import Entry
from assets.statement import billed_window, deposit_deadline_s, first_open_interval
from assets.transactions import PriceChange, Regulate, Withdraw, outputs_of, price_in_force
from assets.units import energy_wh
from smartmeter.deposits import DepositAddresses
from smartmeter.identity import DerivedAddresses


class LedgerGap(ValueError):
    """Entries that do not continue the ledger where the meter stopped reading; nothing of them was counted."""


@dataclass(frozen=True, slots=True)
class RefusedDeposit:
    """A note at one of the meter's own addresses that does not count, for the intervals ``first..last``."""

    seq: int
    """Place in the ledger of the transaction that deposited it."""
    index: int
    """Place among that transaction's outputs, from 0."""
    kind: Kind
    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class TallyState:
    """A tally at rest: whole numbers only."""

    cursor: int
    time_s: int
    energy: tuple[tuple[int, int, int, int], ...]
    """Kind, interval, Wh withdrawn, Wh deposited."""
    money: tuple[tuple[int, int, int], ...]
    """Interval, nano-units withdrawn, nano-units deposited."""
    windows: tuple[int, ...]
    prices: tuple[tuple[int, int, int], ...]
    """Time, price of consumption, price of production, in the order of recording."""


class Tally:
    """Counts a meter's withdrawals and deposits from the ledger's entries, each exactly once.

    What counts depends on the ledger alone, never on when the meter read it: entries recorded at or after the deposit
    deadline of an interval do not change that interval, so its bill is final once ledger time has reached the deadline.
    """

    def __init__(
        self, meter: int, grid: IntervalGrid, gate_s: int, addresses: DepositAddresses | DerivedAddresses
    ) -> None:
        self._meter, self._grid, self._gate_s, self._addresses = meter, grid, gate_s, addresses
        self.cursor = 0
        """Sequence number of the first entry not yet read."""
        self.time_s = 0
        """Ledger time up to which everything was read."""
        self.withdrawn_wh: Counter[tuple[Kind, int]] = Counter()
        """Energy withdrawn, by (kind, interval)."""
        self.deposited_wh: Counter[tuple[Kind, int]] = Counter()
        """Energy deposited in time, by (kind, interval)."""
        self.fa_withdrawn_nano: Counter[int] = Counter()
        """FA withdrawn, by the interval on whose bill it stands."""
        self.fa_deposited_nano: Counter[int] = Counter()
        """FA deposited in time, by the interval on whose bill it stands."""
        self.windows: set[int] = set()
        """Windows with a withdrawal of this meter on the ledger."""
        self.refused: list[RefusedDeposit] = []
        self._prices: list[PriceChange] = []

    def follow(self, entries: Iterable[Entry], now_s: int | None = None) -> None:
        """Read on; entries read before are skipped.

        ``now_s`` is a ledger time at which these were all entries there were. Read it from the ledger *before* the
        entries. Without it bills become final only with the time of the entries themselves.

        Raises :class:`LedgerGap`, and counts nothing, if an entry is missing or ledger time runs backwards.
        """
        fresh, cursor, time_s = [], self.cursor, self.time_s
        for entry in entries:
            if entry.seq < cursor:
                continue
            if entry.seq > cursor:
                raise LedgerGap(f"ledger entry {cursor} is missing before {entry.seq}; read from {cursor} on")
            if entry.time_s < time_s:
                raise LedgerGap(f"ledger entry {entry.seq} is older than what was read before it; read it again")
            fresh.append(entry)
            cursor, time_s = cursor + 1, entry.time_s
        for entry in fresh:
            self._count(entry)
        self.cursor, self.time_s = cursor, max(time_s, self.time_s if now_s is None else now_s)

    def skim(self, found: Iterable[tuple[Entry, Sequence[tuple[int, Note]]]], cursor: int, now_s: int) -> None:
        """Read on to entry ``cursor`` and ledger time ``now_s`` with the help of somebody who read all of it.

        ``found``: the entries that concern this meter, in order, each with its outputs at this meter's addresses and
        their places. For simulations, in which one reader looks at every entry for all homes.
        """
        for entry, deposits in found:
            self._count_issues(entry)
            self._count_deposits(entry, deposits)
        self.cursor, self.time_s = cursor, max(self.time_s, now_s)

    def state(self) -> TallyState:
        """Everything that was counted, to be stored together with what was made of it."""
        return TallyState(
            cursor=self.cursor,
            time_s=self.time_s,
            energy=tuple(
                (int(kind), t, self.withdrawn_wh[kind, t], self.deposited_wh[kind, t])
                for kind, t in sorted(self.withdrawn_wh.keys() | self.deposited_wh.keys())
            ),
            money=tuple(
                (t, self.fa_withdrawn_nano[t], self.fa_deposited_nano[t])
                for t in sorted(self.fa_withdrawn_nano.keys() | self.fa_deposited_nano.keys())
            ),
            windows=tuple(sorted(self.windows)),
            prices=tuple((p.time_s, p.consumption_nano_per_wh, p.production_nano_per_wh) for p in self._prices),
        )

    def restore(self, state: TallyState) -> None:
        """Go on from a stored state, in place of what was counted so far. Refused deposits start from none."""
        self.cursor, self.time_s = state.cursor, state.time_s
        self.withdrawn_wh = Counter({(Kind(kind), t): wh for kind, t, wh, _ in state.energy if wh})
        self.deposited_wh = Counter({(Kind(kind), t): wh for kind, t, _, wh in state.energy if wh})
        self.fa_withdrawn_nano = Counter({t: nano for t, nano, _ in state.money if nano})
        self.fa_deposited_nano = Counter({t: nano for t, _, nano in state.money if nano})
        self.windows, self.refused = set(state.windows), []
        self._prices = [PriceChange(*price) for price in state.prices]

    def forget_before(self, t: int) -> None:
        """Drop what was counted for intervals before ``t``, whose bills are made and stored."""
        for counted in (self.withdrawn_wh, self.deposited_wh):
            for key in [k for k in counted if k[1] < t]:
                del counted[key]
        for money in (self.fa_withdrawn_nano, self.fa_deposited_nano):
            for old in [w for w in money if w < t]:
                del money[old]
        self.windows = {w for w in self.windows if w >= t}
        start_s = self._grid.start_s(t)
        in_force = max((i for i, p in enumerate(self._prices) if p.time_s <= start_s), default=0)
        self._prices = [p for i, p in enumerate(self._prices) if i >= in_force or p.time_s > start_s]

    def is_final(self, t: int) -> bool:
        """Whether nothing on the ledger can change the bill of interval ``t`` any more."""
        return self.time_s >= deposit_deadline_s(self._grid, t, self._gate_s)

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as read from the ledger; ``None`` if it has none."""
        return price_in_force(self._prices, self._grid.start_s(t))

    def _count(self, entry: Entry) -> None:
        self._count_issues(entry)
        self._count_deposits(entry, enumerate(outputs_of(entry.signed.tx, self._grid.interval_s)))

    def _count_issues(self, entry: Entry) -> None:
        match entry.signed.tx:
            case Regulate(prices=prices):
                self._prices.extend(prices)
            case Withdraw() as tx if tx.meter == self._meter:
                self._count_withdrawal(tx, entry.time_s)

    def _count_withdrawal(self, tx: Withdraw, time_s: int) -> None:
        self.windows.add(tx.window)
        for note in tx.outputs:
            if note.kind == Kind.FA:
                window = billed_window(self._grid, tx.window, time_s, self._gate_s)
                self.fa_withdrawn_nano[window] += note.amount_nano
            else:
                for t in self._open(note, time_s):
                    self.withdrawn_wh[Kind(note.kind), t] += self._energy_wh(note)

    def _count_deposits(self, entry: Entry, outputs: Iterable[tuple[int, Note]]) -> None:
        for index, note in outputs:
            window = self._addresses.window_of(note.owner)
            if window is None:
                continue
            if note.kind == Kind.FA:
                first = last = window
                if window >= self._late_before(entry.time_s):
                    self.fa_deposited_nano[window] += note.amount_nano
            else:
                first, last = note.start, note.end
                for t in self._open(note, entry.time_s):
                    self.deposited_wh[Kind(note.kind), t] += self._energy_wh(note)
            late_last = min(last, self._late_before(entry.time_s) - 1)
            if late_last >= first:
                deadline_s = deposit_deadline_s(self._grid, late_last, self._gate_s)
                reason = f"recorded at {entry.time_s}, not before the deposit deadline {deadline_s}"
                self.refused.append(RefusedDeposit(entry.seq, index, Kind(note.kind), first, late_last, reason))

    def _late_before(self, time_s: int) -> int:
        """Intervals below this one are closed at ledger time ``time_s``."""
        return first_open_interval(self._grid, time_s, self._gate_s)

    def _open(self, note: Note, time_s: int) -> Iterator[int]:
        """The intervals of an energy note's span that are still open at ``time_s``.

        A withdrawal recorded after the deadline of an interval is left out as well: nobody can deposit it any more.
        """
        yield from range(max(note.start, self._late_before(time_s)), note.end + 1)

    def _energy_wh(self, note: Note) -> int:
        return energy_wh(note.power_w, self._grid.interval_s)

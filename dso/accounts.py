"""The DSO's accounts: receives statements (totals only), checks them, and reconciles them with what was measured."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from assets.notes import Kind
from assets.port import Ledger
from assets.statement import SignedStatement, Statement, billed_window, first_open_interval
from assets.transactions import Settlement, Withdraw, price_in_force
from dso.registry import Registry


class Reason(Enum):
    """Why a statement is refused; the value is what the operator reads."""

    UNKNOWN_METER = "the ledger knows no such meter"
    BAD_SIGNATURE = "the statement was not signed, as it stands, with the key that the ledger authorises"
    DUPLICATE = "this statement was received before"
    CONTRADICTORY = "the meter signed two different statements with one number; both are kept as evidence"
    OUT_OF_ORDER = "an earlier statement of the meter is missing"
    OVERLAP = "the period overlaps one that was billed before"
    TOO_EARLY = "the period still takes deposits, so its totals cannot be final"
    WRONG_FA = "the FA withdrawn is not what the ledger shows for the period"
    WRONG_PRICE = "the bill is impossible with the prices of the period"


class StatementRefused(ValueError):
    """A statement was refused; no balance has changed."""

    def __init__(self, meter: int, reason: Reason) -> None:
        self.meter, self.reason = meter, reason
        super().__init__(f"statement of meter {meter} refused: {reason.value}")


@dataclass(frozen=True, slots=True)
class Missing:
    """Intervals ``first..last`` for which a meter has delivered no statement."""

    meter: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class FeederBalance:
    """Energy of one feeder over a period, in Wh (signed)."""

    feeder: int
    residual_wh: int
    """Sum of the residuals E of its meters."""
    measured_wh: int
    """What the feeder's own meter measured: import minus export."""

    @property
    def traded_in_wh(self) -> int:
        """Energy that the feeder's homes bought, net, from homes of other feeders."""
        return self.measured_wh - self.residual_wh


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The accounts of a period. Energy in Wh, money in nano-units, signed unless said otherwise."""

    first: int
    last: int
    feeders: tuple[FeederBalance, ...]
    owed_nano: int
    """What the homes owe for energy: the sum of E times its price."""
    paid_nano: int
    """What the bills add up to: the sum of B."""
    fa_outstanding_nano: int
    """FA withdrawn in the period minus FA deposited in it; negative if older FA came back."""
    missing: tuple[Missing, ...]
    """The sums cover all meters only if this is empty."""

    @property
    def residual_wh(self) -> int:
        """Sum of all residuals E."""
        return sum(f.residual_wh for f in self.feeders)

    @property
    def measured_wh(self) -> int:
        """Sum of what all feeders measured."""
        return sum(f.measured_wh for f in self.feeders)

    @property
    def energy_shortfall_wh(self) -> int:
        """Energy delivered that nobody is billed for (>= 0); 0 as long as Σ E >= Σ measured."""
        return max(0, self.measured_wh - self.residual_wh)

    @property
    def shortfall_nano(self) -> int:
        """What the DSO is owed and not paid in this period (>= 0).

        Always 0 from the first interval on. A later period alone may show FA that an earlier one has paid for.
        """
        return max(0, self.owed_nano - self.paid_nano)

    @property
    def balanced(self) -> bool:
        """All statements are there, and the DSO loses neither energy nor money."""
        return not (self.missing or self.energy_shortfall_wh or self.shortfall_nano)


class Accounts:
    """Statements received from the meters that the ledger authorises. Sees totals of periods, never an interval."""

    def __init__(self, ledger: Ledger, gate_s: int) -> None:
        """``gate_s``: seconds after the end of an interval before which its deposits must be on the ledger."""
        self._ledger = ledger
        self._gate_s = gate_s
        self._interval_s = ledger.grid.interval_s
        self._cursor = 0
        self._registry = Registry()
        self._fa_withdrawn_nano: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._received: dict[int, list[SignedStatement]] = {}
        self.contradictions: list[tuple[SignedStatement, SignedStatement]] = []
        """Pairs of different statements that a meter signed with the same nonce: the one booked, the one refused."""

    def receive(self, signed: SignedStatement) -> None:
        """Check a statement and book it. Raises :class:`StatementRefused` with the reason.

        A banned meter's statement is good: a ban stops it from issuing notes, not from owing.
        """
        now_s = self._follow()
        s = signed.statement
        standing = self._registry.standing(s.meter, now_s)
        if standing is None:
            raise StatementRefused(s.meter, Reason.UNKNOWN_METER)
        if signed.signer(self._ledger.domain) != standing.authorisation.key:
            raise StatementRefused(s.meter, Reason.BAD_SIGNATURE)
        self._book(signed, now_s)

    def restore(self, signed: SignedStatement) -> None:
        """Book again, from the store, a statement that was booked before: the meter may have another key by now.

        Raises :class:`StatementRefused` for one that cannot have been booked.
        """
        now_s = self._follow()
        if not self._registry.has_had_key(signed.statement.meter, signed.signer(self._ledger.domain)):
            raise StatementRefused(signed.statement.meter, Reason.BAD_SIGNATURE)
        self._book(signed, now_s)

    def _book(self, signed: SignedStatement, now_s: int) -> None:
        s = signed.statement
        booked = self._received.get(s.meter, [])
        if s.nonce < len(booked):
            same = booked[s.nonce]
            if same.statement == s:
                raise StatementRefused(s.meter, Reason.DUPLICATE)
            if (same, signed) not in self.contradictions:
                self.contradictions.append((same, signed))
            raise StatementRefused(s.meter, Reason.CONTRADICTORY)
        if s.nonce > len(booked):
            raise StatementRefused(s.meter, Reason.OUT_OF_ORDER)
        if any(s.first <= b.statement.last and b.statement.first <= s.last for b in booked):
            raise StatementRefused(s.meter, Reason.OVERLAP)
        if s.last >= first_open_interval(self._ledger.grid, now_s, self._gate_s):
            raise StatementRefused(s.meter, Reason.TOO_EARLY)
        self._check_totals(s)
        self._received.setdefault(s.meter, []).append(signed)

    def registry(self) -> Registry:
        """Meters, feeders and prices as the ledger has them now."""
        self._follow()
        return self._registry

    def covers(self, meter: int, first: int, last: int) -> bool:
        """Whether a booked statement of the meter has any of the intervals ``first..last``."""
        return any(s.first <= last and first <= s.last for s in self._statements(meter))

    def missing(self, first: int, last: int) -> tuple[Missing, ...]:
        """Which meters have not stated which parts of the intervals ``first..last`` since they were installed.

        Raises ``ValueError`` for a period that ends before it starts.
        """
        if first > last:
            raise ValueError(f"the period {first}..{last} ends before it starts; give its first interval first")
        now_s = self._follow()
        gaps = []
        for meter in sorted(self._registry.grants(now_s)):
            t = max(first, (self._registry.installed_s(meter) - self._ledger.grid.genesis_s) // self._interval_s)
            for s in sorted(self._statements(meter), key=lambda s: s.first):
                if s.last < t or s.first > last:
                    continue
                if s.first > t:
                    gaps.append(Missing(meter, t, s.first - 1))
                t = s.last + 1
            if t <= last:
                gaps.append(Missing(meter, t, last))
        return tuple(gaps)

    def reconcile(self, first: int, last: int, measured_wh_by_feeder: Mapping[int, int]) -> Reconciliation:
        """Compare the statements within ``first..last`` with what each feeder measured (Wh, import minus export).

        Σ E >= Σ measured must hold over all feeders together. It need not hold for one: homes may sell to homes of
        another feeder.

        Raises ``ValueError`` if a statement crosses the borders of the period (its totals cannot be divided), or if a
        feeder with meters was not measured or one without meters was.
        """
        missing = self.missing(first, last)
        feeder_of = {meter: grant.feeder for meter, grant in self._registry.grants(self._ledger.now_s).items()}
        feeders = set(feeder_of.values())
        if feeders != set(measured_wh_by_feeder):
            raise ValueError(f"give a measurement for each of the feeders {sorted(feeders)} and for no other")
        residual_wh: defaultdict[int, int] = defaultdict(int)
        owed_nano = paid_nano = fa_outstanding_nano = 0
        for s in self._within(first, last):
            residual_wh[feeder_of[s.meter]] += s.residual_wh
            owed_nano += s.energy_nano
            paid_nano += s.bill_nano
            fa_outstanding_nano += s.fa_withdrawn_nano - s.fa_deposited_nano
        balances = tuple(FeederBalance(f, residual_wh[f], measured_wh_by_feeder[f]) for f in sorted(feeders))
        return Reconciliation(first, last, balances, owed_nano, paid_nano, fa_outstanding_nano, missing)

    def settlements(self, first: int, last: int) -> tuple[Settlement, ...]:
        """What to settle once the bills of the period are paid: the FA that stood on them."""
        return tuple(Settlement(s.meter, s.fa_withdrawn_nano) for s in self._within(first, last) if s.fa_withdrawn_nano)

    def _within(self, first: int, last: int) -> list[Statement]:
        touching = [
            s
            for meter in sorted(self._received)
            for s in self._statements(meter)
            if s.first <= last and first <= s.last
        ]
        for s in touching:
            if s.first < first or s.last > last:
                raise ValueError(
                    f"meter {s.meter} stated {s.first}..{s.last}, which crosses the borders of {first}..{last}; "
                    "choose a period that holds whole statements"
                )
        return touching

    def _statements(self, meter: int) -> list[Statement]:
        return [signed.statement for signed in self._received.get(meter, [])]

    def _check_totals(self, s: Statement) -> None:
        withdrawn_nano = self._fa_withdrawn_nano[s.meter]
        if s.fa_withdrawn_nano != sum(withdrawn_nano[t] for t in range(s.first, s.last + 1) if t in withdrawn_nano):
            raise StatementRefused(s.meter, Reason.WRONG_FA)
        grid = self._ledger.grid
        prices = [price_in_force(self._registry.prices, grid.start_s(t)) for t in range(s.first, s.last + 1)]
        known = [p for p in prices if p is not None]
        if len(known) != len(prices):
            raise StatementRefused(s.meter, Reason.WRONG_PRICE)
        sells, buys = ({getattr(p, name) for p in known} for name in _PRICE_FIELDS)
        lowest_nano = s.import_wh * min(sells) - s.export_wh * max(buys)
        highest_nano = s.import_wh * max(sells) - s.export_wh * min(buys)
        if not lowest_nano <= s.energy_nano <= highest_nano:
            raise StatementRefused(s.meter, Reason.WRONG_PRICE)

    def _follow(self) -> int:
        """Read the ledger on; returns a ledger time up to which everything was read."""
        now_s = self._ledger.now_s
        for entry in self._ledger.entries(self._cursor):
            self._registry.follow(entry)
            tx = entry.signed.tx
            if isinstance(tx, Withdraw):
                window = billed_window(self._ledger.grid, tx.window, entry.time_s, self._gate_s)
                amount_nano = sum(note.amount_nano for note in tx.outputs if note.kind == Kind.FA)
                self._fa_withdrawn_nano[tx.meter][window] += amount_nano
            self._cursor = entry.seq + 1
        return now_s


_PRICE_FIELDS = ("consumption_nano_per_wh", "production_nano_per_wh")

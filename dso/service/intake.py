"""Taking in statements: checked, on disk, and only then acknowledged."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from assets.port import Ledger
from assets.rules.state import Standing
from assets.statement import SignedStatement, Statement, first_open_interval
from assets.transactions import FeederCapacity, PriceChange
from dso.accounts import Accounts, Missing, Reason, Reconciliation, StatementRefused
from dso.service.store import StatementStore

IMPLAUSIBLE = frozenset({Reason.WRONG_FA, Reason.WRONG_PRICE, Reason.OVERLAP})


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force on the ledger now."""

    ledger_s: int
    """Ledger time, Unix seconds."""
    meters: Mapping[int, Standing]
    feeders: tuple[FeederCapacity, ...]
    price: PriceChange | None
    """Of the interval that is running."""
    regulations: int
    """How many regulatory transactions there are."""


class Intake:
    """Accounts whose every booking is in a store. Safe to call from several threads."""

    def __init__(self, ledger: Ledger, store: StatementStore, gate_s: int, late_s: int = 86_400) -> None:
        """``late_s``: seconds after the deposit deadline of its last interval at which a statement is late."""
        self._ledger, self._store, self._gate_s, self._late_s = ledger, store, gate_s, late_s
        self._lock = Lock()
        self._read: Accounts | None = self._replayed()

    @property
    def _accounts(self) -> Accounts:
        """What is on disk; read anew where memory may hold something else, as soon as the ledger can be read."""
        if self._read is None:
            self._read = self._replayed()
        return self._read

    def _replayed(self) -> Accounts:
        accounts = Accounts(self._ledger, self._gate_s)
        for signed, _ in self._store.booked():
            accounts.restore(signed)
        return accounts

    def receive(self, signed: SignedStatement) -> bool:
        """Book a statement; ``True`` if it is new, ``False`` if it was booked before (a repeated delivery).

        Returns only when it is on disk. Raises ``StatementRefused``, and keeps the statement as evidence.
        """
        with self._lock:
            try:
                self._accounts.receive(signed)
            except StatementRefused as refused:
                if refused.reason is Reason.DUPLICATE:
                    return False
                if refused.reason not in (Reason.UNKNOWN_METER, Reason.BAD_SIGNATURE):
                    self._store.refuse(signed, self._ledger.now_s, refused.reason.name)  # evidence needs a signature
                raise
            try:
                self._store.book(signed, self._ledger.now_s)
            except Exception:
                self._read = None  # memory holds what the disk does not: forget it
                raise
            return True

    def statements(self) -> list[Statement]:
        """All that was booked, in the order of arrival."""
        with self._lock:
            return [signed.statement for signed, _ in self._store.booked()]

    def stored(self) -> int:
        """How many statements are booked on disk."""
        with self._lock:
            return self._store.count()

    def in_force(self) -> InForce:
        """What the ledger says now."""
        ledger = self._ledger
        with self._lock:
            now_s = ledger.now_s
            registry = self._accounts.registry()
            feeders = (registry.capacity(feeder, now_s) for feeder in sorted(registry.feeders))
            return InForce(
                now_s,
                {m: s for m in registry.meters if (s := registry.standing(m, now_s)) is not None},
                tuple(capacity for capacity in feeders if capacity is not None),
                ledger.price_at(ledger.grid.index(now_s)) if now_s >= ledger.grid.genesis_s else None,
                ledger.regulation_nonce(),
            )

    def reload(self) -> None:
        """Read disk and ledger anew at the next request, after the chain dropped entries that were read before."""
        with self._lock:
            self._read = None

    def covers(self, meter: int, first: int, last: int) -> bool:
        """Whether a booked statement of the meter has any of the intervals ``first..last``."""
        with self._lock:
            return self._accounts.covers(meter, first, last)

    def missing(self, first: int, last: int) -> tuple[Missing, ...]:
        """Which meters owe a statement for which intervals."""
        with self._lock:
            return self._accounts.missing(first, last)

    def faults(self) -> dict[str, list[int]]:
        """Meters by fault: late, contradictory, implausible."""
        with self._lock:
            late, grid = set(), self._ledger.grid
            for signed, received_s in self._store.booked():
                if signed.statement.last < first_open_interval(grid, received_s - self._late_s, self._gate_s):
                    late.add(signed.statement.meter)
            refused = [(s.statement.meter, Reason[reason]) for s, _, reason in self._store.refused()]
        return {
            "late": sorted(late),
            "contradictory": sorted({m for m, reason in refused if reason is Reason.CONTRADICTORY}),
            "implausible": sorted({m for m, reason in refused if reason in IMPLAUSIBLE}),
        }

    def reconcile(self, first: int, last: int, measured_wh_by_feeder: dict[int, int]) -> Reconciliation:
        """Compare with what the feeders measured; see :meth:`dso.accounts.Accounts.reconcile`."""
        with self._lock:
            return self._accounts.reconcile(first, last, measured_wh_by_feeder)

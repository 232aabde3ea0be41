"""The smart meter: issues notes, counts deposits, bills. Source: PETra paper, "Smart-Meter Based Billing"."""

from collections.abc import Callable, Iterable, Sequence

from assets.intervals import IntervalGrid
from assets.keys import ZERO_ADDRESS, Address, KeySource, Signer
from assets.notes import Kind, Note
from assets.port import Entry
from assets.statement import SignedStatement, deposit_deadline_s, sign_statement
from assets.transactions import Domain, PriceChange, Signed, Withdraw, sign
from assets.units import energy_wh
from smartmeter.billing import BillingRecord, bill_interval
from smartmeter.deposits import DepositAddresses
from smartmeter.flags import Quality
from smartmeter.identity import DerivedAddresses
from smartmeter.standard_set import StandardSet
from smartmeter.statement import statement_of
from smartmeter.tally import RefusedDeposit, Tally, TallyState


class Meter:
    """One home's trusted meter.

    It follows the public ledger and trusts that the node it reads from has validated it. It never spends a note.
    Every method that raises leaves the meter as it was.
    """

    def __init__(
        self,
        number: int,
        key: Signer,
        deposit_keys: KeySource | DerivedAddresses,
        domain: Domain,
        grid: IntervalGrid,
        standard_set: StandardSet,
        gate_s: int,
    ) -> None:
        """``gate_s``: seconds after the end of an interval before which its deposits must be on the ledger.

        Raises ``ValueError`` for a negative ``gate_s``, and :class:`~assets.errors.FractionalEnergy` if the standard
        set's power is no whole number of watt-hours per interval.
        """
        if gate_s < 0:
            raise ValueError(f"gate_s is {gate_s}; give 0 or more seconds")
        energy_wh(standard_set.note_power_w, grid.interval_s)
        self.number = number
        self._key = key
        self._domain = domain
        self._grid = grid
        self._standard_set = standard_set
        self._gate_s = gate_s
        self._addresses: DepositAddresses | DerivedAddresses = (
            deposit_keys if isinstance(deposit_keys, DerivedAddresses) else DepositAddresses(deposit_keys)
        )
        self._tally = Tally(number, grid, gate_s, self._addresses)
        self._owners: set[Address] = set()
        self._readings_wh: dict[int, int] = {}
        self._sureness: dict[int, tuple[int, int]] = {}
        self._statements: list[SignedStatement] = []

    @property
    def address(self) -> Address:
        """The address of the meter's signing key: what the DSO authorises."""
        return self._key.address

    @property
    def cursor(self) -> int:
        """Sequence number of the first ledger entry that the meter has not read."""
        return self._tally.cursor

    @property
    def refused_deposits(self) -> tuple[RefusedDeposit, ...]:
        """Deposits at this meter's own addresses that do not count, with the reason, in the order of the ledger."""
        return tuple(self._tally.refused)

    def withdraw(
        self, window: int, nonce: int, owners: Sequence[Address], notes: StandardSet | None = None
    ) -> Signed[Withdraw]:
        """The signed withdrawal of the standard set for delivery interval ``window``.

        ``nonce`` is the ledger's next for this meter; ``owners`` are fresh addresses of the prosumer, one per note,
        EPA first, then ECA, then FA. ``notes``: the set that all homes issue instead, where the DSO's limits leave no
        room for the meter's own.

        Raises ``ValueError`` for a wrong number of owners, an address used before or at which this meter takes
        deposits, or a window that is closed or whose notes are on the ledger already.
        """
        if window in self._tally.windows:
            raise ValueError(f"the notes of window {window} are on the ledger; a home has one standard set per window")
        if window < 0 or self._tally.is_final(window):
            raise ValueError(f"window {window} is closed; withdraw for an interval that is still open")
        outputs = (notes or self._standard_set).notes(window, owners)
        fresh = set(owners)
        if len(fresh) != len(owners) or fresh & self._owners:
            raise ValueError("an owner address was used before; give one fresh address per note")
        if any(len(owner) != 20 or owner == ZERO_ADDRESS or owner in self._addresses for owner in owners):
            raise ValueError("an owner is a 20-byte address of the prosumer, neither zero nor a deposit address")
        signed = sign(self._domain, Withdraw(self.number, nonce, window, outputs), self._key)
        self._owners |= fresh
        return signed

    def deposit_address(self, window: int) -> Address:
        """A fresh address for one deposit; FA deposited there stands on the bill of ``window``.

        Raises ``ValueError`` for a window that is closed, because nothing deposited there could count.
        """
        if window < 0 or self._tally.is_final(window):
            raise ValueError(f"window {window} is closed for deposits; ask for an address of one still open")
        return self._addresses.fresh(window)

    def follow(self, entries: Iterable[Entry], now_s: int | None = None) -> None:
        """Read the ledger on from :attr:`cursor` and count own withdrawals and deposits; see :meth:`Tally.follow`.

        Entries read before are skipped. ``now_s`` is the ledger's time read before the entries: bills become final
        by it when no entry follows a deadline.

        Raises :class:`~smartmeter.tally.LedgerGap`, and counts nothing, if an entry is missing or out of order.
        """
        self._tally.follow(entries, now_s)

    def skim(self, found: Iterable[tuple[Entry, Sequence[tuple[int, Note]]]], cursor: int, now_s: int) -> None:
        """Take what a simulation found for this meter in the entries up to ``cursor``; see :meth:`Tally.skim`."""
        self._tally.skim(found, cursor, now_s)

    @property
    def ledger_time_s(self) -> int:
        """Ledger time up to which the meter has read everything, Unix seconds."""
        return self._tally.time_s

    @property
    def issued_windows(self) -> frozenset[int]:
        """Windows whose standard set is on the ledger."""
        return frozenset(self._tally.windows)

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as the meter read them from the ledger."""
        return self._tally.price_at(t)

    def is_final(self, t: int) -> bool:
        """Whether nothing on the ledger can change the bill of interval ``t`` any more."""
        return self._tally.is_final(t)

    def state(self) -> TallyState:
        """What was counted from the ledger, to be stored."""
        return self._tally.state()

    def restore(self, state: TallyState) -> None:
        """Go on from what was stored; the ledger is then followed from its cursor on."""
        self._tally.restore(state)

    def forget_before(self, t: int) -> None:
        """Drop what was counted and read for intervals before ``t``, whose bills are stored elsewhere."""
        self._tally.forget_before(t)
        for known in (self._readings_wh, self._sureness):
            for old in [i for i in known if i < t]:
                del known[old]

    def record_reading(self, t: int, net_wh: int, quality: int = Quality.MEASURED, flags: int = 0) -> None:
        """Measured net consumption of interval ``t`` (Wh, negative if the home fed in), how sure, and what happened.

        Raises ``ValueError`` for a second, different value, and for anything but whole numbers.
        """
        if type(t) is not int or type(net_wh) is not int or t < 0:
            raise ValueError("a reading is a whole number of Wh for an interval from 0 on")
        if self._readings_wh.get(t, net_wh) != net_wh:
            raise ValueError(f"interval {t} has a reading already; a reading is never changed")
        self._readings_wh[t] = net_wh
        self._sureness.setdefault(t, (int(quality), int(flags)))

    def bill(self, t: int, price: PriceChange) -> BillingRecord:
        """The final bill of interval ``t``.

        Raises ``ValueError`` if there is no reading, if ``price`` is not the ledger's for ``t``, or if the meter has
        not read the ledger up to the deposit deadline of ``t``.
        """
        if t not in self._readings_wh:
            raise ValueError(f"interval {t} has no reading")
        if not self._tally.is_final(t):
            deadline_s = deposit_deadline_s(self._grid, t, self._gate_s)
            raise ValueError(
                f"interval {t} takes deposits until ledger time {deadline_s}, and the meter has read to "
                f"{self._tally.time_s}; follow the ledger to the deadline first"
            )
        if price != self._tally.price_at(t):
            raise ValueError(f"this is not the ledger's price of interval {t}")
        tally, (quality, flags) = self._tally, self._sureness[t]
        return bill_interval(
            meter=self.number,
            t=t,
            measured_wh=self._readings_wh[t],
            epa_withdrawn_wh=tally.withdrawn_wh[Kind.EPA, t],
            epa_deposited_wh=tally.deposited_wh[Kind.EPA, t],
            eca_withdrawn_wh=tally.withdrawn_wh[Kind.ECA, t],
            eca_deposited_wh=tally.deposited_wh[Kind.ECA, t],
            fa_withdrawn_nano=tally.fa_withdrawn_nano[t],
            fa_deposited_nano=tally.fa_deposited_nano[t],
            consumption_nano_per_wh=price.consumption_nano_per_wh,
            production_nano_per_wh=price.production_nano_per_wh,
            quality=quality,
            flags=flags,
        )

    def statement(self, first: int, last: int, price_of: Callable[[int], PriceChange | None]) -> SignedStatement:
        """The signed totals of the intervals ``first..last`` (inclusive), with the next nonce.

        ``price_of`` is the ledger's ``price_at``. Periods follow one another without gap or overlap; asking again for
        a period already stated returns the same statement, for a message that got lost.

        Raises ``ValueError`` for a period that does not follow the last one, and whatever :meth:`bill` raises.
        """
        for made in self._statements:
            if (made.statement.first, made.statement.last) == (first, last):
                return made
        if not 0 <= first <= last:
            raise ValueError(f"a period is first..last; got {first}..{last}")
        if self._statements and first != self._statements[-1].statement.last + 1:
            raise ValueError(f"the next statement starts at interval {self._statements[-1].statement.last + 1}")
        records = [self._bill_at(t, price_of(t)) for t in range(first, last + 1)]
        statement = statement_of(self.number, len(self._statements), records)
        signed = sign_statement(self._domain, statement, self._key)
        self._statements.append(signed)
        return signed

    def _bill_at(self, t: int, price: PriceChange | None) -> BillingRecord:
        if price is None:
            raise ValueError(f"the DSO has announced no price for interval {t}")
        return self.bill(t, price)

    def __repr__(self) -> str:
        return f"Meter(number={self.number})"

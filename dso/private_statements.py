"""The DSO's desk for private statements: totals that verify against commitments, and no interval ever."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from assets.commitments.errors import BadStatement
from assets.commitments.group import Group
from assets.commitments.sheet import SignedSheet
from assets.commitments.statement import PrivateStatement, SignedPrivateStatement
from assets.commitments.tariff import Prices, prices_of
from assets.commitments.verification import Expected, verify_sheet, verify_statement
from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.notes import Kind
from assets.port import Entry
from assets.statement import billed_window, first_open_interval
from assets.transactions import Domain, Settlement, Withdraw, price_in_force
from dso.registry import Registry

_PERIODS_KEPT = 64
"""Of how many periods prices are kept at most: strangers may name any."""


class PublicLedger(Protocol):
    """What the desk reads of a ledger: a part of :class:`assets.port.Ledger`, so that its published log will do."""

    @property
    def domain(self) -> Domain:
        """For which ledger signatures are made."""

    @property
    def grid(self) -> IntervalGrid:
        """The time grid of delivery intervals."""

    @property
    def now_s(self) -> int:
        """Ledger time, Unix seconds."""

    def entries(self, start: int = 0) -> list[Entry]:
        """Accepted transactions from sequence number ``start`` on."""


class PrivateStatements:
    """Sheets and private statements of the meters that the ledger authorises.

    A sheet binds its meter from the moment it is received; a second, different one for the same interval is kept as
    evidence. A statement is booked once and settled from :meth:`settlements`.
    """

    def __init__(self, ledger: PublicLedger, gate_s: int, group: Group) -> None:
        """``gate_s``: seconds after the end of an interval before which its deposits must be on the ledger."""
        self._ledger, self._gate_s, self._group = ledger, gate_s, group
        self._cursor = 0
        self._registry = Registry()
        self._periods: dict[tuple[int, int, int], Prices] = {}
        self._fa_withdrawn_nano: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._sheets: defaultdict[int, list[SignedSheet]] = defaultdict(list)
        self._booked: defaultdict[int, list[SignedPrivateStatement]] = defaultdict(list)
        self.contradictions: list[tuple[SignedSheet, SignedSheet]] = []
        """Pairs of different sheets that a meter signed for one interval: the one kept, the one refused."""

    def receive_sheet(self, signed: SignedSheet, restored: bool = False) -> None:
        """Keep a sheet; the same one again changes nothing. ``restored``: from the desk's own store, see :meth:`check`.

        Raises :class:`~assets.commitments.errors.BadStatement` for an unknown meter, a wrong signature, intervals that
        still take deposits, or intervals of which the meter signed another sheet before.
        """
        now_s = self._follow()
        sheet = signed.sheet
        signer = signed.signer(self._ledger.domain, self._group) if restored else None
        verify_sheet(signed, self._ledger.domain, self._group, self._key(sheet.meter, signer))
        for kept in self._sheets[sheet.meter]:
            if kept.sheet == sheet:
                return
            if kept.sheet.first <= sheet.last and sheet.first <= kept.sheet.last:
                if (kept, signed) not in self.contradictions:
                    self.contradictions.append((kept, signed))
                why = f"the meter signed another sheet of {kept.sheet.first}..{kept.sheet.last}; both are kept"
                raise BadStatement(sheet.meter, "sheets", why)
        if sheet.last >= first_open_interval(self._ledger.grid, now_s, self._gate_s):
            raise BadStatement(sheet.meter, "last", f"interval {sheet.last} still takes deposits")
        self._sheets[sheet.meter].append(signed)

    def receive(self, signed: SignedPrivateStatement, restored: bool = False) -> None:
        """Verify a statement against the sheets received and the ledger, and book it.

        Raises :class:`~assets.commitments.errors.BadStatement` with the name of the field; nothing is booked then.
        """
        booked = self._booked[signed.statement.meter]
        self.check(signed, len(booked), booked[-1].statement.last + 1 if booked else None, restored)
        booked.append(signed)

    def check(
        self, signed: SignedPrivateStatement, nonce: int, first: int | None = None, restored: bool = False
    ) -> None:
        """Verify a statement as the one with number ``nonce`` whose period starts at ``first``; book nothing.

        ``restored``: it was booked before, and is good if signed with a key that the meter ever had.

        Raises :class:`~assets.commitments.errors.BadStatement` with the name of the field.
        """
        self._follow()
        s = signed.statement
        touching = [k.sheet for k in self._sheets[s.meter] if k.sheet.first <= s.last and s.first <= k.sheet.last]
        if not touching:
            raise BadStatement(s.meter, "sheets", f"interval {s.first} is missing")
        signer = signed.signer(self._ledger.domain, self._group) if restored else None
        expected = Expected(
            domain=self._ledger.domain,
            group=self._group,
            meter=s.meter,
            key=self._key(s.meter, signer),
            nonce=nonce,
            first=first,
            prices=self._prices_of(s.first, s.last),
            fa_withdrawn_nano=self._withdrawn_nano(s),
        )
        verify_statement(signed, sorted(touching, key=lambda sheet: sheet.first), expected)

    def check_signature(self, signed: SignedPrivateStatement, sheets: Sequence[SignedSheet] = ()) -> None:
        """The meter that the ledger authorises signed the statement, and ``sheets``; that alone, for a judge.

        Raises :class:`~assets.commitments.errors.BadStatement`.
        """
        self._follow()
        meter = signed.statement.meter
        key = self._key(meter)
        if signed.signer(self._ledger.domain, self._group) != key:
            raise BadStatement(meter, "signature", "not signed with the key that the ledger authorises")
        for sheet in sheets:
            if sheet.sheet.meter != meter:
                raise BadStatement(meter, "sheets", f"a sheet of meter {sheet.sheet.meter} is among them")
            verify_sheet(sheet, self._ledger.domain, self._group, key)

    def receive_all(self, publications: Sequence[SignedPrivateStatement]) -> list[BadStatement]:
        """Book all that verify; what is wrong with the others."""
        refused = []
        for signed in publications:
            try:
                self.receive(signed)
            except BadStatement as bad:
                refused.append(bad)
        return refused

    def bills_nano(self, meter: int) -> tuple[int, ...]:
        """The bills booked of a meter, in order: all that the DSO knows of its consumption."""
        return tuple(signed.statement.bill_nano for signed in self._booked[meter])

    def settlements(self, first: int, last: int) -> tuple[Settlement, ...]:
        """What to settle on the ledger once the bills within ``first..last`` are paid: the FA that stood on them.

        Signed by the DSO in a regulatory transaction, this frees the meters' credit.
        """
        return tuple(
            Settlement(meter, signed.statement.fa_withdrawn_nano)
            for meter in sorted(self._booked)
            for signed in self._booked[meter]
            if first <= signed.statement.first <= signed.statement.last <= last and signed.statement.fa_withdrawn_nano
        )

    def _key(self, meter: int, once: Address | None = None) -> Address:
        """The key in force, or ``once`` if that is or was the meter's."""
        if once is not None and self._registry.has_had_key(meter, once):
            return once
        standing = self._registry.standing(meter, self._ledger.now_s)
        if standing is None:
            raise BadStatement(meter, "meter", "the ledger knows no such meter")
        return standing.authorisation.key

    def _prices_of(self, first: int, last: int) -> Prices:
        """The ledger's prices of a period; none if an interval has none. Kept, because all homes have the same."""
        known = (first, last, len(self._registry.prices))
        if known not in self._periods:
            grid, prices = self._ledger.grid, self._registry.prices
            try:
                found = prices_of(first, last, lambda t: price_in_force(prices, grid.start_s(t)))
            except ValueError:
                found = ()
            if len(self._periods) >= _PERIODS_KEPT:
                self._periods.clear()
            self._periods[known] = found
        return self._periods[known]

    def _withdrawn_nano(self, s: PrivateStatement) -> int:
        windows = self._fa_withdrawn_nano[s.meter]
        return sum(amount_nano for t, amount_nano in windows.items() if s.first <= t <= s.last)

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

"""The committer: publishes commitments to final bills, and opens one weighted sum for each period."""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.commitments.dispute import DepositOpening, IntervalOpening
from assets.commitments.group import Group
from assets.commitments.sheet import MAX_ENERGY_WH, Sheet, SignedSheet, sheet_digest, sign_sheet
from assets.commitments.statement import PrivateStatement, SignedPrivateStatement, sign_private, totals_of
from assets.commitments.tariff import Prices, prices_of
from assets.keys import Signer
from assets.transactions import Domain, PriceChange
from smartmeter.billing import BillingRecord, recompute
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import CommitmentBook
from smartmeter.commitments.price_guard import PriceGuard


@dataclass(frozen=True, slots=True)
class Publication:
    """All that the DSO gets of a period: the sheets, and the statement that opens their weighted sum."""

    sheets: tuple[SignedSheet, ...]
    statement: SignedPrivateStatement


class Committer:
    """One meter's commitments on one ledger in one group.

    Every interval is committed to once, every period opened once, with the prices of its bills and no others: a second
    weighting of the same intervals would show differences between them. What was asked for before is given again.
    Every method that raises leaves the book as it was.
    """

    def __init__(
        self,
        meter: int,
        key: Signer,
        secret: BlindingSecret,
        domain: Domain,
        group: Group,
        book: CommitmentBook,
        guard: PriceGuard,
    ) -> None:
        self._meter, self._key, self._secret = meter, key, secret
        self._domain, self._group, self._book, self._guard = domain, group, book, guard

    def commit(self, records: Sequence[BillingRecord]) -> SignedSheet:
        """The signed sheet for final bills of consecutive intervals, the first right after the last sheet's.

        Raises ``ValueError`` for another meter's bill, a gap, an interval that was committed to with another bill, or
        a residual of 1 TWh and more; :class:`~smartmeter.billing.BillMismatch` for a bill that does not follow.
        """
        if not records:
            raise ValueError("a sheet has at least one interval")
        for at, record in enumerate(records):
            recompute(record)
            if record.meter != self._meter:
                raise ValueError(f"the bill of interval {record.t} is of meter {record.meter}, not {self._meter}")
            if record.t != records[0].t + at:
                raise ValueError(f"interval {records[0].t + at} is missing; a sheet has consecutive intervals")
            if abs(record.residual_wh) >= MAX_ENERGY_WH:
                raise ValueError(f"the residual of interval {record.t} is not below 2**40 Wh; check the reading")
        first, last = records[0].t, records[-1].t
        expected = self._book.next_interval
        if expected is None or first == expected:
            self._book.commit(records)
        elif self._book.records(first, last) != list(records) or (first, last) not in self._book.sheet_spans(
            first, last
        ):
            raise ValueError(
                f"the next sheet starts at interval {expected}; what was committed to is never committed to again "
                "in another way"
            )
        return self._sheet(list(records))

    def commit_all(self, records: Sequence[BillingRecord], intervals: int) -> list[SignedSheet]:
        """Commit to those of the bills that were not committed to yet, in sheets of at most ``intervals``.

        Raises what :meth:`commit` raises; the others must be those that were committed to.
        """
        following = self._book.next_interval
        old = [r for r in records if following is not None and r.t < following]
        if old and self._book.records(old[0].t, old[-1].t) != old:
            raise ValueError("a bill differs from what was committed to; a final bill never changes")
        new = records[len(old) :]
        return [self.commit(new[at : at + intervals]) for at in range(0, len(new), intervals)]

    def state(self, first: int, last: int) -> Publication:
        """Open the price-weighted sum of ``first..last``: whole sheets, right after the last period.

        Raises ``ValueError`` for a period that does not follow the last one, cuts through a sheet, or is not committed
        to; :class:`~smartmeter.commitments.price_guard.PricesIsolate` if its prices single out intervals.
        """
        periods = self._book.periods()
        if (first, last) in periods:
            return self._publication(periods[first, last], first, last)
        stated = max((end for _, end in periods), default=-1)
        if periods and first != stated + 1:
            raise ValueError(f"the next period starts at interval {stated + 1}; each is opened once only")
        if first > last:
            raise ValueError(f"a period is first..last; got {first}..{last}")
        nonce = max(periods.values(), default=-1) + 1
        publication = self._publication(nonce, first, last)
        self._guard.check(publication.statement.statement.prices)
        self._book.open(nonce, first, last)
        return publication

    def resume(self, last_stated: SignedPrivateStatement) -> None:
        """Start over with an empty book after this meter's own last statement, as the DSO returns it.

        For a meter whose book is lost: a book restored from an old backup would open intervals a second time.
        Raises ``ValueError`` for a book that is not empty, or a statement that this meter did not sign here.
        """
        s = last_stated.statement
        if last_stated.signer(self._domain, self._group) != self._key.address or s.meter != self._meter:
            raise ValueError("this meter did not sign that statement for this ledger and group")
        if self._book.next_interval is not None:
            raise ValueError("the book is not empty; resume with a new one")
        self._book.open(s.nonce, s.first, s.last)

    def open_interval(self, t: int) -> IntervalOpening:
        """What the prosumer shows a judge about interval ``t``; never sent to the DSO.

        Raises ``ValueError`` if the interval was not committed to.
        """
        records = self._book.records(t, t)
        if not records:
            raise ValueError(f"interval {t} was not committed to")
        return self._opening(records[0])

    def open_deposits(self, first: int, last: int) -> DepositOpening:
        """What the prosumer shows a judge about the FA credited in a period that was opened."""
        if (first, last) not in self._book.periods():
            raise ValueError(f"{first}..{last} is no period that was stated")
        return self._deposits(self._book.records(first, last))

    def _sheet(self, records: list[BillingRecord]) -> SignedSheet:
        points = bytearray()
        for record in records:
            opening = self._opening(record)
            points += self._group.commit(opening.import_wh, opening.import_blinding)
            points += self._group.commit(opening.export_wh, opening.export_blinding)
        sheet = Sheet(self._meter, records[0].t, bytes(points))
        return sign_sheet(self._domain, self._group, sheet, self._key)

    def _opening(self, record: BillingRecord) -> IntervalOpening:
        import_wh, export_wh = max(0, record.residual_wh), max(0, -record.residual_wh)
        return IntervalOpening(
            t=record.t,
            import_wh=import_wh,
            export_wh=export_wh,
            import_blinding=self._secret.of_import(record.t, import_wh),
            export_blinding=self._secret.of_export(record.t, export_wh),
        )

    def _deposits(self, records: Sequence[BillingRecord]) -> DepositOpening:
        amount_nano = sum(r.fa_deposited_nano for r in records)
        return DepositOpening(amount_nano, self._secret.of_deposits(records[0].t, records[-1].t, amount_nano))

    def _publication(self, nonce: int, first: int, last: int) -> Publication:
        records = self._book.records(first, last)
        spans = self._book.sheet_spans(first, last)
        if len(records) != last - first + 1:
            raise ValueError(f"{first}..{last} was not committed to in full; publish its sheets first")
        if spans[0][0] != first or spans[-1][1] != last:
            raise ValueError(f"a period is made of whole sheets; {spans[0][0]}..{spans[-1][1]} would be")
        signed = tuple(self._sheet(records[low - first : high - first + 1]) for low, high in spans)
        sheets = tuple(s.sheet for s in signed)
        prices = prices_of_bills(records)
        deposits = self._deposits(records)
        statement = PrivateStatement(
            meter=self._meter,
            nonce=nonce,
            first=first,
            last=last,
            sheets=tuple(sheet_digest(self._domain, self._group, sheet) for sheet in sheets),
            prices=prices,
            totals=totals_of(self._group, sheets, prices),
            fa_deposited=self._group.commit(deposits.amount_nano, deposits.blinding),
            fa_withdrawn_nano=sum(r.fa_withdrawn_nano for r in records),
            bill_nano=sum(r.bill_nano for r in records),
            blinding=self._weighted_blinding(records, deposits),
        )
        return Publication(signed, sign_private(self._domain, self._group, statement, self._key))

    def _weighted_blinding(self, records: Sequence[BillingRecord], deposits: DepositOpening) -> int:
        """ρ = Σ p_c(t) r_t - Σ p_p(t) s_t - u."""
        total = -deposits.blinding
        for record in records:
            opening = self._opening(record)
            total += record.consumption_nano_per_wh * opening.import_blinding
            total -= record.production_nano_per_wh * opening.export_blinding
        return total % self._group.order


def prices_of_bills(records: Sequence[BillingRecord]) -> Prices:
    """The prices of consecutive bills."""
    by_interval = {r.t: PriceChange(0, r.consumption_nano_per_wh, r.production_nano_per_wh) for r in records}
    return prices_of(records[0].t, records[-1].t, by_interval.get)

"""A period's statement from its bills."""

from collections.abc import Sequence

from assets.statement import Statement
from smartmeter.billing import BillingRecord


def statement_of(meter: int, nonce: int, records: Sequence[BillingRecord]) -> Statement:
    """The totals of the bills ``records``, which are of consecutive intervals, as statement number ``nonce``."""
    return Statement(
        meter=meter,
        nonce=nonce,
        first=records[0].t,
        last=records[-1].t,
        import_wh=sum(max(0, r.residual_wh) for r in records),
        export_wh=sum(max(0, -r.residual_wh) for r in records),
        fa_withdrawn_nano=sum(r.fa_withdrawn_nano for r in records),
        fa_deposited_nano=sum(r.fa_deposited_nano for r in records),
        bill_nano=sum(r.bill_nano for r in records),
    )

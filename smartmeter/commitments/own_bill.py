"""The prosumer's check of its own bill: interval by interval, against what its meter committed to and was paid for."""

from collections.abc import Sequence

from assets.commitments.dispute import DepositOpening, IntervalOpening, judge_deposits, judge_interval
from assets.commitments.errors import BadStatement
from assets.commitments.group import Group
from assets.commitments.sheet import Sheet
from assets.commitments.statement import PrivateStatement
from assets.transactions import Domain
from smartmeter.billing import BillingRecord, recompute


def check_own_bill(
    domain: Domain,
    group: Group,
    statement: PrivateStatement,
    sheets: Sequence[Sheet],
    records: Sequence[BillingRecord],
    openings: Sequence[IntervalOpening],
    deposits: DepositOpening,
) -> None:
    """The statement bills exactly what ``records``, which the prosumer believes, say of every interval of the period.

    Raises :class:`~assets.commitments.errors.BadStatement` naming the interval for the first that was committed to
    otherwise, priced otherwise, or is missing, and for another total; :class:`~smartmeter.billing.BillMismatch` for a
    record that does not follow from its own fields.
    """
    s = statement
    sheet_of = {t: sheet for sheet in sheets for t in range(sheet.first, sheet.last + 1)}
    opening_of = {opening.t: opening for opening in openings}
    record_of = {record.t: record for record in records if record.meter == s.meter}
    for run in s.prices:
        for t in range(run.first, run.last + 1):
            if not (t in sheet_of and t in opening_of and t in record_of):
                raise BadStatement(s.meter, "sheets", f"interval {t} has no commitment, no opening or no bill")
            record, opening = record_of[t], opening_of[t]
            recompute(record)
            judge_interval(domain, group, s, sheet_of[t], opening)
            if opening.residual_wh != record.residual_wh:
                why = f"interval {t}: committed {opening.residual_wh} Wh, billed {record.residual_wh} Wh"
                raise BadStatement(s.meter, "residual_wh", why)
            if (record.consumption_nano_per_wh, record.production_nano_per_wh) != (
                run.level.consumption_nano_per_wh,
                run.level.production_nano_per_wh,
            ):
                raise BadStatement(s.meter, "prices", f"interval {t}: the bill has other prices than the statement")
    judge_deposits(group, s, deposits)
    of_period = [record_of[t] for t in range(s.first, s.last + 1) if t in record_of]
    for name, stated, summed in (
        ("fa_deposited", deposits.amount_nano, sum(r.fa_deposited_nano for r in of_period)),
        ("fa_withdrawn_nano", s.fa_withdrawn_nano, sum(r.fa_withdrawn_nano for r in of_period)),
        ("bill_nano", s.bill_nano, sum(r.bill_nano for r in of_period)),
    ):
        if stated != summed:
            raise BadStatement(s.meter, name, f"the statement says {stated} nano, the intervals add up to {summed}")

"""(d) What the DSO was told, beside the bills that were made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assets.commitments.statement import PrivateStatement
from assets.statement import Statement
from assets.units import format_amount
from petra.village.audit.finding import Check, Finding, Part
from smartmeter.billing import BillingRecord


@dataclass(frozen=True, slots=True)
class Told:
    """A statement that the DSO booked, plain or private: the sums of a period that it shows, by name."""

    meter: int
    nonce: int
    first: int
    last: int
    sums: Mapping[str, int]

    @classmethod
    def of(cls, s: Statement | PrivateStatement) -> "Told":
        """What a statement tells."""
        sums = {"bill_nano": s.bill_nano, "fa_withdrawn_nano": s.fa_withdrawn_nano}
        if isinstance(s, Statement):
            sums |= {"import_wh": s.import_wh, "export_wh": s.export_wh, "fa_deposited_nano": s.fa_deposited_nano}
        return cls(s.meter, s.nonce, s.first, s.last, sums)


def sums_of(records: Sequence[BillingRecord]) -> dict[str, int]:
    """What a statement of these bills shows."""
    return {
        "bill_nano": sum(b.bill_nano for b in records),
        "fa_withdrawn_nano": sum(b.fa_withdrawn_nano for b in records),
        "import_wh": sum(max(0, b.residual_wh) for b in records),
        "export_wh": sum(max(0, -b.residual_wh) for b in records),
        "fa_deposited_nano": sum(b.fa_deposited_nano for b in records),
    }


def audit_statements(statements: Iterable[Told], bills: Mapping[int, Sequence[BillingRecord]]) -> Part:
    """Every statement is the sum of its period's bills, no interval is stated twice; ``bills`` by meter.

    Without any statement there is nothing to compare: then the figures say so.
    """
    findings, stated, total_nano, count = [], dict[tuple[int, int], int](), 0, 0
    for s in statements:
        count += 1
        total_nano += s.sums["bill_nano"]
        records = [b for b in bills.get(s.meter, ()) if s.first <= b.t <= s.last]
        name = f"meter{s.meter}"
        if [b.t for b in records] != list(range(s.first, s.last + 1)):
            findings.append(Finding(Check.STATEMENTS, name, f"states {s.first}..{s.last}, and did not bill all of it"))
            continue
        for t in range(s.first, s.last + 1):
            if (s.meter, t) in stated:
                text = f"states interval {t} in its statements {stated[s.meter, t]} and {s.nonce}"
                findings.append(Finding(Check.STATEMENTS, name, text))
            stated[s.meter, t] = s.nonce
        summed = sums_of(records)
        for what, told in s.sums.items():
            if told != summed[what]:
                text = f"intervals {s.first}..{s.last}: it stated {what} {told}, its bills give {summed[what]}"
                findings.append(Finding(Check.STATEMENTS, name, text))
    if not count:
        return Part(Check.STATEMENTS, "the DSO received none")
    unstated = [f"meter{m}" for m, own in sorted(bills.items()) if any((m, b.t) not in stated for b in own)]
    figures = f"{count} statements, {format_amount(total_nano)} USD"
    if unstated:
        figures += "; not all intervals stated by " + ", ".join(unstated)
    return Part(Check.STATEMENTS, figures, tuple(findings))

"""Opening single commitments to a judge: what a prosumer, or the DSO with the meter's help, shows in a dispute.

A judge needs the signed statement, the sheet of the interval (the statement names its digest) and the opening; it
learns one interval and nothing of the others. The DSO, which is not the judge, need not see it.
"""

from dataclasses import dataclass, field

from assets.commitments.errors import BadStatement
from assets.commitments.group import Group
from assets.commitments.sheet import MAX_ENERGY_WH, Sheet, sheet_digest
from assets.commitments.statement import PrivateStatement
from assets.transactions import Domain


@dataclass(frozen=True, slots=True)
class IntervalOpening:
    """What a meter committed to for one interval, with the blindings that prove it."""

    t: int
    import_wh: int
    export_wh: int
    import_blinding: int = field(repr=False)
    export_blinding: int = field(repr=False)

    @property
    def residual_wh(self) -> int:
        """E of the interval."""
        return self.import_wh - self.export_wh


@dataclass(frozen=True, slots=True)
class DepositOpening:
    """The FA deposited on the bills of a period, with the blinding that proves it."""

    amount_nano: int
    blinding: int = field(repr=False)


def judge_interval(
    domain: Domain, group: Group, statement: PrivateStatement, sheet: Sheet, opening: IntervalOpening
) -> None:
    """The meter committed to exactly this residual, in a sheet that the statement names.

    Raises :class:`BadStatement`. An opening outside of 0 to 2**40 Wh, or with import and export at once, is refused: a
    meter that committed to a negative number to lower a bill cannot open it.
    """
    if not sheet.first <= opening.t <= sheet.last or sheet_digest(domain, group, sheet) not in statement.sheets:
        raise BadStatement(statement.meter, "sheets", f"the statement names no such sheet with interval {opening.t}")
    for name, value in (("import_wh", opening.import_wh), ("export_wh", opening.export_wh)):
        if not 0 <= value < MAX_ENERGY_WH:
            raise BadStatement(statement.meter, name, f"{value} Wh is no energy of one interval")
    if opening.import_wh and opening.export_wh:
        raise BadStatement(statement.meter, "export_wh", "a residual is an import or an export, never both")
    if group.commit(opening.import_wh, opening.import_blinding) != sheet.imported(opening.t):
        raise BadStatement(statement.meter, "import_wh", f"not what was committed for interval {opening.t}")
    if group.commit(opening.export_wh, opening.export_blinding) != sheet.exported(opening.t):
        raise BadStatement(statement.meter, "export_wh", f"not what was committed for interval {opening.t}")


def judge_deposits(group: Group, statement: PrivateStatement, opening: DepositOpening) -> None:
    """The meter credited exactly this FA. Raises :class:`BadStatement`."""
    if not 0 <= opening.amount_nano < 2**128:
        raise BadStatement(statement.meter, "fa_deposited", f"{opening.amount_nano} nano is no amount")
    if group.commit(opening.amount_nano, opening.blinding) != statement.fa_deposited:
        raise BadStatement(statement.meter, "fa_deposited", "not the amount that was committed")

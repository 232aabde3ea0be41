"""What happened and what the audit found, as tables."""

from collections.abc import Iterable

from petra.tables import Table
from petra.village.audit.finding import Part
from petra.village.audit.recovery import Happened
from petra.village.chaos.kinds import Planned


def plan_table(plan: Iterable[Planned], seed: int) -> Table:
    """What is going to happen."""
    rows = [[p.kind.value, f"{p.at_ms / 1000:.1f}", p.text] for p in plan]
    return Table(f"Plan of seed {seed}", ("fault", "at [s]", "what"), rows)


def faults_table(happened: Iterable[Happened]) -> Table:
    """What happened, and how long it took to get over it."""
    rows = [
        [
            h.fault,
            h.victim,
            h.role,
            f"{h.at_s:.1f}",
            f"{h.healed_s - h.at_s:.1f}",
            "not" if h.recovered_s is None else f"{h.recovered_s - h.healed_s:.1f}",
            str(h.restarts),
        ]
        for h in sorted(happened, key=lambda h: h.at_s)
    ]
    header = ("fault", "victim", "role", "at [s]", "healed after [s]", "recovered after [s]", "restarts")
    return Table("Faults", header, rows, "Real seconds; recovered: counted from when the fault was taken back.")


def audit_table(parts: Iterable[Part]) -> Table:
    """What was looked at, and whose doing it is if something is wrong."""
    rows = []
    for part in parts:
        rows.append([part.check.value, "WRONG" if part.findings else "right", part.figures])
        rows += [["", finding.culprit, finding.text] for finding in part.findings]
    return Table("Audit", ("what", "result", "figures"), rows)

"""The tables of a run: the same for the terminal and for the report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assets.notes import Kind
from assets.units import format_amount
from petra.bills import home_bills
from petra.conservation import balances
from petra.knowledge import Learnt
from petra.simulation import Run
from petra.summary import STAGES


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a header, and rows of text; numbers are right-aligned, the first column is not."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    """What the reader should know to read it."""


MAX_ROWS = 100
"""More homes than this are summed up: nobody reads on, and ``bills.csv`` has them all."""


def bills_table(run: Run) -> Table:
    """One row for each home, and their sum; of a large community the sum alone."""
    bills = home_bills(run.bills)
    shown = bills if len(bills) <= MAX_ROWS else []
    rows = [
        [
            f"home {b.home}",
            kwh(b.measured_import_wh - b.measured_export_wh),
            kwh(b.bought_wh),
            kwh(b.sold_wh),
            kwh(b.residual_wh),
            format_amount(b.bill_nano),
            format_amount(b.bill_without_trading_nano),
            format_amount(b.saved_nano),
        ]
        for b in shown
    ]
    rows.append(
        [
            "all" if shown else f"all {len(bills)} homes",
            kwh(sum(b.measured_import_wh - b.measured_export_wh for b in bills)),
            kwh(sum(b.bought_wh for b in bills)),
            kwh(sum(b.sold_wh for b in bills)),
            kwh(sum(b.residual_wh for b in bills)),
            format_amount(sum(b.bill_nano for b in bills)),
            format_amount(sum(b.bill_without_trading_nano for b in bills)),
            format_amount(sum(b.saved_nano for b in bills)),
        ]
    )
    header = ["", "net", "bought", "sold", "E", "bill", "untraded", "saved"]
    note = (
        "Energy in kWh, money in USD. Bought and sold: local trades; E: residual with the DSO; untraded: the bill "
        "without local trading. The DSO pays out a negative bill."
    )
    if not shown:
        note += " Each home's row stands in bills.csv."
    return Table("Bills", header, rows, note)


def conservation_table(run: Run) -> Table:
    """Issued = deposited + outstanding; Σ E ≥ Σ measured; the DSO is paid what it is owed."""
    rows = []
    for b in balances(run.entries, run.bills, run.scenario.interval_s):
        show = format_amount if b.kind == Kind.FA else kwh
        unit = "USD" if b.kind == Kind.FA else "kWh"
        rows.append(
            [
                f"{b.kind.name} issued = deposited + open",
                unit,
                show(b.issued),
                f"{show(b.deposited)} + {show(b.outstanding)}",
                _verdict(b.outstanding >= 0),
            ]
        )
    r = run.reconciliation
    rows += [
        ["Σ E ≥ Σ measured", "kWh", kwh(r.residual_wh), kwh(r.measured_wh), _verdict(r.energy_shortfall_wh == 0)],
        [
            "DSO is paid = owed",
            "USD",
            format_amount(r.paid_nano),
            format_amount(r.owed_nano),
            _verdict(r.balanced and r.paid_nano == r.owed_nano),
        ],
    ]
    return Table("Conservation", ["", "unit", "left", "right", "holds"], rows, "Open: not deposited in time.")


def stages_table(run: Run) -> Table:
    """Wall-clock seconds of each stage."""
    rows = [[stage, f"{run.seconds.get(stage, 0.0):.2f}"] for stage in STAGES]
    return Table("Stages", ["stage", "seconds"], rows)


def profile_table(run: Run) -> Table:
    """Processor time and memory of every stage, and how much of it falls on a home in an interval."""
    watch, units = run.watch, len(run.grid.homes) * run.scenario.intervals
    stages = {stage: seconds for stage, seconds in watch.cpu_s.items() if stage != "total"}
    total_s, peak_mib = sum(stages.values()), max(watch.peak_mib.values(), default=0.0)
    rows = [_profile_row(stage, seconds, total_s, units, watch.peak_mib[stage]) for stage, seconds in stages.items()]
    rows.append(_profile_row("sum", total_s, total_s, units, peak_mib))
    note = (
        f"{len(run.grid.homes)} homes, {run.scenario.intervals} intervals. CPU time of this process, which a busy "
        "machine changes less than the time that passes; peak: most memory held up to the end of the stage's last turn."
    )
    return Table("Profile", ["stage", "CPU s", "share", "µs a home and interval", "peak MiB"], rows, note)


def _profile_row(stage: str, seconds: float, total_s: float, units: int, peak_mib: float) -> list[str]:
    share = f"{100 * seconds / total_s:.1f} %" if total_s else "-"
    return [stage, f"{seconds:.2f}", share, f"{1e6 * seconds / units:.1f}", f"{peak_mib:.0f}"]


def crypto_table(run: Run) -> Table:
    """What was counted and not executed."""
    rows = []
    for cost in run.costs:
        each = "-" if cost.unit_us is None else f"{cost.unit_us:.3f}"
        rows.append([cost.operation, f"{cost.count:,}", each, f"{cost.cpu_s:,.1f}"])
    rows.append(["all", "", "", f"{sum(cost.cpu_s for cost in run.costs):,.1f}"])
    note = (
        "None of these was executed, so no signature of this run proves anything. CPU seconds: the counts times what "
        "each takes on this machine, measured at the end of the run; for all homes together, of which each would have "
        "its own processor. Reading, hashing and storing messages would come on top."
    )
    return Table("Cryptography counted, not executed", ["operation", "count", "µs each", "CPU s"], rows, note)


def knowledge_table(learnt: Sequence[Learnt]) -> Table:
    """One column for each kind of observer; the neighbours' column has the most that any of them learnt."""
    groups = {row.observer: [row] for row in learnt if not row.observer.startswith("home ")}
    groups["a neighbour"] = [row for row in learnt if row.observer.startswith("home ")]
    columns = groups.values()
    rows = [
        ["trades seen", *(_most(r.trades for r in rows) for rows in columns)],
        ["sellers named", *(_most(r.sellers_named for r in rows) for rows in columns)],
        ["buyers named", *(_most(r.buyers_named for r in rows) for rows in columns)],
        ["homes a seller hides among", *(_smallest(r.smallest_seller_set for r in rows) for rows in columns)],
        ["homes a buyer hides among", *(_smallest(r.smallest_buyer_set for r in rows) for rows in columns)],
        ["deposits named", *(_most(r.deposits_named for r in rows) for rows in columns)],
        ["limit prices", *(_most(r.limit_prices for r in rows) for rows in columns)],
        ["readings of an interval", *(_most(r.readings for r in rows) for rows in columns)],
        ["totals of a period", *(_most(r.bills for r in rows) for rows in columns)],
    ]
    note = (
        "Counted from what each received in this run beside the ledger, which all can read; its own affairs do not "
        "count. Of the neighbours, the most that any one learnt. Timing and network addresses are not measured: "
        "docs/attacks.md."
    )
    return Table("Who learnt what", ["", *groups], rows, note)


def _most(counts: Iterable[int]) -> str:
    return str(max(counts))


def _smallest(sizes: Iterable[int | None]) -> str:
    known = [size for size in sizes if size is not None]
    return str(min(known)) if known else "-"


def kwh(energy_wh: int) -> str:
    """Watt-hours as kilowatt-hours with all three decimals."""
    return f"{'-' if energy_wh < 0 else ''}{abs(energy_wh) // 1000}.{abs(energy_wh) % 1000:03d}"


def _verdict(holds: bool) -> str:
    return "yes" if holds else "NO"

"""The table of all rows."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from benchmarks.row import Row

SIGNIFICANT_DIGITS = 3


def render(sections: Mapping[str, Sequence[Row]]) -> Table:
    """One table; the rows of each section together, under its name."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", title="PETra beside its references", title_justify="left")
    for name in ("measured", "median", "unit", "runs", "reference", "its value", "cost ÷ reference"):
        numeric = name in ("median", "runs", "its value", "cost ÷ reference")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True)
    for section, rows in sections.items():
        table.add_row(f"[bold]{section}[/bold]")
        for row in rows:
            table.add_row(*_cells(row))
        table.add_section()
    return table


def _cells(row: Row) -> tuple[str, ...]:
    name, value, ratio = "", "", ""
    if row.reference is not None and row.ratio is not None:
        name, value = row.reference.name, figure(row.reference.value)
        ratio = figure(row.ratio)
    return f"  {row.measured}", figure(row.value), row.unit, str(row.runs), name, value, ratio


def figure(value: float) -> str:
    """``value`` with three significant digits, all of them before the point if it is large."""
    whole_digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:,.{max(0, SIGNIFICANT_DIGITS - whole_digits)}f}"

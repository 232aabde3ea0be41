"""``report.html``: one self-contained file that loads nothing."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from petra import plots, tables
from petra.knowledge import Learnt
from petra.ledgers import shown
from petra.simulation import Run
from petra.tables import Table

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } .warning { background: #fff3cd; padding: .6rem 1rem }
table { border-collapse: collapse; font-size: 14px } td, th { padding: .2rem .8rem; text-align: right }
td:first-child, th:first-child { text-align: left } tr + tr { border-top: 1px solid #ddd } .note { color: #555 }
svg { width: 100%; height: auto } .scroll { overflow-x: auto }
"""


def write_report(run: Run, learnt: Sequence[Learnt], banner: str, path: Path) -> None:
    """Write the report of ``run`` to ``path``; ``banner`` says what the run does not protect."""
    scenario = run.scenario
    counted = [_table(tables.crypto_table(run))] if run.costs else []
    sections = [
        *counted,
        _plot("Energy", plots.energy_plot(run)),
        _plot("Price", plots.price_plot(run)),
        _plot("Savings", plots.savings_plot(run)),
        *(_table(t) for t in (tables.bills_table(run), tables.conservation_table(run))),
        *(_table(t) for t in (tables.knowledge_table(learnt), tables.stages_table(run))),
    ]
    title = f"{len(run.grid.homes)} homes, {scenario.intervals} intervals of {scenario.interval_s} s"
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>PETra: {escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>PETra</h1><p>{escape(title)} from {escape(scenario.profiles.start.isoformat())}; "
        f"{escape(scenario.name)}; seed {scenario.seed}; ledger {escape(shown(scenario.ledger))}.</p>"
        f'<p class="warning">{escape(banner)}</p>{"".join(sections)}</body></html>\n',
        encoding="utf-8",
    )


def _plot(title: str, svg: str) -> str:
    return f"<h2>{escape(title)}</h2>{svg}"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    return f'<h2>{escape(table.title)}</h2><div class="scroll"><table><tr>{head}</tr>{rows}</table></div>{note}'

"""``petra village links|chaos|audit``: a village's network, what goes wrong in it, and whether all came out right."""

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.errors import one_sentence_errors
from petra.commands.stopping import end_as_by_ctrl_c

if TYPE_CHECKING:
    from petra.tables import Table
    from petra.village.chaos.kinds import Kind

Folder = Annotated[Path, typer.Argument(help="The village's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

FIRST_S = 5
"""Real seconds from the beginning to the first fault."""


def links(folder: Folder) -> None:
    """Run the TCP links of links.json, which is read again whenever it changes; until SIGTERM."""
    with one_sentence_errors():
        from petra.village import links as running

        def ready(count: int) -> None:
            print(json.dumps({"links": count}), flush=True)

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        asyncio.run(running.run(folder, ready))


def audit(folder: Folder, as_json: AsJson = False) -> None:
    """Check notes, bills, outcomes and statements of a village. Exit code 1: something is wrong, and whose doing it is.

    `petra village report` has to be made before.
    """
    with one_sentence_errors():
        from petra.village.audit import audit_village
        from petra.village.chaos.tables import audit_table

        parts = audit_village(folder)
    if as_json:
        rows = [
            {
                "check": part.check.value,
                "figures": part.figures,
                "findings": [{"culprit": f.culprit, "text": f.text} for f in part.findings],
            }
            for part in parts
        ]
        typer.echo(json.dumps(rows, indent=1))
    else:
        _show(audit_table(parts))
    if any(part.findings for part in parts):
        raise typer.Exit(1)


def chaos(
    folder: Folder,
    seed: Annotated[int, typer.Option(help="What happens, to whom and when.")] = 1,
    faults: Annotated[str | None, typer.Option(help="Kinds of faults, with commas; all that can happen here.")] = None,
    every: Annotated[float, typer.Option(min=1, help="Real seconds from fault to fault.")] = 12,
    intervals: Annotated[int | None, typer.Option(min=1, help="For so many intervals; until the last but one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
) -> None:
    """Let things go wrong in a running village, wait for its last bill, and audit it. Exit code 1: the audit failed."""
    with one_sentence_errors():
        from petra.village.chaos.kinds import Kind
        from petra.village.chaos.plan import make_plan
        from petra.village.chaos.run import Chaos, cast_of, time_left_ms, until_delivered
        from petra.village.chaos.tables import faults_table, plan_table
        from petra.village.report import make_report
        from petra.village.state import Phase, read_state

        state = read_state(folder)
        if state.phase is not Phase.RUNNING:
            raise ValueError(f"the village is {state.phase.value}, and not running; start one: petra village up")
        kinds = list(Kind) if faults is None else [_kind(name) for name in faults.split(",")]
        left_ms = time_left_ms(folder, state, intervals)
        plan = make_plan(seed, cast_of(folder, state), kinds, FIRST_S * 1000, int(every * 1000), left_ms)
        _show(plan_table(plan, seed))
        left_out = [kind.value for kind in kinds if kind not in {p.kind for p in plan}]
        if left_out:
            typer.echo(f"cannot happen here: {', '.join(left_out)}")
        if dry_run:
            return
        end_as_by_ctrl_c()
        happened = asyncio.run(Chaos(folder, plan, seed, typer.echo).run())
        _show(faults_table(happened))
        typer.echo("waiting for the last bill")
        if not asyncio.run(until_delivered(folder)):
            raise ValueError(f"the village did not deliver its last interval; see petra village status {folder}")
        make_report(folder)
    audit(folder)


def _kind(name: str) -> "Kind":
    from petra.village.chaos.kinds import Kind

    try:
        return Kind(name.strip())
    except ValueError:
        known = ", ".join(kind.value for kind in Kind)
        raise ValueError(f"there is no fault {name.strip()!r}; choose of {known}") from None


def _show(table: "Table") -> None:
    from rich.console import Console

    from petra.commands.printing import rich_table

    Console(width=160, soft_wrap=False).print(rich_table(table))

"""``petra doctor``: what is missing on this machine."""

import json
from pathlib import Path
from typing import Annotated

import typer

from petra.commands.errors import one_sentence_errors
from petra.doctor.needs import ROLES


def doctor(
    role: Annotated[
        list[str] | None, typer.Option(help=f"Of {', '.join(ROLES)}; repeat it. Default: all of them.")
    ] = None,
    folder: Annotated[Path, typer.Option("--dir", help="Where the role's data are to be.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what is missing on this machine for each role, with the line that fixes it.

    Exit code 0: nothing that the roles need is missing, though there may be advice; 1: something is.
    """
    with one_sentence_errors():
        from petra.doctor.examine import examine
        from petra.doctor.needs import Verdict

        asked = role or list(ROLES)
        if unknown := sorted(set(asked) - set(ROLES)):
            raise ValueError(f"{unknown[0]!r} is no role; choose of {', '.join(ROLES)}")
        findings = examine(asked, folder)
    missing = [f for f in findings if f.verdict is Verdict.MISSING]
    if as_json:
        rows = [
            {"what": f.what, "roles": list(f.roles), "verdict": f.verdict.name.lower(), "found": f.found, "fix": f.fix}
            for f in findings
        ]
        typer.echo(json.dumps({"complete": not missing, "roles": asked, "findings": rows}, indent=2))
    else:
        for f in findings:
            needed = ", ".join(r for r in f.roles if r in asked) if len(asked) > 1 else ""
            typer.echo(f"{f.verdict.value:<8} {f.what}: {f.found}" + (f"  ({needed})" if f.fix and needed else ""))
            if f.fix:
                typer.echo(f"         {f.fix}")
    if missing:
        raise typer.Exit(1)

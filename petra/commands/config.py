"""``petra config check``: whether the roles could start with their files."""

from pathlib import Path
from typing import Annotated

import typer

from petra.commands.errors import one_sentence_errors

app = typer.Typer(no_args_is_help=True, help="Configuration files of the roles.")


@app.callback()
def config() -> None:
    """Configuration files of the roles."""


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Such as board.toml, relay.toml, meter3/meter.toml.")],
    online: Annotated[
        bool, typer.Option("--online", help="Ask the ledger's node and the database server, too.")
    ] = False,
    running: Annotated[bool, typer.Option("--running", help="The roles run: their ports are in use.")] = False,
) -> None:
    """Check files, the keys, folders, URLs and ports that they name, and with --online chain id and contract.

    The role is told by a line role = "…", or by the file's name. Exit code 0: the roles could start; 1: something is
    wrong; 2: a file cannot be read, or is no role's.
    """
    wrong = False
    with one_sentence_errors():
        from petra.config.check import check_file

        for path in files:
            role, problems = check_file(path, online, running)
            for problem in problems:
                typer.echo(f"WRONG  {problem}", err=True)
            if not problems:
                typer.echo(f"right  {path}: {role}")
            wrong |= bool(problems)
    if wrong:
        raise typer.Exit(1)

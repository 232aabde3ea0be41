"""What the commands of ``petra wallet`` have in common: options, passphrases, and how they answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

Folder = Annotated[Path, typer.Argument(help="The wallet's folder.")]
PasswordFile = Annotated[Path | None, typer.Option(help="Passphrase of the keystores; else it is asked for.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

NOT_ANONYMOUS = "NOT ANONYMOUS: transport is http; board, bid stores and relays see this machine's address."


def warn_if_direct(transport: str) -> None:
    """Say on standard error that a transport hides nobody, before it is used."""
    if transport == "http":
        typer.echo(NOT_ANONYMOUS, err=True)


def passphrase(path: Path | None, confirm: bool = False) -> str:
    """The passphrase of the keystores, from a file or asked for."""
    if path is not None:
        return secret_text(path, "the passphrase").rstrip("\n")
    asked: str = typer.prompt("Passphrase of the keystores", hide_input=True, confirmation_prompt=confirm)
    return asked


def secret_text(path: Path, what: str) -> str:
    """The text of a file whose content must not be shown."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:  # whose text shows a part of it
        raise ValueError(f"{path} is no UTF-8 text; give a file with {what}") from None


def answer(as_json: bool, value: dict[str, Any], lines: Sequence[str]) -> None:
    """Print ``value`` for a machine or ``lines`` for people."""
    if as_json:
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        for line in lines:
            typer.echo(line)

"""The commands of the operator's evening: bills, faults, reconciliation, settlement, backup, the service."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.transactions import Regulate
from assets.units import format_amount
from dso.desk.folder import DeskFolder
from petra.commands.dso_desk import DESK, Folder, Passphrase, act, app, each_once, open_desk
from petra.commands.errors import one_sentence_errors
from petra.commands.stopping import stop_event
from petra.config.option import config_option
from petra.logs import LogJson, configure

if TYPE_CHECKING:
    from assets.port import Ledger
    from dso.service.intake import Intake
    from dso.service.private_intake import PrivateIntake

__all__ = ["app"]

First = Annotated[int, typer.Option(min=0, help="First interval of the period.")]
Last = Annotated[int, typer.Option(min=0, help="Last interval of the period.")]


def _books(folder: DeskFolder, ledger: "Ledger", stack: ExitStack) -> "tuple[Intake, PrivateIntake]":
    from dso.service.intake import Intake
    from dso.service.private_intake import PrivateIntake, PublicationStore
    from dso.service.store import StatementStore

    plain, private = StatementStore(folder.path / "bills.db"), PublicationStore(folder.path / "private.db")
    stack.callback(plain.close)
    stack.callback(private.close)
    return Intake(ledger, plain, folder.gate_s), PrivateIntake(ledger, private, folder.gate_s)


@app.command()
def bills(
    desk: Folder = DESK,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of CSV.")] = False,
    private: Annotated[bool, typer.Option("--private", help="The private statements instead.")] = False,
) -> None:
    """The statements received, as CSV or JSON."""
    from dso.service.app import PRIVATE_FIELDS, private_row
    from dso.service.store import FIELDS

    with one_sentence_errors(), ExitStack() as stack:
        folder, ledger = open_desk(desk)
        plain_book, private_book = _books(folder, ledger, stack)
        if private:
            rows = [private_row(s) for s in private_book.statements()]
        else:
            rows = [asdict(s) for s in plain_book.statements()]
        names: Sequence[str] = PRIVATE_FIELDS if private else FIELDS
        if as_json:
            typer.echo(json.dumps(rows))
            return
        typer.echo(",".join(names))
        for row in rows:
            typer.echo(",".join(str(row[name]) for name in names))


@app.command()
def faults(first: First, last: Last, desk: Folder = DESK) -> None:
    """Meters whose statements of a period are missing, or that were late, contradictory or implausible."""
    with one_sentence_errors(), ExitStack() as stack:
        folder, ledger = open_desk(desk)
        plain, private = _books(folder, ledger, stack)
        missing = {m.meter for m in plain.missing(first, last) if not private.states(m.meter, m.first, m.last)}
        hidden = private.faults()
        _list("missing", sorted(missing))
        for fault, meters in plain.faults().items():
            _list(fault, sorted({*meters, *hidden[fault]}))


def _list(fault: str, meters: Sequence[int]) -> None:
    typer.echo(f"{fault}: {', '.join(map(str, meters)) or 'none'}")


@app.command()
def reconcile(
    first: First,
    last: Last,
    measured: Annotated[list[str], typer.Argument(help="feeder:Wh that its own meter measured, import less export.")],
    desk: Folder = DESK,
) -> None:
    """Hold the plain statements of a period against what the feeders measured. Exit code 1 if they do not balance."""
    with one_sentence_errors(), ExitStack() as stack:
        try:
            pairs = [(int(feeder), int(wh)) for feeder, wh in (text.split(":") for text in measured)]
        except ValueError:
            raise ValueError("write feeder:Wh in whole watt-hours, such as 3:1200 or -- 5:-300") from None
        each_once("feeder", [feeder for feeder, _ in pairs])
        folder, ledger = open_desk(desk)
        found = _books(folder, ledger, stack)[0].reconcile(first, last, dict(pairs))
        for f in found.feeders:
            typer.echo(
                f"feeder {f.feeder}: measured {f.measured_wh} Wh, billed {f.residual_wh} Wh, "
                f"bought from other feeders {f.traded_in_wh} Wh"
            )
        typer.echo(
            f"owed {format_amount(found.owed_nano)} USD, billed {format_amount(found.paid_nano)} USD, "
            f"FA not returned {format_amount(found.fa_outstanding_nano)} USD"
        )
        if not found.balanced:
            typer.echo(
                f"NOT BALANCED  {found.energy_shortfall_wh} Wh unbilled, {format_amount(found.shortfall_nano)} USD "
                f"short, statements of {len({m.meter for m in found.missing})} meters missing",
                err=True,
            )
            raise typer.Exit(1)
        typer.echo("balanced")


@app.command()
def settle(
    passphrase: Passphrase,
    desk: Folder = DESK,
    meter: Annotated[list[int] | None, typer.Option(help="A meter whose bills are paid; repeat it. All.")] = None,
) -> None:
    """Settle on the ledger the FA of bills that are paid: it frees the meters' credit. Never settles twice."""
    from dso.settlement import settlements_due

    with one_sentence_errors(), ExitStack() as stack:
        folder, ledger = open_desk(desk)
        plain, private = _books(folder, ledger, stack)
        stated = [(s.meter, s.fa_withdrawn_nano) for s in plain.statements()]
        stated += [(s.meter, s.fa_withdrawn_nano) for s in private.statements()]
        due = settlements_due(ledger.entries(), stated, meter or ())
        if not due:
            typer.echo("nothing to settle")
            return
        total = format_amount(sum(s.amount_nano for s in due))
        act(desk, passphrase, Regulate(0, settle=due), f"settled {total} USD of {len(due)} meters")


@app.command()
def backup(to: Annotated[Path, typer.Argument(help="A folder that does not exist.")], desk: Folder = DESK) -> None:
    """Copy the whole desk, while the service runs. To restore, start the service on the copy."""
    import shutil
    import sqlite3
    from contextlib import closing

    with one_sentence_errors():
        DeskFolder.open(desk)
        if to.exists():
            raise ValueError(f"{to} exists; a backup never overwrites one")
        to.mkdir(mode=0o700)
        for path in sorted(desk.rglob("*")):
            target = to / path.relative_to(desk)
            if path.is_dir():
                target.mkdir(mode=0o700)
            elif path.suffix == ".db":
                with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
                    source.backup(copy)
            elif not path.name.endswith((".db-wal", ".db-shm")):
                shutil.copy2(path, target)
        typer.echo(f"copied to {to}; it holds encrypted keys: keep the passphrase elsewhere")


@app.command()
def serve(
    desk: Folder = DESK,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On loopback; 0 lets the system choose.")] = 8700,
    config: Annotated[Path | None, config_option("dso")] = None,
    log_json: LogJson = False,
) -> None:
    """Take in statements over HTTP on loopback; makes tokens at the first start and prints them once.

    Then prints one line of JSON with its address. SIGTERM or Ctrl-C end it.
    """
    import asyncio
    import os
    import secrets

    from dso.service.app import Role, create_app, token_hash

    with one_sentence_errors(), ExitStack() as stack:
        from petra.serving import served

        configure(log_json)
        folder, ledger = open_desk(desk)
        path = desk / "tokens.json"
        if not path.exists():
            fresh = {role: secrets.token_urlsafe(32) for role in Role}
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps({token_hash(token): role.value for role, token in fresh.items()}) + "\n")
            for role, token in fresh.items():
                typer.echo(f"{role.value} token: {token}")
        try:
            tokens = {known: Role(role) for known, role in json.loads(path.read_text(encoding="utf-8")).items()}
        except (ValueError, AttributeError):
            raise ValueError(f"{path} is damaged; delete it: the service then makes fresh tokens") from None
        plain, private = _books(folder, ledger, stack)

        async def run() -> None:
            stop = stop_event()
            async with served(create_app(plain, tokens, private), port=port) as bound:
                print(json.dumps({"dso": f"http://127.0.0.1:{bound}"}), flush=True)
                await stop.wait()

        asyncio.run(run())

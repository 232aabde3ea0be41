"""``petra board``: serve the log over which neighbours mix."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.chain import DEPLOYMENTS
from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from mixer.boardservice.admission import Admission

app = typer.Typer(no_args_is_help=True, help="The board: an append-only log for each mix session.")


@app.callback()
def board() -> None:
    """The board: an append-only log for each mix session."""


@app.command()
def serve(
    database: Annotated[
        str | None, typer.Option(help="A file, or postgresql://… for several replicas. Default: forgotten at the end.")
    ] = None,
    rpc: Annotated[
        str | None, typer.Option(help="Carry sessions of notes unspent on the ledger recorded for this node.")
    ] = None,
    deployments: Annotated[Path, typer.Option(help="With --rpc: folder of the deployments' files.")] = DEPLOYMENTS,
    ledger_log: Annotated[
        Path | None, typer.Option(help="Carry sessions of notes unspent in this ledger.jsonl, which may grow.")
    ] = None,
    any_session: Annotated[
        bool, typer.Option("--any-session", help="Carry any session, notes unseen: for measurements and closed pilots.")
    ] = False,
    key_file: Annotated[
        Path | None, typer.Option(help="The board's signing key; made if missing. Replicas share it. Default: fresh.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen without Tor. NOT ANONYMOUS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port without Tor; 0 lets the system choose.")] = 0,
    onion_dir: Annotated[
        Path | None, typer.Option(help="Serve as an onion service of the private network in this folder.")
    ] = None,
    onion_control: Annotated[
        int | None, typer.Option(help="Serve as an onion service of the tor with this control port.")
    ] = None,
    onion_key_file: Annotated[
        Path | None, typer.Option(help="Key of the .onion name, made if missing. Default: a fresh name each time.")
    ] = None,
    with_parent: Annotated[bool, typer.Option(hidden=True, help="End when standard input is closed.")] = False,
) -> None:
    """Serve a board until Ctrl-C. Prints one line of JSON with its address, then nothing about anybody."""
    with one_sentence_errors():
        if onion_dir is not None and onion_control is not None:
            raise ValueError("give --onion-dir or --onion-control, not both")
        admission = _admission(rpc, deployments, ledger_log, any_session)
        try:
            asyncio.run(
                _serve(admission, database, key_file, host, port, onion_dir, onion_control, onion_key_file, with_parent)
            )
        except KeyboardInterrupt:
            typer.echo("board ended", err=True)


def _admission(rpc: str | None, deployments: Path, ledger_log: Path | None, any_session: bool) -> "Admission":
    from mixer.boardservice.admission import AnySession, NoteLog, UnspentNotes

    if (rpc is not None) + (ledger_log is not None) + any_session != 1:
        raise ValueError("say whose notes may mix here: give one of --rpc, --ledger-log and --any-session")
    if ledger_log is not None:
        return UnspentNotes(NoteLog(ledger_log))
    if rpc is None:
        return AnySession()
    from contracts import deployments as files
    from contracts import nodes

    w3 = nodes.connect(rpc)
    recorded = files.load(w3.eth.chain_id, deployments)
    if recorded is None:
        raise ValueError(f"{deployments} records no ledger on chain {w3.eth.chain_id}; run petra chain deploy")
    return UnspentNotes(recorded.open(w3))


async def _serve(
    admission: "Admission",
    database: str | None,
    key_file: Path | None,
    host: str,
    port: int,
    onion_dir: Path | None,
    onion_control: int | None,
    onion_key_file: Path | None,
    with_parent: bool,
) -> None:
    from mixer.boardservice.app import board_app
    from mixer.boardservice.board import RunningBoard
    from mixer.boardservice.client import BoardAddress
    from mixer.boardservice.store import Store, engine_of
    from petra.onion.keyfiles import kept_key, kept_secret
    from petra.onion.service import fresh_service_key

    key = kept_key(key_file)
    if onion_dir is not None:
        from petra.onion.network import load

        onion_control = load(onion_dir).service_control_port
    service_key = None if onion_key_file is None else kept_secret(onion_key_file, fresh_service_key)
    with tempfile.TemporaryDirectory(prefix="petra-board-") as folder:
        running = RunningBoard(Store(engine_of(database or str(Path(folder) / "board.db"))), key, admission)
        async with _listening(board_app(running), host, port, onion_control, service_key) as url:
            anonymous = onion_control is not None
            address = BoardAddress(url, key.address)
            print(json.dumps({"board": str(address), "anonymous": anonymous}), flush=True)
            if not anonymous:
                typer.echo("NOT ANONYMOUS: this board sees the network address of every member.", err=True)
            if with_parent:
                await asyncio.to_thread(sys.stdin.read)
            else:
                await asyncio.Event().wait()


@asynccontextmanager
async def _listening(
    app: object, host: str, port: int, onion_control: int | None, service_key: str | None
) -> AsyncIterator[str]:
    from fastapi import FastAPI

    from mixer.boardservice.serve import served
    from petra.onion.control import StemControl
    from petra.onion.service import onion_service

    assert isinstance(app, FastAPI)
    if onion_control is None:
        async with served(app, host, port) as bound:
            yield f"http://{host}:{bound}"
        return
    control = await asyncio.to_thread(StemControl, onion_control)
    try:
        async with onion_service(app, control, service_key) as url:
            yield url
    finally:
        control.close()

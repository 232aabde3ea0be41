"""``petra board``: serve the log over which neighbours mix."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.chain import DEPLOYMENTS
from petra.commands.errors import one_sentence_errors
from petra.commands.listening import OnionControl, OnionDir, OnionKeyFile, control_port, listening
from petra.commands.stopping import stop_event
from petra.config.option import config_option
from petra.logs import LogJson, configure

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
    onion_dir: OnionDir = None,
    onion_control: OnionControl = None,
    onion_key_file: OnionKeyFile = None,
    config: Annotated[Path | None, config_option("board")] = None,
    log_json: LogJson = False,
    with_parent: Annotated[bool, typer.Option(hidden=True, help="End when standard input is closed.")] = False,
) -> None:
    """Serve a board until Ctrl-C or SIGTERM. Prints one line of JSON with its address, then nothing about anybody."""
    with one_sentence_errors():
        configure(log_json)
        control = control_port(onion_dir, onion_control)
        admission = _admission(rpc, deployments, ledger_log, any_session)
        asyncio.run(_serve(admission, database, key_file, host, port, control, onion_key_file, with_parent))


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


@contextmanager
def _throw_away() -> Iterator[str]:
    """A database that is forgotten at the end."""
    with tempfile.TemporaryDirectory(prefix="petra-board-") as folder:
        yield str(Path(folder) / "board.db")


async def _serve(
    admission: "Admission",
    database: str | None,
    key_file: Path | None,
    host: str,
    port: int,
    control: int | None,
    onion_key_file: Path | None,
    with_parent: bool,
) -> None:
    from mixer.boardservice.app import board_app
    from mixer.boardservice.board import RunningBoard
    from mixer.boardservice.client import BoardAddress
    from mixer.boardservice.store import Store, engine_of
    from petra.onion.keyfiles import kept_key

    stop, key = stop_event(with_parent), kept_key(key_file)
    with nullcontext(database) if database else _throw_away() as kept:
        running = RunningBoard(Store(engine_of(kept)), key, admission)
        async with listening(board_app(running), host, port, control, onion_key_file) as url:
            anonymous = control is not None
            address = BoardAddress(url, key.address)
            print(json.dumps({"board": str(address), "anonymous": anonymous}), flush=True)
            if not anonymous:
                typer.echo("NOT ANONYMOUS: this board sees the network address of every member.", err=True)
            await stop.wait()
            typer.echo("board ended", err=True)

"""``petra relay``: serve a relay that carries anybody's signed transactions to the ledger."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.chain import DEFAULT_RPC, DEPLOYMENTS
from petra.commands.errors import one_sentence_errors
from petra.commands.listening import OnionControl, OnionDir, OnionKeyFile, control_port, listening
from petra.commands.paying import RelayerKeyFile, relayer_of
from petra.commands.stopping import stop_event
from petra.config.option import config_option
from petra.logs import LogJson, configure

if TYPE_CHECKING:
    from fastapi import FastAPI

app = typer.Typer(no_args_is_help=True, help="The relay: carries signed transactions, so that nobody needs an account.")


@app.callback()
def relay() -> None:
    """The relay: carries signed transactions, so that nobody needs an account."""


@app.command()
def serve(
    rpc: Annotated[str, typer.Option(help="URL of the ledger's node.")] = DEFAULT_RPC,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployments' files.")] = DEPLOYMENTS,
    database: Annotated[Path, typer.Option(help="File of what was taken and is not yet carried.")] = Path("relay.db"),
    tick: Annotated[float, typer.Option(min=0.05, max=600, help="Seconds between two batches.")] = 2.0,
    waiting: Annotated[int, typer.Option(min=1, max=10**6, help="Most transactions that wait at a time.")] = 4096,
    host: Annotated[str, typer.Option(help="Where to listen without Tor. NOT ANONYMOUS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port without Tor; 0 lets the system choose.")] = 8490,
    onion_dir: OnionDir = None,
    onion_control: OnionControl = None,
    onion_key_file: OnionKeyFile = None,
    relayer_key_file: RelayerKeyFile = None,
    config: Annotated[Path | None, config_option("relay")] = None,
    log_json: LogJson = False,
) -> None:
    """Serve a relay until Ctrl-C or SIGTERM. Prints one line of JSON with its address, then nothing about anybody.

    It pays with the account of --relayer-key-file or PETRA_RELAYER_KEY, else with the node's first. Give it one of its
    own.
    """
    with one_sentence_errors():
        control = control_port(onion_dir, onion_control)
        configure(log_json)
        service = _service(rpc, deployments, database, tick, waiting, relayer_key_file)
        asyncio.run(_serve(service, host, port, control, onion_key_file))


def _service(
    rpc: str, deployments: Path, database: Path, tick: float, waiting: int, key_file: Path | None
) -> "FastAPI":
    from contracts import deployments as files
    from contracts import nodes
    from contracts.relayer import Patience
    from petra.relay.carrier import Carrier
    from petra.relay.mirror import Mirror
    from petra.relay.queue import Queue
    from petra.relay.service import Limits, Metrics, relay_app

    w3 = nodes.connect(rpc, patience_s=3)  # who waits for an answer is told soon that there is none
    recorded = files.load(w3.eth.chain_id, deployments)
    if recorded is None:
        raise ValueError(f"{deployments} records no ledger on chain {w3.eth.chain_id}; run petra chain deploy")
    patience = Patience(nodes.confirmations(w3))
    metrics, queue = Metrics(), Queue(database, recorded.domain)
    mirror = Mirror(recorded.open(w3, patience=patience))
    ledger = recorded.open(nodes.connect(rpc), patience=patience, relay_by=relayer_of(key_file))
    carrier = Carrier(queue, mirror, ledger, metrics.carried)
    return relay_app(queue, mirror, carrier, Limits(waiting=waiting, tick_s=tick), metrics)


async def _serve(service: "FastAPI", host: str, port: int, control: int | None, key_file: Path | None) -> None:
    stop = stop_event()
    async with listening(service, host, port, control, key_file) as url:
        anonymous = control is not None
        print(json.dumps({"relay": url, "anonymous": anonymous}), flush=True)
        if not anonymous:
            typer.echo("NOT ANONYMOUS: this relay sees the network address of who submits.", err=True)
        await stop.wait()
        typer.echo("relay ended", err=True)

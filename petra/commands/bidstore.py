"""``petra bidstore``: serve the store where strangers find each other, look at its book, export what it did."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petra.commands.chain import DEFAULT_RPC, DEPLOYMENTS
from petra.commands.errors import one_sentence_errors
from petra.commands.listening import OnionControl, OnionDir, OnionKeyFile, control_port, listening
from petra.commands.paying import RelayerKeyFile, relayer_of
from petra.commands.stopping import stop_event
from petra.config.option import config_option
from petra.logs import LogJson
from petra.logs import configure as configure_logs

if TYPE_CHECKING:
    import httpx2

app = typer.Typer(no_args_is_help=True, help="The bid store: anonymous orders, fair matching, settlement.")

Database = Annotated[str, typer.Option(help="A file, or postgresql://… for several replicas.")]


@app.callback()
def bidstore() -> None:
    """The bid store: anonymous orders, fair matching, settlement."""


@app.command()
def serve(
    rpc: Annotated[str, typer.Option(help="URL of the ledger's node.")] = DEFAULT_RPC,
    deployments: Annotated[Path, typer.Option(help="Folder of the deployments' files.")] = DEPLOYMENTS,
    database: Database = "bidstore.db",
    host: Annotated[str, typer.Option(help="Where to listen. NOT ANONYMOUS unless an onion service is in front.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 lets the system choose.")] = 8480,
    gate_s: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seconds before an interval at which its auction is held.")
    ] = 60,
    onion_dir: OnionDir = None,
    onion_control: OnionControl = None,
    onion_key_file: OnionKeyFile = None,
    relayer_key_file: RelayerKeyFile = None,
    config: Annotated[Path | None, config_option("bidstore")] = None,
    log_json: LogJson = False,
) -> None:
    """Serve one replica until Ctrl-C or SIGTERM. Prints a line of JSON with its address; logs name nobody."""
    with one_sentence_errors():
        from bidstore.service.app import bidstore_app
        from bidstore.service.database import engine_of
        from bidstore.service.limits import Limits
        from bidstore.service.logs import configure
        from bidstore.service.store import Store
        from contracts import deployments as files
        from contracts import nodes

        control = control_port(onion_dir, onion_control)
        configure()
        configure_logs(log_json)
        w3 = nodes.connect(rpc)
        recorded = files.load(w3.eth.chain_id, deployments)
        if recorded is None:
            raise ValueError(f"{deployments} records no ledger on chain {w3.eth.chain_id}; run petra chain deploy")
        payer = relayer_of(relayer_key_file)
        ledger, relay = recorded.open(w3), recorded.open(nodes.connect(rpc), relay_by=payer)
        service = bidstore_app(Store(engine_of(database)), ledger, Limits(gate_s=gate_s), relay=relay)

        async def run() -> None:
            stop = stop_event()
            async with listening(service, host, port, control, onion_key_file) as url:
                print(json.dumps({"bidstore": url, "anonymous": control is not None}), flush=True)
                await stop.wait()
                typer.echo("bid store ended", err=True)

        _run(run())


@app.command()
def book(
    url: Annotated[str, typer.Option(help="Address of the store.")],
    power_w: Annotated[int, typer.Option(min=1, help="Power of the notes, watts.")],
    start: Annotated[int, typer.Option(min=0, help="First delivery interval.")],
    end: Annotated[int | None, typer.Option(min=0, help="Last delivery interval; the first.")] = None,
    onion_dir: Annotated[Path | None, typer.Option(help="Ask through the private Tor network in this folder.")] = None,
) -> None:
    """Print the open orders of a class: side and limit. NOT ANONYMOUS without --onion-dir: connects directly."""
    with one_sentence_errors():
        import httpx2

        from bidstore.posting import NoteClass
        from bidstore.service.client import BadAnswer, HttpClient, Refused, Unreachable

        async def run() -> None:
            async with _client(onion_dir) as http:
                client = HttpClient(url, http)
                try:
                    orders = await client.open_orders(NoteClass(power_w, start, start if end is None else end))
                except BadAnswer as bad:
                    raise ValueError(str(bad)) from None
                except httpx2.InvalidURL as wrong:
                    raise ValueError(f"{url!r} is no address of a bid store: {wrong}") from None
                except Unreachable:
                    raise ConnectionError(f"nothing answers at {url}; start petra bidstore serve") from None
                except Refused as refusal:
                    raise ValueError(str(refusal)) from None
            for signed in sorted(orders, key=lambda s: (s.order.side, s.order.limit_nano_per_wh)):
                order = signed.order
                typer.echo(f"{order.side.name:4}  {order.limit_nano_per_wh:>12} nano/Wh  {power_w} W")

        _run(run())


@app.command()
def export(
    database: Database = "bidstore.db",
    out: Annotated[Path | None, typer.Option(help="File to write; standard output.")] = None,
) -> None:
    """Write all auctions and the orders' terms as JSON lines, from which anybody can hold the auctions again."""
    with one_sentence_errors():
        from bidstore.service.database import engine_of
        from bidstore.service.export import lines
        from bidstore.service.store import Store

        if "://" not in database and not Path(database).is_file():
            raise ValueError(f"{database} is no file; give the database of petra bidstore serve")

        async def run() -> None:
            store = Store(engine_of(database))
            try:
                text = [json.dumps(line, sort_keys=True) + "\n" async for line in lines(store)]
            finally:
                await store.close()
            if out is None:
                sys.stdout.writelines(text)
            else:
                out.write_text("".join(text), encoding="utf-8")

        _run(run())


def _client(onion_dir: Path | None) -> "httpx2.AsyncClient":
    import httpx2

    from petra.onion.network import load
    from petra.onion.proxy import Identity, TorProxy

    if onion_dir is None:
        return httpx2.AsyncClient(trust_env=False, timeout=30)
    proxy = TorProxy(load(onion_dir).socks_port)
    proxy.verify()
    return proxy.client(Identity.fresh())


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(coroutine)
    except KeyboardInterrupt:
        typer.echo("bid store ended", err=True)

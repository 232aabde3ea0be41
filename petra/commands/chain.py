"""``petra chain``: nodes to run a ledger on, and the ledgers deployed there."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from web3 import Web3

    from assets.keys import Address
    from contracts.network.clique import CliqueNetwork

app = typer.Typer(no_args_is_help=True, help="Nodes to run the ledger on, and the ledgers deployed there.")

Rpc = Annotated[str, typer.Option(help="URL of a node's JSON-RPC.")]
Deployments = Annotated[Path, typer.Option(help="Folder of the deployments' files.")]

DEFAULT_RPC = "http://127.0.0.1:8545"
"""Where development nodes answer."""

DEPLOYMENTS = Path("deployments")
"""Where deployments are recorded."""


@app.command()
def deploy(
    dso: Annotated[str, typer.Option(help="Address of the DSO, whose key signs regulation: 0x and 40 hex digits.")],
    rpc: Rpc = DEFAULT_RPC,
    genesis: Annotated[
        int | None, typer.Option(min=1, help="Start of interval 0, Unix seconds; the next hour.")
    ] = None,
    interval_s: Annotated[int, typer.Option(min=1, help="Seconds per interval.")] = 3600,
    confirmations: Annotated[
        int | None, typer.Option(min=1, help="Blocks to wait for; what the network needs.")
    ] = None,
    deployments: Deployments = DEPLOYMENTS,
    again: Annotated[bool, typer.Option("--again", help="Deploy even if one is recorded, and record the new.")] = False,
) -> None:
    """Deploy a ledger, and record it in deployments/<chainId>.json."""
    with one_sentence_errors():
        from assets.intervals import IntervalGrid
        from contracts import deployments as files
        from contracts import nodes
        from contracts.ledger import EvmLedger
        from contracts.relayer import Patience

        w3 = nodes.connect(rpc)
        recorded = files.load(w3.eth.chain_id, deployments)
        if recorded is not None and not again and not list(recorded.problems(w3)):
            path = deployments / f"{recorded.chain_id}.json"
            raise ValueError(f"{path} records a ledger on this chain that is in order; add --again to deploy another")
        operator = _dso_address(dso)
        now_s = max(int(time.time()), int(w3.eth.get_block("latest")["timestamp"]))
        grid = IntervalGrid(genesis or (now_s // interval_s + 1) * interval_s, interval_s)
        patience = Patience(confirmations or nodes.confirmations(w3))
        ledger = EvmLedger.deploy(w3, operator, grid, patience=patience)
        path = files.Deployment.of(w3, ledger).save(deployments)
        typer.echo(f"ledger 0x{ledger.domain.contract.hex()} on chain {ledger.domain.chain_id}, recorded in {path}")


@app.command()
def info(rpc: Rpc = DEFAULT_RPC, deployments: Deployments = DEPLOYMENTS) -> None:
    """Say what is at a URL: the chain, and whether the recorded ledger is there, with this program's own code.

    Exit code 1: a ledger is recorded, but is not the one there.
    """
    with one_sentence_errors():
        from contracts import deployments as files
        from contracts import nodes

        w3 = nodes.connect(rpc)
        for name, value in _chain_rows(w3):
            typer.echo(f"{name:<14} {value}")
        recorded = files.load(w3.eth.chain_id, deployments)
        if recorded is None:
            typer.echo(f"ledger         none recorded in {deployments}; run: petra chain deploy --rpc {rpc}")
            return
        problems = list(recorded.problems(w3))
        typer.echo(f"ledger         0x{recorded.contract.hex()} since block {recorded.block}")
        typer.echo(f"DSO            0x{recorded.dso.hex()}")
        typer.echo(f"intervals      {recorded.grid.interval_s} s each, from {recorded.grid.genesis_s} (Unix) on")
        typer.echo(f"code           {'equals the artifact' if not problems else problems[0]}")
        if not problems:
            typer.echo(f"transactions   {len(recorded.open(w3).entries())} accepted")
    if problems:
        raise typer.Exit(1)


@app.command()
def follow(
    store: Annotated[Path, typer.Option(help="SQLite file for the events and how far they were read.")],
    rpc: Rpc = DEFAULT_RPC,
    deployments: Deployments = DEPLOYMENTS,
    every: Annotated[float | None, typer.Option(min=0.01, help="Go on, reading every so many seconds.")] = None,
    confirmations: Annotated[
        int | None, typer.Option(min=1, help="Blocks to wait for; what the network needs.")
    ] = None,
) -> None:
    """Read the ledger's events into a file: whole ranges of blocks, resumed where the last time ended."""
    with one_sentence_errors(), _until_stopped():
        from contracts import deployments as files
        from contracts import nodes
        from contracts.errors import NodeBehind
        from contracts.relayer import Patience
        from contracts.sync.file import FileStore

        w3 = nodes.connect(rpc)
        recorded = files.load(w3.eth.chain_id, deployments)
        if recorded is None:
            raise ValueError(f"{deployments} records no ledger on chain {w3.eth.chain_id}; run petra chain deploy")
        file = FileStore(store, recorded.domain)
        patience = Patience(confirmations or nodes.confirmations(w3))
        ledger = recorded.open(w3, store=file, patience=patience)
        try:
            while True:
                try:
                    typer.echo(f"{len(ledger.entries())} transactions")
                except NodeBehind as lag:
                    if every is None:
                        raise
                    typer.echo(f"petra: {lag}", err=True)
                if every is None:
                    return
                time.sleep(every)
        finally:
            file.close()


def _chain_rows(w3: "Web3") -> Iterator[tuple[str, object]]:
    from contracts import nodes

    head = w3.eth.get_block("latest")
    yield "node", w3.client_version
    yield "chain id", w3.eth.chain_id
    yield "block", f"{head['number']} of {head['timestamp']} (Unix)"
    yield "gas limit", head["gasLimit"]
    yield "gas price", f"{w3.eth.gas_price} wei suggested, base fee {head.get('baseFeePerGas', 'none')}"
    yield "confirmations", nodes.confirmations(w3)


@app.command()
def dev(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 is any free one.")] = 8545,
    state: Annotated[Path | None, typer.Option(help="File that keeps the chain from one run to the next.")] = None,
    log: Annotated[Path | None, typer.Option(help="File for what the node says.")] = None,
) -> None:
    """Run anvil, a development node with funded accounts and a settable clock, until Ctrl-C."""
    with one_sentence_errors(), _until_stopped(), tempfile.TemporaryDirectory(prefix="petra-") as folder:
        from contracts import anvil

        # A pruned chain cannot be kept in a file.
        options = ["--prune-history"] if state is None else ["--state", str(state), "--state-interval", "1"]
        child, url = anvil.start(log or Path(folder) / "anvil.log", port, options)
        try:
            typer.echo(f"anvil answers at {url}; Ctrl-C ends it")
            while child.running:
                time.sleep(0.2)
            raise OSError(f"anvil ended: {child.last_words()}")
        finally:
            child.stop()


@app.command()
def network(
    validators: Annotated[int, typer.Option(min=1, max=64, help="Nodes that take turns at sealing blocks.")] = 4,
    folder: Annotated[Path, typer.Option("--dir", help="Folder for keys, genesis and chains; kept.")] = Path("network"),
    period_s: Annotated[int, typer.Option(min=1, help="Seconds between blocks.")] = 1,
    chain_id: Annotated[int, typer.Option(min=1, help="Chain id of the network.")] = 20_252,
    port: Annotated[int, typer.Option(min=0, max=65000, help="JSON-RPC of the first validator; 0: any.")] = 8545,
) -> None:
    """Run a permissioned proof-of-authority network at zero gas price on loopback, until Ctrl-C.

    Node files are built in --dir; a network that is there already goes on where it was. Needs geth 1.13.
    """
    with one_sentence_errors(), _until_stopped():
        from contracts.network.clique import CliqueNetwork

        if (folder / "genesis.json").exists():
            chain = CliqueNetwork.load(folder)
        else:
            chain = CliqueNetwork.build(folder, validators, period_s, chain_id, port)
        chain.start()
        try:
            typer.echo(f"chain {chain.chain_id}: {len(chain.validators)} validators, a block every {chain.period_s} s")
            for i, one in enumerate(chain.validators):
                typer.echo(f"{one.folder.name}  {one.url}  0x{one.address.hex()}  process {chain.pid(i)}")
            typer.echo("Ctrl-C ends it")
            _watch(chain)
        finally:
            chain.stop()


def _watch(chain: "CliqueNetwork") -> None:
    """Say which validator ended, until somebody ends us."""
    up = {v.folder.name for v in chain.validators}
    while up:
        time.sleep(0.5)
        now = {v.folder.name for i, v in enumerate(chain.validators) if chain.running(i)}
        for name in sorted(up - now):
            typer.echo(f"{name} ended; see {chain.folder / name / 'node.log'}", err=True)
        up = now
    raise OSError("no validator is left")


def _dso_address(text: str) -> "Address":
    from assets.keys import Address

    try:
        address = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        address = b""
    if len(address) != 20 or not any(address):
        raise ValueError(f"--dso {text} is no address; give 0x and 40 hex digits")
    return Address(address)


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block in order, and silently."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    finally:
        signal.signal(signal.SIGTERM, before)

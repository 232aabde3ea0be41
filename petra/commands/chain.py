"""``petra chain``: nodes to run a ledger on, and the ledgers deployed there."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.errors import NodeError, NodeUnreachable
from petra.commands.errors import one_sentence_errors
from petra.config.option import config_option
from petra.logs import LogJson, configure

if TYPE_CHECKING:
    from web3 import Web3

    from assets.keys import Address
    from contracts.network.clique import CliqueNetwork

app = typer.Typer(no_args_is_help=True, help="Nodes to run the ledger on, and the ledgers deployed there.")

Rpc = Annotated[str, typer.Option(help="URL of a node's JSON-RPC.")]
Deployments = Annotated[Path, typer.Option(help="Folder of the deployments' files.")]

DEFAULT_PORT = 8545
DEFAULT_RPC = f"http://127.0.0.1:{DEFAULT_PORT}"
"""Where development nodes answer."""

MAX_TIME_S = 1 << 40
"""The latest time that a ledger may start at, Unix seconds: far beyond anybody's plans."""

MAX_CHAIN_ID = (1 << 63) - 37
"""The largest chain id that all tools can compute with (EIP-2294)."""

DEPLOYMENTS = Path("deployments")
"""Where deployments are recorded."""


@app.command()
def deploy(
    dso: Annotated[str, typer.Option(help="Address of the DSO, whose key signs regulation: 0x and 40 hex digits.")],
    rpc: Rpc = DEFAULT_RPC,
    genesis: Annotated[
        int | None, typer.Option(min=1, max=MAX_TIME_S, help="Start of interval 0, Unix seconds; the next hour.")
    ] = None,
    interval_s: Annotated[int, typer.Option(min=1, max=86_400, help="Seconds per interval.")] = 3600,
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

        operator = _dso_address(dso)
        w3 = nodes.connect(rpc)
        chain_id, head_s = w3.eth.chain_id, int(w3.eth.get_block("latest")["timestamp"])
        path = deployments / f"{chain_id}.json"
        try:
            recorded = files.load(chain_id, deployments)
        except files.DeploymentError:
            if not again:
                raise
            typer.echo(
                f"{path} was no record of a ledger; it is now {files.set_aside(chain_id, deployments)}", err=True
            )
            recorded = None
        if recorded is not None and not again and not list(recorded.problems(w3)):
            raise ValueError(f"{path} records a ledger on this chain that is in order; add --again to deploy another")
        grid = IntervalGrid(genesis or (max(int(time.time()), head_s) // interval_s + 1) * interval_s, interval_s)
        patience = Patience(confirmations or nodes.confirmations(w3))
        deployments.mkdir(parents=True, exist_ok=True)  # before the ledger is deployed, so that it can be recorded
        ledger = EvmLedger.deploy(w3, operator, grid, patience=patience)
        name = f"ledger 0x{ledger.domain.contract.hex()} on chain {chain_id}"
        try:
            files.Deployment.of(w3, ledger).save(deployments)
        except OSError as failure:
            raise OSError(f"{name} was deployed, but is not recorded: {failure}") from failure
        typer.echo(f"{name}, recorded in {path}")


@app.command()
def info(rpc: Rpc = DEFAULT_RPC, deployments: Deployments = DEPLOYMENTS) -> None:
    """Say what is at a URL: the chain, and whether the recorded ledger is there, with this program's own code.

    Exit code 1: a ledger is recorded, but is not the one there, or not as recorded.
    """
    with one_sentence_errors():
        from contracts import deployments as files
        from contracts import nodes

        w3 = nodes.connect(rpc)
        for name, value in _chain_rows(w3):
            typer.echo(f"{name:<14} {value}")
        recorded = files.load(w3.eth.chain_id, deployments)
        if recorded is None:
            typer.echo(
                f"ledger         none recorded in {deployments}; run: petra chain deploy --rpc {nodes.public_url(rpc)}"
            )
            return
        problems = list(recorded.problems(w3))
        typer.echo(f"ledger         0x{recorded.contract.hex()} since block {recorded.block}")
        typer.echo(f"DSO            0x{recorded.dso.hex()}")
        typer.echo(f"intervals      {recorded.grid.interval_s} s each, from {recorded.grid.genesis_s} (Unix) on")
        for problem in problems:
            typer.echo(f"wrong          {problem}")
        if not problems:
            typer.echo("code           equals the artifact")
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
    config: Annotated[Path | None, config_option("follower")] = None,
    log_json: LogJson = False,
) -> None:
    """Read the ledger's events into a file: whole ranges of blocks, resumed where the last time ended."""
    with one_sentence_errors(), _until_stopped():
        from contracts import deployments as files
        from contracts import nodes
        from contracts.errors import NodeBehind
        from contracts.relayer import Patience
        from contracts.sync.file import FileStore

        configure(log_json)
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
    yield "node", nodes.name_of(w3)
    yield "chain id", w3.eth.chain_id
    yield "block", f"{head['number']} of {head['timestamp']} (Unix)"
    yield "gas limit", head["gasLimit"]
    yield "gas price", f"{w3.eth.gas_price} wei suggested, base fee {head.get('baseFeePerGas', 'none')}"
    yield "confirmations", nodes.confirmations(w3)


@app.command()
def dev(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 is any free one.")] = DEFAULT_PORT,
    state: Annotated[Path | None, typer.Option(help="File that keeps the chain from one run to the next.")] = None,
    log: Annotated[Path | None, typer.Option(help="File for what the node says.")] = None,
) -> None:
    """Run anvil, a development node with funded accounts and a settable clock, until Ctrl-C."""
    kept = _log_kept_on_error() if log is None else nullcontext(log)
    with one_sentence_errors(), _until_stopped(), kept as said:
        from contracts import anvil
        from contracts.anvil_state import AnvilState

        if state is not None and not state.absolute().parent.is_dir():  # anvil would run, and keep nothing
            raise ValueError(f"--state {state} lies in no folder; make {state.parent} first")
        # A pruned chain cannot be kept in a file.
        options = ["--prune-history"] if state is None else ["--state", str(state), "--state-interval", "1"]
        kept_state = None if state is None else AnvilState(state)
        if kept_state is not None and kept_state.restore():
            typer.echo(f"{state} was written by half; the whole copy of before takes its place", err=True)
        child, url = anvil.start(said, port, options)
        try:
            typer.echo(f"anvil answers at {url}; Ctrl-C ends it")
            while child.running:
                time.sleep(0.2)
                if kept_state is not None:
                    kept_state.keep()
            raise OSError(f"anvil ended ({child.last_words()}); see {said}")
        finally:
            child.stop()


@app.command()
def clock(
    rpc: Rpc = DEFAULT_RPC,
    tick_ms: Annotated[int, typer.Option(min=50, max=60_000, help="Real milliseconds from block to block.")] = 500,
) -> None:
    """Be the clock of an anvil without automatic mining (anvil --no-mining): a block every half second, until Ctrl-C.

    Blocks have the time of the clock that PETRA_CLOCK names, or the machine's. A node that is away is waited for.
    """
    with one_sentence_errors(), _until_stopped():
        from contracts import nodes
        from contracts.mining import mine
        from smartmeter.clock import world_clock

        world, w3 = world_clock(), nodes.connect(rpc)
        typer.echo(f"a block every {tick_ms} ms at {nodes.public_url(rpc)}; Ctrl-C ends it")
        next_s, silent = time.monotonic(), False
        while True:
            try:
                mine(w3, world.now_ms() // 1000)
                silent = False
            except (NodeError, NodeUnreachable) as failure:
                if not silent:
                    typer.echo(f"petra: {failure}", err=True)
                silent = True
            # A block that took long delays the next one; missed ones are not made up for.
            next_s = max(next_s + tick_ms / 1000, time.monotonic())
            time.sleep(max(0.0, next_s - time.monotonic()))  # the pace of the blocks is what this command is for


@app.command()
def network(
    validators: Annotated[
        int | None, typer.Option(min=1, max=64, help="Nodes that take turns at sealing blocks; 4.")
    ] = None,
    folder: Annotated[Path, typer.Option("--dir", help="Folder for keys, genesis and chains; kept.")] = Path("network"),
    period_s: Annotated[int | None, typer.Option(min=1, max=3600, help="Seconds between blocks; 1.")] = None,
    chain_id: Annotated[
        int | None, typer.Option(min=1, max=MAX_CHAIN_ID, help="Chain id of the network; 20252.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65000, help="JSON-RPC of the first validator; 0: any; 8545.")
    ] = None,
    config: Annotated[Path | None, config_option("network")] = None,
    log_json: LogJson = False,
) -> None:
    """Run a permissioned proof-of-authority network at zero gas price on loopback, until Ctrl-C.

    Node files are built in --dir; a network that is there already goes on where it was, and options that differ from
    it are refused. Needs geth 1.13.
    """
    with one_sentence_errors(), _until_stopped():
        from contracts.network import clique

        configure(log_json)
        if (folder / "genesis.json").exists():
            chain = clique.CliqueNetwork.load(folder)
            if differences := chain.differences(validators, period_s, chain_id, port or 0):
                raise ValueError(
                    f"the network in {folder} has {'; '.join(differences)}; leave that out, or give a new --dir"
                )
        else:
            chain = clique.CliqueNetwork.build(
                folder,
                validators or 4,
                period_s or clique.PERIOD_S,
                chain_id or clique.CHAIN_ID,
                DEFAULT_PORT if port is None else port,
            )
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
        raise ValueError(f"--dso {text!r} is no address; give 0x and 40 hex digits")
    return Address(address)


@contextmanager
def _until_stopped() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a terminal that closes (SIGHUP) end the block in order; once is enough."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # nohup has SIGHUP ignored: that stays.
    numbers = [n for n in map(signal.Signals.__getitem__, names) if signal.getsignal(n) is not signal.SIG_IGN]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, *numbers):
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, *numbers)}
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            typer.echo("stopped", err=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _log_kept_on_error() -> Iterator[Path]:
    """A file for what a node says; an error that names it leaves it there."""
    handle, name = tempfile.mkstemp(prefix="petra-", suffix=".log")
    os.close(handle)
    path = Path(name)
    try:
        yield path
    except BaseException as end:
        if isinstance(end, KeyboardInterrupt) or path.stat().st_size == 0:
            path.unlink()
        raise

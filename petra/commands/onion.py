"""``petra onion``: a private Tor network for a microgrid, here all on loopback."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.chain import DEPLOYMENTS
from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from assets.keys import Signer
    from contracts.ledger import EvmLedger
    from contracts.relay_lists import RecordedList

app = typer.Typer(no_args_is_help=True, help="A private Tor network for a microgrid, on this machine.")

DIR = Path("out/onion")
Folder = Annotated[Path, typer.Option("--dir", help="The network's folder.")]
Rpc = Annotated[str, typer.Option(help="URL of a node of the ledger.")]
Deployments = Annotated[Path, typer.Option(help="Folder of the deployments' files.")]

CHECK_S = 30
"""How often a machine that joined compares the network with the ledger's list."""


@app.callback()
def onion() -> None:
    """A private Tor network for a microgrid, on this machine."""


@app.command()
def up(
    folder: Folder = DIR,
    key_file: Annotated[
        Path | None, typer.Option(help="The key that signs the relay list; made if missing. Default: a fresh one.")
    ] = None,
    owner: Annotated[int | None, typer.Option(hidden=True, help="End with this process.")] = None,
) -> None:
    """Start authorities, relays, a tor for wallets and one for services; 10 to 14 s. Publishes the relay list."""
    with one_sentence_errors():
        from petra.onion import network
        from petra.onion.keyfiles import kept_key
        from petra.onion.relays import publish_relays

        key = kept_key(key_file)
        started = network.up(folder, owner, lambda line: typer.echo(line, err=True))
        relays = publish_relays(started, key)
        (folder / network.RELAYS).write_bytes(relays.encoded)
        typer.echo(f"SOCKS for wallets: 127.0.0.1:{started.socks_port}")
        typer.echo(
            f"relay list: {folder / network.RELAYS}, hash 0x{relays.digest.hex()}, signed by 0x{relays.publisher.hex()}"
        )
        typer.echo(f"Next: petra simulate --transport tor --onion-dir {folder}, or petra onion down --dir {folder}")


@app.command()
def status(folder: Folder = DIR) -> None:
    """Say which processes run, and whether wallets' SOCKS port is Tor's. Exit code 1 if anything is wrong."""
    with one_sentence_errors():
        from petra.onion.errors import NotTor
        from petra.onion.network import load
        from petra.onion.proxy import TorProxy

        network = load(folder)
        alive = [network.alive(node) for node in network.layout.nodes]
        for node, runs in zip(network.layout.nodes, alive, strict=True):
            typer.echo(f"{node.name:<12} {node.role.value:<10} {'runs' if runs else 'DOES NOT RUN'}")
        try:
            TorProxy(network.socks_port).verify()
        except NotTor as error:
            typer.echo(f"wallets' SOCKS port: {error}")
            raise typer.Exit(1) from None
        typer.echo(f"SOCKS for wallets: 127.0.0.1:{network.socks_port}, verified to be Tor")
        if not all(alive):
            raise typer.Exit(1)


@app.command()
def down(folder: Folder = DIR) -> None:
    """End all processes of the network."""
    with one_sentence_errors():
        from petra.onion.network import load

        load(folder).down()
        typer.echo("the network is down")


@app.command()
def publish(
    folder: Folder = DIR,
    desk: Annotated[Path | None, typer.Option(help="The operator's desk: its key signs, its node relays.")] = None,
    passphrase: Annotated[str, typer.Option(envvar="PETRA_DSO_PASSPHRASE", help="Of the desk's keystore.")] = "",
    rpc: Annotated[str | None, typer.Option(help="Without a desk: URL of a node of the ledger.")] = None,
    deployments: Deployments = DEPLOYMENTS,
    key_file: Annotated[Path | None, typer.Option(help="Without a desk: file with the DSO's key.")] = None,
) -> None:
    """Record the network's relay list beside the ledger, signed with the DSO's key; deploys the contract if need be."""
    with one_sentence_errors():
        from assets.codec import canonical
        from contracts import nodes
        from contracts.relay_lists import RelayLists
        from petra.onion.joining import network_body
        from petra.onion.network import load

        data = canonical(network_body(load(folder)))
        ledger, node, signer = _operator(desk, passphrase, rpc, deployments, key_file)
        if signer.address != ledger.dso:
            raise ValueError(f"the key is 0x{signer.address.hex()}'s; the ledger's DSO is 0x{ledger.dso.hex()}")
        w3, contract = nodes.connect(node), ledger.domain.contract
        lists = RelayLists.find(w3, contract, ledger.since_block)
        if lists is None:
            lists = RelayLists.deploy(w3, contract)
        latest = lists.latest()
        if latest is not None and latest.data == data:
            typer.echo(f"version {latest.version} on the ledger is this list already; nothing was recorded")
            return
        recorded = lists.record(data, signer)
        where = f"recorded in 0x{lists.address.hex()}"
        typer.echo(f"relay list version {recorded.version}, hash 0x{recorded.digest.hex()}, {where}")


@app.command()
def verify(rpc: Rpc, folder: Folder = DIR, deployments: Deployments = DEPLOYMENTS) -> None:
    """Compare the network in a folder of this machine with the ledger's list. Fails if it is another."""
    with one_sentence_errors():
        from petra.onion.joining import check_network
        from petra.onion.network import load

        recorded = _recorded(rpc, deployments)
        check_network(load(folder), recorded)
        typer.echo(f"the network in {folder} is version {recorded.version} of the ledger's relay list")


@app.command()
def join(
    folder: Annotated[Path, typer.Argument(help="A folder for this machine's tor.")],
    rpc: Rpc,
    deployments: Deployments = DEPLOYMENTS,
    socks_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    torrc_only: Annotated[bool, typer.Option("--torrc-only", help="Write torrc, and start no tor.")] = False,
) -> None:
    """Join the network that the ledger names, with a torrc made from the ledger alone; runs until Ctrl-C.

    Refuses a network that has a relay which is not on the list. Prints one line of JSON once it is joined.
    """
    with one_sentence_errors():
        from petra.onion.joining import joined, write_torrc

        recorded = _recorded(rpc, deployments)
        if torrc_only:
            node = write_torrc(folder, recorded, socks_port)
            typer.echo(f"wrote {node.torrc} from version {recorded.version}; SOCKS will be 127.0.0.1:{node.socks_port}")
            return
        try:
            with joined(folder, recorded, socks_port) as here:
                print(json.dumps({"socks": f"127.0.0.1:{here.socks_port}", "version": here.version}), flush=True)
                while True:
                    time.sleep(CHECK_S)  # nothing tells when a consensus changes: it is asked for
                    here.check()
        except KeyboardInterrupt:
            typer.echo("left the network", err=True)


def _recorded(rpc: str, deployments: Path) -> "RecordedList":
    """The list in force. Raises ``ValueError`` if there is none."""
    from contracts import nodes
    from contracts.relay_lists import RelayLists

    ledger = _ledger(rpc, deployments)
    lists = RelayLists.find(nodes.connect(rpc), ledger.domain.contract, ledger.since_block)
    recorded = None if lists is None else lists.latest()
    if recorded is None:
        raise ValueError("the ledger's DSO has published no relay list; the operator says: petra onion publish")
    return recorded


def _ledger(rpc: str, deployments: Path) -> "EvmLedger":
    from contracts import deployments as files
    from contracts import nodes

    w3 = nodes.connect(rpc)
    recorded = files.load(w3.eth.chain_id, deployments)
    if recorded is None:
        raise ValueError(f"{deployments} records no ledger on chain {w3.eth.chain_id}; run petra chain deploy")
    return recorded.open(w3)


def _operator(
    desk: Path | None, passphrase: str, rpc: str | None, deployments: Path, key_file: Path | None
) -> "tuple[EvmLedger, str, Signer]":
    """Ledger, node and key of who publishes."""
    if (desk is None) == (key_file is None) or (desk is None) == (rpc is None):
        raise ValueError("say whose key signs: give --desk, or --rpc and --key-file")
    if desk is None or key_file is not None:
        from petra.onion.keyfiles import kept_key

        assert rpc is not None
        assert key_file is not None
        if not key_file.exists():
            raise ValueError(f"{key_file} does not exist; give the file with the DSO's key")
        return _ledger(rpc, deployments), rpc, kept_key(key_file)
    from dso.desk.keystore import open_desk_keys
    from petra.commands.dso_desk import open_desk

    folder, ledger = open_desk(desk)
    if folder.policy.required:
        raise ValueError("this desk acts with approvals only, and a relay list carries one signature; use --key-file")
    return ledger, folder.node, open_desk_keys(folder.path, passphrase, ledger.dso)[0]

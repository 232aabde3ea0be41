"""``petra onion``: a private Tor network for a microgrid, here all on loopback."""

from pathlib import Path
from typing import Annotated

import typer

from petra.commands.errors import one_sentence_errors

app = typer.Typer(no_args_is_help=True, help="A private Tor network for a microgrid, on this machine.")

DIR = Path("out/onion")
Folder = Annotated[Path, typer.Option("--dir", help="The network's folder.")]


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

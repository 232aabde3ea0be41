"""Joining a private Tor network from the list that stands beside the ledger, and from nothing else."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assets.codec import canonical, parse
from assets.errors import EncodingError
from contracts.relay_lists import RecordedList
from petra.onion.control import StemControl
from petra.onion.errors import OnionError
from petra.onion.layout import Node, Role, torrc_of
from petra.onion.network import DEFAULTS, Network, tor_program
from petra.onion.ports import free_ports
from petra.onion.proxy import TorProxy
from petra.onion.relays import Directory, publish_relays, read_directory

START_S = 60
"""Give up joining after this many seconds; a network that is up is joined in two or three."""

LIST = "relays.json"


@dataclass(frozen=True, slots=True)
class Joined:
    """A tor process of this machine in the network that the ledger names."""

    socks_port: int
    version: int
    """Of the list."""
    directory: Directory
    _control: StemControl

    def check(self) -> None:
        """Raise :class:`OnionError` if the network has a relay that the ledger does not name."""
        strange = sorted(self._control.relays() - self.directory.fingerprints)
        if strange:
            raise OnionError(
                f"the network has relay {strange[0]}, which is not on the ledger's list (version {self.version}); "
                "it is another network, or the DSO has to publish the list anew; nothing was sent"
            )


def directory_of(recorded: RecordedList) -> Directory:
    """The network that the ledger names. Raises :class:`OnionError` if what it has is no list."""
    try:
        return read_directory(parse(recorded.data))
    except EncodingError as error:
        raise OnionError(f"version {recorded.version} of the ledger's relay list cannot be used: {error}") from None


def check_network(network: Network, recorded: RecordedList) -> None:
    """Raise :class:`OnionError` unless the network in a folder of this machine is the one that the ledger names."""
    named, folder = directory_of(recorded), network.layout.folder
    found = read_directory(network_body(network))
    if found.authority_lines != named.authority_lines or found.fingerprints != named.fingerprints:
        raise OnionError(
            f"the network in {folder} is not the one on the ledger (version {recorded.version}): "
            f"{len(found.fingerprints - named.fingerprints)} of its nodes are not on the list, and "
            f"{len(named.fingerprints - found.fingerprints)} of the list are missing; do not use it"
        )
    for node in network.layout.nodes:
        lines = [line for line in node.torrc.read_text().splitlines() if line.startswith("DirAuthority")]
        if tuple(lines) != named.authority_lines:
            raise OnionError(f"{node.torrc} names other authorities than the ledger; do not use it")


def network_body(network: Network) -> object:
    """The list of a network that was started here."""
    from assets.keys import SigningKey

    return publish_relays(network, SigningKey.generate()).body


def write_torrc(folder: Path, recorded: RecordedList, socks_port: int = 0, owner_pid: int | None = None) -> Node:
    """Make the ``torrc`` of this machine's tor from the ledger's list alone; keeps the list beside it.

    Raises :class:`OnionError` if it cannot be used.
    """
    directory = directory_of(recorded)
    folder = folder.absolute()
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    control, socks = free_ports(2)
    node = Node("wallet", Role.WALLET, folder / "data", control, socks_port=socks_port or socks)
    text = torrc_of(node, directory.authority_lines, owner_pid)
    if not directory.loopback:
        # Only a network on one machine needs what Tor keeps for tests: relays of one address, and private addresses.
        text = text.replace("TestingTorNetwork 1\n", "")
    node.folder.mkdir(mode=0o700, exist_ok=True)
    node.torrc.write_text(text)
    (folder / DEFAULTS).write_text("")
    (folder / LIST).write_bytes(canonical({"version": recorded.version, "list": parse(recorded.data)}))
    return node


@contextmanager
def joined(folder: Path, recorded: RecordedList, socks_port: int = 0) -> Iterator[Joined]:
    """Be in the network meanwhile. Raises :class:`OnionError` if it cannot be reached, or is not the ledger's."""
    program = tor_program()
    node = write_torrc(folder, recorded, socks_port)
    log = node.folder / "notice.log"
    log.unlink(missing_ok=True)
    command = [program, "--defaults-torrc", str(folder.absolute() / DEFAULTS), "-f", str(node.torrc)]
    with (node.folder / "stdout.log").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, log)
        control = StemControl(node.control_port)
        try:
            here = Joined(node.socks_port, recorded.version, directory_of(recorded), control)
            here.check()
            TorProxy(node.socks_port).verify()
            yield here
        finally:
            control.close()
    finally:
        process.kill()
        process.wait()


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> None:
    end_s = time.monotonic() + START_S
    while not (log.exists() and "Bootstrapped 100%" in log.read_text(errors="replace")):
        if process.poll() is not None:
            raise OnionError(f"tor ended at once; see {log.parent}")
        if time.monotonic() > end_s:
            raise OnionError(
                f"the network on the ledger's list was not reached within {START_S} s; "
                "its authorities do not run, or are others than the list says"
            )
        time.sleep(0.1)

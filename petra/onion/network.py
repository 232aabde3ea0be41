"""Starting, watching and ending a private Tor network on this machine."""

import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from assets.codec import is_nested_deeply
from petra.onion import nodelay
from petra.onion.control import StemControl
from petra.onion.errors import OnionError
from petra.onion.layout import Authority, Layout, Node, Role, torrc

INSTALL_TOR = "tor is missing; run: apt-get install tor"
STATE = "network.json"
"""In the network's folder: ports and process numbers."""
DEFAULTS = "defaults"
"""There, too: an empty file, so that no tor reads the machine's own defaults."""
RELAYS = "relays.json"
"""There, too: the published list."""

START_S = 150
"""Give up a start after this many seconds; it takes 10 to 14, and on a machine with six times its load over 60."""


def tor_program() -> str:
    """Path of tor. Raises :class:`OnionError` with the line that installs it."""
    found = shutil.which("tor")
    if found is None or shutil.which("tor-gencert") is None:
        raise OnionError(INSTALL_TOR)
    return str(Path(found).absolute())


@dataclass(frozen=True, slots=True)
class Network:
    """A private network that was started."""

    layout: Layout
    authorities: tuple[Authority, ...]
    pids: dict[str, int]
    """Process number by node."""
    processes: "Sequence[subprocess.Popen[bytes]]" = ()
    """The processes, as long as it is the process that started them that looks."""

    @property
    def socks_port(self) -> int:
        """Where wallets of this machine reach the network."""
        return self.layout.of(Role.WALLET)[0].socks_port

    @property
    def wallet_control_port(self) -> int:
        """Control port of the wallets' tor."""
        return self.layout.of(Role.WALLET)[0].control_port

    @property
    def service_control_port(self) -> int:
        """Control port of the tor that publishes services."""
        return self.layout.of(Role.SERVICE)[0].control_port

    def alive(self, node: Node) -> bool:
        """Whether the node's process runs, and is the one that was started."""
        return _runs(self.pids[node.name], node)

    def down(self) -> None:
        """End every process that still runs, and wait until it has."""
        for node in self.layout.nodes:
            if self.alive(node):
                control = StemControl(node.control_port)
                control.halt()
                control.close()
        _wait(lambda: not any(self.alive(node) for node in self.layout.nodes), 10, "the tor processes do not end")
        for process in self.processes:
            process.wait()
        (self.layout.folder / STATE).unlink(missing_ok=True)


def up(folder: Path, owner_pid: int | None = None, progress: Callable[[str], None] = lambda line: None) -> Network:
    """Start a network in ``folder`` and wait until onion services can be used.

    It lives until :meth:`Network.down`, or until process ``owner_pid`` ends. Raises :class:`OnionError`; whatever was
    started by then is ended.
    """
    program = tor_program()
    folder = folder.absolute()
    if (folder / STATE).exists() and any(map(load(folder).alive, load(folder).layout.nodes)):
        raise OnionError(f"a network runs in {folder} already; end it with: petra onion down --dir {folder}")
    layout = Layout.on_loopback(folder)
    ours = {STATE, DEFAULTS, RELAYS, nodelay.LIBRARY, *(node.name for node in layout.nodes)}
    others = sorted({path.name for path in folder.iterdir()} - ours) if folder.exists() else []
    if others:
        raise OnionError(f"{folder} holds {others[0]}, which is no network's; give a folder that is empty or missing")
    _clear(folder)
    for node in layout.nodes:
        node.folder.mkdir(mode=0o700)
    (folder / DEFAULTS).write_text("")
    if not nodelay.build(folder):
        progress("no C compiler that works: messages will wait at every hop; run: apt-get install gcc libc6-dev")
    progress("making the authorities' keys")
    with ThreadPoolExecutor() as pool:
        authorities = tuple(pool.map(lambda node: _make_keys(program, folder, node), layout.of(Role.AUTHORITY)))
    start_s = int(time.time())
    processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(nodes: Sequence[Node]) -> None:
        for node in nodes:
            node.torrc.write_text(torrc(node, authorities, owner_pid, start_s))
            processes[node.name] = _start(program, folder, node)

    def all_run() -> bool:
        for name, process in processes.items():
            if process.poll() is not None:
                raise OnionError(f"{name} ended at once: {_last_line(folder / name)}")
        return True

    try:
        routing = [node for node in layout.nodes if node.routes]
        start(routing)
        progress("waiting for the authorities' consensus on all relays")
        authority_nodes = layout.of(Role.AUTHORITY)
        _wait(
            lambda: all_run() and all(_relays_known(n) >= len(routing) for n in authority_nodes),
            START_S,
            "the authorities find no consensus",
        )
        clients = [node for node in layout.nodes if not node.routes]
        start(clients)
        progress("waiting for the clients")
        _wait(lambda: all_run() and all(map(_bootstrapped, clients)), START_S, "the clients do not start")
    except BaseException:
        for process in processes.values():
            process.kill()
            process.wait()
        raise
    pids = {name: process.pid for name, process in processes.items()}
    network = Network(layout, authorities, pids, tuple(processes.values()))
    _save(network)
    return network


def _clear(folder: Path) -> None:
    """Empty ``folder`` and let nobody else in: what is in it tells tor what to do, and what to load."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # by its owner only
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise OnionError(f"{folder} cannot be made anew ({error.strerror}); give a folder of your own") from None


def revive(network: Network, owner_pid: int | None = None) -> Network:
    """Start what has ended of a network again, as it was: keys, ports, consensus. Raises :class:`OnionError`."""
    program, folder = tor_program(), network.layout.folder
    processes = {process.pid: process for process in network.processes}
    for process in processes.values():
        process.poll()
    pids = dict(network.pids)
    for node in network.layout.nodes:
        if not network.alive(node):
            node.torrc.write_text(torrc(node, network.authorities, owner_pid))
            process = _start(program, folder, node)
            pids[node.name], processes[process.pid] = process.pid, process
    revived = Network(network.layout, network.authorities, pids, tuple(processes.values()))
    clients = [node for node in network.layout.nodes if not node.routes]
    _save(revived)
    _wait(lambda: all(map(_bootstrapped, clients)), START_S, "the clients do not start")
    return revived


def load(folder: Path) -> Network:
    """The network that was started in ``folder``. Raises :class:`OnionError` if there is none."""
    folder = folder.absolute()
    try:
        data = (folder / STATE).read_bytes()
    except OSError as error:
        raise OnionError(
            f"no network was started in {folder}; start one with: petra onion up --dir {folder}"
        ) from error
    try:
        return _decode(folder, data)
    except (ValueError, KeyError, TypeError) as error:
        raise OnionError(f"{folder / STATE} is damaged; end its tor processes and remove the folder") from error


def _decode(folder: Path, data: bytes) -> Network:
    if is_nested_deeply(data):
        raise ValueError("nested too deeply")
    state = json.loads(data)
    nodes = {
        n["name"]: Node(
            n["name"],
            Role(n["role"]),
            folder / n["name"],
            int(n["control_port"]),
            int(n["or_port"]),
            int(n["dir_port"]),
            int(n["socks_port"]),
        )
        for n in state["nodes"]
    }
    authorities = tuple(Authority(nodes[a["name"]], a["identity"], a["fingerprint"]) for a in state["authorities"])
    if {node.role for node in nodes.values()} != set(Role):
        raise ValueError("not a whole network")
    pids = {name: int(state["pids"][name]) for name in nodes}
    return Network(Layout(folder, tuple(nodes.values())), authorities, pids)


def _save(network: Network) -> None:
    state = {
        "nodes": [
            {
                "name": n.name,
                "role": n.role.value,
                "control_port": n.control_port,
                "or_port": n.or_port,
                "dir_port": n.dir_port,
                "socks_port": n.socks_port,
            }
            for n in network.layout.nodes
        ],
        "authorities": [
            {"name": a.node.name, "identity": a.identity, "fingerprint": a.fingerprint} for a in network.authorities
        ],
        "pids": network.pids,
    }
    (network.layout.folder / STATE).write_text(json.dumps(state, indent=2) + "\n")


def _make_keys(program: str, folder: Path, node: Node) -> Authority:
    """The authority's keys. Its long-term key is encrypted under a passphrase that nobody keeps: made for one run."""
    keys = node.folder / "keys"
    keys.mkdir(mode=0o700)
    certificate = keys / "authority_certificate"
    command = ["tor-gencert", "--create-identity-key", "--passphrase-fd", "0", "-m", "1"]
    command += ["-a", f"127.0.0.1:{node.dir_port}", "-i", str(keys / "authority_identity_key")]
    command += ["-s", str(keys / "authority_signing_key"), "-c", str(certificate)]
    _run(command, secrets.token_hex(16) + "\n")
    identity = re.search(r"^fingerprint ([0-9A-F]{40})$", certificate.read_text(), re.MULTILINE)
    if identity is None:
        raise OnionError("tor-gencert made a certificate without a fingerprint")
    dummy = Authority(node, identity[1], "F" * 40)
    node.torrc.write_text(torrc(node, (dummy,), None))
    _run([*_command(program, folder, node), "--list-fingerprint", "--hush"])
    fingerprint = (node.folder / "fingerprint").read_text().split()[1]
    return Authority(node, identity[1], fingerprint)


def _command(program: str, folder: Path, node: Node) -> list[str]:
    return [program, "--defaults-torrc", str(folder / DEFAULTS), "-f", str(node.torrc)]


def _run(command: Sequence[str], stdin: str = "") -> None:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
        raise OnionError(f"{Path(command[0]).name} failed: {lines[-1]}")


def _start(program: str, folder: Path, node: Node) -> "subprocess.Popen[bytes]":
    command = _command(program, folder, node)
    with (node.folder / "stdout.log").open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            env=nodelay.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _relays_known(authority: Node) -> int:
    """Relays that the authority's consensus calls running and fit for onion services."""
    connection = http.client.HTTPConnection("127.0.0.1", authority.dir_port, timeout=2)
    try:
        connection.request("GET", "/tor/status-vote/current/consensus")
        lines = connection.getresponse().read().decode("ascii", "replace").splitlines()
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
    flags = [line.split() for line in lines if line.startswith("s ")]
    return sum("Running" in f and "HSDir" in f for f in flags)


def _bootstrapped(node: Node) -> bool:
    log = node.folder / "notice.log"
    return log.exists() and "Bootstrapped 100%" in log.read_text(errors="replace")


def _last_line(folder: Path) -> str:
    for name in ("stdout.log", "notice.log"):
        path = folder / name
        if path.exists() and (lines := path.read_text(errors="replace").strip().splitlines()):
            return lines[-1]
    return "it left no message"


def _runs(pid: int, node: Node) -> bool:
    """Process numbers are used again: look whether this one runs this node's configuration."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return os.fsencode(node.torrc) in command and state != "Z"


def _wait(ready: Callable[[], bool], timeout_s: int, failure: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise OnionError(f"{failure} within {timeout_s} s; see notice.log in the network's folder")
        time.sleep(0.1)

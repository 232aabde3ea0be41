"""The mix over HTTP and over a private Tor network, with everything running for real."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from petra.onion.connections import DirectConnection
from petra.onion.control import StemControl
from petra.onion.network import load
from petra.transports import Table, TransportFailed, open_transport
from tests.e2e.conftest import program

INSTALL_TOR = "tor is missing; run: apt-get install tor"


def petra(*args, check=True):
    done = subprocess.run([sys.executable, "-m", "petra", *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done


@pytest.fixture(scope="module")
def onion_dir(tmp_path_factory):
    """A private Tor network that ends with this process."""
    program("tor", INSTALL_TOR)
    folder = tmp_path_factory.mktemp("onion")
    petra("onion", "up", "--dir", folder, "--owner", os.getpid())
    yield folder
    petra("onion", "down", "--dir", folder)


def test_over_http_a_run_gives_the_same_bills_and_says_that_it_is_not_anonymous(tmp_path):
    args = ["--intervals", "1", "--seed", "3", "--start", "2025-04-01T15:00:00", "--homes", "5", "--ledger", "spec"]
    done = petra("simulate", "--out", tmp_path / "http", "--transport", "http", *args)
    petra("simulate", "--out", tmp_path / "memory", *args)
    assert done.stdout.count("NOT ANONYMOUS") == 2
    assert "NOT ANONYMOUS" in (tmp_path / "http" / "report.html").read_text()
    assert json.loads((tmp_path / "http" / "summary.json").read_text())["transport"]["anonymous"] is False
    assert (tmp_path / "http" / "bills.csv").read_bytes() == (tmp_path / "memory" / "bills.csv").read_bytes()


def test_over_tor_a_run_gives_the_same_bills_and_passes_the_audit(tmp_path, onion_dir):
    args = ["--intervals", "1", "--seed", "3", "--start", "2025-04-01T15:00:00", "--homes", "4", "--ledger", "spec"]
    done = petra("simulate", "--out", tmp_path / "tor", "--transport", "tor", "--onion-dir", onion_dir, *args)
    petra("simulate", "--out", tmp_path / "memory", *args)
    assert (tmp_path / "tor" / "bills.csv").read_bytes() == (tmp_path / "memory" / "bills.csv").read_bytes()
    assert "audit passed" in petra("audit", tmp_path / "tor").stdout
    assert f"127.0.0.1:{load(onion_dir).socks_port} " in done.stdout


def test_status_names_a_running_network(onion_dir):
    assert "verified to be Tor" in petra("onion", "status", "--dir", onion_dir).stdout


def owners_of_connections_to(port):
    """Process numbers of whoever has a TCP connection to ``port`` of this machine, by what the kernel says."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].split(":")[1], 16) == port and fields[9] != "0":
            inodes.add(f"socket:[{fields[9]}]")
    owners = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) in inodes:
                owners.add(int(link.parts[2]))
        except OSError:
            continue
    return owners


def children_listening():
    """Ports on which children of this process listen."""
    ports = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            ports[f"socket:[{fields[9]}]"] = int(fields[1].split(":")[1], 16)
    found = set()
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                found.add(ports.get(os.readlink(link)))
            except OSError:
                continue
    return found - {None}


def test_no_wallet_opens_a_connection_to_the_board_but_through_its_socks_port(onion_dir, fresh_community_of):
    """Three witnesses: the interpreter's audit hook, the kernel's table of sockets, and Tor's list of circuits."""
    community, tables = fresh_community_of(4)
    network = load(onion_dir)
    with open_transport("tor", onion_dir) as transport:
        (board_port,) = children_listening()
        with sampled(lambda: owners_of_connections_to(board_port)) as seen:
            (played,) = transport.mix(tables)
        assert community.ledger.submit([played.signed])[0].refusal is None
        assert set(transport.connections.opened) == {f"127.0.0.1:{network.socks_port}"}
        assert transport.connections.stopped == []
        assert seen == {network.pids["service"]}
        with pytest.raises(DirectConnection):  # planted: what the test must be able to see
            socket.create_connection(("127.0.0.1", board_port))
        assert [stopped.target for stopped in transport.connections.stopped] == [f"127.0.0.1:{board_port}"]
    with open_transport("http") as direct:  # planted: the same wallets without Tor, as the kernel sees them
        (board_port,) = children_listening()
        with sampled(lambda: owners_of_connections_to(board_port)) as seen:
            direct.mix(fresh_community_of(3)[1])
        assert seen == {os.getpid()}


@contextmanager
def sampled(look):
    """All that ``look`` saw meanwhile, twenty times a second."""
    seen, over = set(), threading.Event()

    def watch():
        while not over.wait(0.05):
            seen.update(look())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_every_member_has_circuits_of_its_own_and_what_follows_has_others(onion_dir, fresh_community_of):
    _, tables = fresh_community_of(3)
    control = StemControl(load(onion_dir).wallet_control_port)
    try:
        with open_transport("tor", onion_dir) as transport:
            proxy = transport.proxy
            session = tables[0].session.id
            during = [proxy.identity(session, f"mix {i}").username for i in range(3)]
            transport.mix(tables)
            tokens = [c.socks_username for c in control.circuits() if c.socks_username in during]
            assert set(tokens) == set(during)
            after = proxy.identity(session, "mix 0").username
            assert after not in during
    finally:
        control.close()


def test_a_proxy_that_is_not_tor_ends_the_run(onion_dir, tmp_path, monkeypatch):
    state = json.loads((onion_dir / "network.json").read_text())
    for node in state["nodes"]:
        if node["role"] == "wallet":
            node["socks_port"] = next(n["or_port"] for n in state["nodes"] if n["role"] == "relay")
    (tmp_path / "network.json").write_text(json.dumps(state))
    with pytest.raises(TransportFailed, match="not Tor"), open_transport("tor", tmp_path):
        pass
    failed = petra("simulate", "--transport", "tor", "--onion-dir", tmp_path, "--out", tmp_path / "run", check=False)
    assert failed.returncode == 2
    assert "not Tor" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_an_unknown_transport_is_refused(tmp_path):
    failed = petra("simulate", "--transport", "pigeon", "--out", tmp_path / "run", check=False)
    assert failed.returncode == 2
    assert "memory, http or tor" in failed.stderr


@pytest.fixture
def fresh_community_of():
    """A ledger with notes to be mixed, and the table of a session with all its members."""
    import importlib.util

    from petra.transports import Seat

    path = Path(__file__).parents[1] / "mixer" / "conftest.py"
    spec = importlib.util.spec_from_file_location("mixer_community", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mixer_community"] = module
    spec.loader.exec_module(module)

    def make(size):
        community = module.Community(size)
        seats = tuple(Seat(peer, community.keys[peer.index]) for peer in community.peers())
        return community, [Table(community.session, seats)]

    yield make
    del sys.modules["mixer_community"]

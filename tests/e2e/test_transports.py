"""The mix over HTTP and over a private Tor network, with everything running for real."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from bidstore.service.client import HttpClient, post
from petra.cli import app
from petra.onion.connections import DirectConnection
from petra.onion.control import StemControl
from petra.onion.joining import network_body
from petra.onion.keyfiles import kept_key
from petra.onion.network import load
from petra.onion.nodelay import LIBRARY
from petra.onion.proxy import Identity, TorProxy
from petra.transports import Table, open_transport
from tests.e2e.conftest import program
from tests.e2e.test_bidstore import Served, chain, pass_gate, settlements, until  # noqa: F401

INSTALL_TOR = "tor is missing; run: apt-get install tor"


def petra(*args, check=True):
    done = subprocess.run([sys.executable, "-m", "petra", *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done


def here(*args, check=True):
    """The same in this process, which saves the seconds that the imports take."""
    done = CliRunner().invoke(app, [*map(str, args)])
    assert done.exit_code == 0 or not check, done.output
    return done


RUN = ["--intervals", "1", "--seed", "3", "--start", "2025-04-01T15:00:00", "--homes", "4", "--ledger", "spec"]


@pytest.fixture(scope="module")
def memory_bills(tmp_path_factory):
    """The bills of a run whose mix went through memory."""
    out = tmp_path_factory.mktemp("memory")
    here("simulate", "--out", out, *RUN)
    return (out / "bills.csv").read_bytes()


@pytest.fixture(scope="module")
def onion_dir(tmp_path_factory):
    """A private Tor network that ends with this process."""
    program("tor", INSTALL_TOR)
    folder = tmp_path_factory.mktemp("onion")
    petra("onion", "up", "--dir", folder, "--owner", os.getpid())
    yield folder
    petra("onion", "down", "--dir", folder)


def test_over_http_a_run_gives_the_same_bills_and_says_that_it_is_not_anonymous(tmp_path, memory_bills):
    done = here("simulate", "--out", tmp_path, "--transport", "http", *RUN)
    assert done.stdout.count("NOT ANONYMOUS") == 2
    assert "NOT ANONYMOUS" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "summary.json").read_text())["transport"]["anonymous"] is False
    assert (tmp_path / "bills.csv").read_bytes() == memory_bills


def test_over_tor_a_run_gives_the_same_bills_and_passes_the_audit(tmp_path, onion_dir, memory_bills):
    done = here("simulate", "--out", tmp_path, "--transport", "tor", "--onion-dir", onion_dir, *RUN)
    assert (tmp_path / "bills.csv").read_bytes() == memory_bills
    assert "audit passed" in here("audit", tmp_path).stdout
    assert f"127.0.0.1:{load(onion_dir).socks_port} " in done.stdout.replace("\n", " ")


def test_status_names_a_running_network(onion_dir):
    assert "verified to be Tor" in petra("onion", "status", "--dir", onion_dir).stdout


def test_tors_on_loopback_send_at_once(onion_dir):
    program("cc", "a C compiler is missing; run: apt-get install gcc libc6-dev")
    maps = [Path(f"/proc/{pid}/maps") for pid in load(onion_dir).pids.values()]
    try:
        loaded = [str((onion_dir / LIBRARY).resolve()) in each.read_text() for each in maps]
    except PermissionError:  # tor lets its own user not look, so here nothing can be known
        if os.environ.get("PETRA_REQUIRE_ALL") == "1":
            raise
        pytest.skip("only root may look into a tor; run: sudo .venv/bin/python -m pytest tests/e2e/test_transports.py")
    assert all(loaded)


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
    """Three witnesses: the interpreter's audit hook, the kernel's table of sockets, and Tor's list of circuits.

    The last also shows that every member has circuits of its own, and that what follows the mix has others.
    """
    community, tables = fresh_community_of(3)
    network = load(onion_dir)
    control = StemControl(network.wallet_control_port)  # before this process is watched
    try:
        with open_transport("tor", onion_dir) as transport:
            (board_port,) = children_listening()
            proxy, session = transport.proxy, tables[0].session.id
            during = [proxy.identity(session, f"mix {i}").username for i in range(3)]
            transport.follow(community.ledger)
            with sampled(lambda: owners_of_connections_to(board_port)) as seen:
                (played,) = transport.mix(tables)
            assert {c.socks_username for c in control.circuits()} >= set(during)
            assert len(set(during)) == 3
            assert proxy.identity(session, "mix 0").username not in during
            assert community.ledger.submit([played.mixed])[0].refusal is None
            assert set(transport.connections.opened) == {f"127.0.0.1:{network.socks_port}"}
            assert transport.connections.stopped == []
            assert seen == {network.pids["service"]}
            with pytest.raises(DirectConnection):  # planted: what the test must be able to see
                socket.create_connection(("127.0.0.1", board_port))
            with pytest.raises(DirectConnection):  # planted: a name asked for outside of Tor
                socket.getaddrinfo("board.example", 80)
            assert [s.target for s in transport.connections.stopped] == [f"127.0.0.1:{board_port}", "board.example"]
    finally:
        control.close()
    assert "verified to be Tor" in here("onion", "status", "--dir", onion_dir).stdout  # the network outlives a guest


def test_the_kernel_shows_wallets_that_go_directly(fresh_community_of):
    """Planted: the same wallets without Tor, which the second witness must be able to see."""
    with open_transport("http") as direct:
        (board_port,) = children_listening()
        community, tables = fresh_community_of(3)
        direct.follow(community.ledger)
        with sampled(lambda: owners_of_connections_to(board_port)) as seen:
            direct.mix(tables)
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


def test_both_engines_mix_over_tor_and_a_judge_reads_the_log(onion_dir, tmp_path):
    log = tmp_path / "mix.jsonl"
    sizes = ["--engine", "coinshuffle,dicemix", "--peers", "3,dicemix:5"]
    done = here("mix", "bench", *sizes, "--transport", "tor", "--onion-dir", onion_dir, "--out", log)
    assert "bound s" in done.stdout
    assert sum(line.startswith("│") for line in done.stdout.splitlines()) == 3
    assert "5 notes mixed; 0 members excluded" in here("mix", "judge", log).stdout


def test_a_proxy_that_is_not_tor_ends_the_run(onion_dir, tmp_path):
    state = json.loads((onion_dir / "network.json").read_text())
    for node in state["nodes"]:
        if node["role"] == "wallet":
            node["socks_port"] = next(n["or_port"] for n in state["nodes"] if n["role"] == "relay")
    (tmp_path / "network.json").write_text(json.dumps(state))
    failed = here("simulate", "--transport", "tor", "--onion-dir", tmp_path, "--out", tmp_path / "run", check=False)
    assert failed.exit_code == 2
    assert "not Tor" in failed.stderr
    assert not list((tmp_path / "run").iterdir())


def test_an_unknown_transport_is_refused(tmp_path):
    failed = here("simulate", "--transport", "pigeon", "--out", tmp_path / "run", check=False)
    assert failed.exit_code == 2
    assert "memory, http or tor" in failed.stderr


@pytest.fixture
def fresh_community_of():
    """A ledger with notes to be mixed, and the table of a session with all its members."""
    import importlib.util

    from mixer.choice import engine_for
    from mixer.engine import Rules
    from mixer.follower import Seat

    path = Path(__file__).parents[1] / "mixer" / "conftest.py"
    spec = importlib.util.spec_from_file_location("mixer_community", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mixer_community"] = module
    spec.loader.exec_module(module)

    def make(size):
        community = module.Community(size)
        seats = tuple(Seat(key, lambda: community.spare_key().address) for key in community.keys)
        return community, [Table(community.session, engine_for(size), Rules(minimum=2, timeout_s=180), seats)]

    yield make
    del sys.modules["mixer_community"]


def test_strangers_find_each_other_at_a_bid_store_behind_an_onion_service(onion_dir, chain, tmp_path):  # noqa: F811
    w3, url, market = chain
    sale, purchase = market.sale(100_000), market.purchase(200_000)
    proxy = TorProxy(load(onion_dir).socks_port)

    async def trade(at):
        ids = []
        for order in (sale, purchase):  # each over circuits of its own
            async with proxy.client(Identity.fresh()) as http:
                owner = market.keys[order.energy.note.owner]
                ids.append(await post(HttpClient(at, http), market.ledger.domain, market.signed(order), owner))
        book = ["bidstore", "book", "--url", at, "--power-w", 400, "--start", 5, "--onion-dir", onion_dir]
        told = await asyncio.to_thread(here, *book)
        assert [line.split()[:2] for line in told.output.splitlines()] == [["SELL", "100000"], ["BUY", "200000"]]
        pass_gate(w3, market)
        async with proxy.client(Identity.fresh()) as http:
            await until(HttpClient(at, http), ids, ["settled", "settled"])

    served = Served(url, tmp_path, "--onion-dir", onion_dir, "--onion-key-file", tmp_path / "name")
    try:
        assert served.url.endswith(".onion")
        asyncio.run(trade(served.url))
    finally:
        assert served.end() == 0
    (fill,) = settlements(w3, market)
    assert fill.price_nano_per_wh == 150_000
    assert (tmp_path / "name").stat().st_mode & 0o077 == 0


@pytest.fixture
def published(anvil_url, tmp_path):
    """A ledger on a node of its own: the DSO's key file, and how commands are told of the ledger."""
    key_file = tmp_path / "dso.key"
    at = ["--rpc", anvil_url, "--deployments", tmp_path / "deployments"]
    here("chain", "deploy", "--dso", f"0x{kept_key(key_file).address.hex()}", *at)
    return key_file, at


def test_a_wallet_joins_from_the_ledger_alone_and_refuses_a_changed_list(tmp_path, onion_dir, published, monkeypatch):
    key_file, at = published
    none = here("onion", "join", tmp_path / "early", *at, check=False)
    assert none.exit_code == 2
    assert "published no relay list" in none.output
    publish = ["onion", "publish", "--dir", onion_dir, *at, "--key-file"]
    assert "version 1" in here(*publish, key_file).stdout
    assert "nothing was recorded" in here(*publish, key_file).stdout
    assert "version 1 of the ledger's relay list" in here("onion", "verify", "--dir", onion_dir, *at).stdout
    kept_key(tmp_path / "stranger.key")
    assert "the ledger's DSO is" in here(*publish, tmp_path / "stranger.key", check=False).output

    board = [sys.executable, "-m", "petra", "board", "serve", "--any-session", "--onion-dir", str(onion_dir)]
    home = [sys.executable, "-m", "petra", *map(str, ["onion", "join", tmp_path / "home", *at])]
    with running(board) as served, running(home) as client:
        url = json.loads(served.stdout.readline())["board"].split("#")[0]
        said = json.loads(client.stdout.readline())
        assert said["version"] == 1
        proxy = TorProxy(int(said["socks"].rpartition(":")[2]))
        assert proxy.port != load(onion_dir).socks_port
        assert asyncio.run(answer(proxy, f"{url}/v1/board"))["address"].startswith("0x")
    torrc = (tmp_path / "home" / "data" / "torrc").read_text()
    assert str(onion_dir) not in torrc, "nothing comes from the network's folder"

    def shorter(network):
        body = network_body(network)
        return {**body, "relays": body["relays"][1:]}

    with monkeypatch.context() as patched:
        patched.setattr("petra.onion.joining.network_body", shorter)
        assert "version 2" in here(*publish, key_file).stdout
    refused = here("onion", "verify", "--dir", onion_dir, *at, check=False)
    assert refused.exit_code == 2
    assert "is not the one on the ledger (version 2)" in refused.output
    refused = petra("onion", "join", tmp_path / "home", *at, check=False)
    assert refused.returncode == 2
    assert "which is not on the ledger's list (version 2)" in refused.stderr


async def answer(proxy, url):
    async with proxy.client(Identity.fresh()) as http:
        for _ in range(40):
            with suppress(httpx2.TransportError):  # its descriptor may be on its way
                return (await http.get(url)).json()
            await asyncio.sleep(0.25)
    raise AssertionError(f"{url} was not reached")


@contextmanager
def running(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)

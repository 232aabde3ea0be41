import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("httpx2", reason="httpx2 is missing; run: pip install 'petra[service]'")

import httpx2

from assets.keys import SigningKey
from mixer.boardservice.client import BoardAddress
from mixer.choice import engine_for
from mixer.engine import Rules
from mixer.faults import PeerFault, Reason
from mixer.follower import Seat
from mixer.protocol import Phase
from petra import simulation
from petra.cli import app
from petra.commands.errors import one_sentence_errors
from petra.onion.proxy import TorProxy
from petra.transports import BoardTransport, MemoryTransport, Table, TransportFailed, _endpoints, open_transport


@pytest.fixture
def table_and_ledger(make_scenario):
    """A session with all its members, and the ledger on which its notes stand."""
    from petra import stages
    from petra.membership import mix_sessions
    from petra.wallet import Purpose

    grid = simulation.build(make_scenario(homes=3))
    grid.submit(stages.withdrawals(grid, 0))
    session = mix_sessions(grid.ledger.domain, grid.latest, 0)[0]
    keys = {
        owner: (home.wallet, home.wallet.key(owner))
        for home in grid.homes
        for owner, use in list(home.wallet.uses.items())
        if use.purpose is Purpose.WITHDRAWN
    }
    seats = []
    for owner in session.owners:
        wallet, key = keys[owner]
        seats.append(Seat(key, partial(wallet.fresh_address, Purpose.MIXED, 0)))
    rules = Rules(minimum=2, timeout_s=4)
    return Table(session, engine_for(session.size), rules, tuple(seats)), grid.ledger


@pytest.fixture
def table(table_and_ledger):
    return table_and_ledger[0]


def test_a_board_that_is_gone_stops_the_mix_in_one_sentence(table, monkeypatch):
    monkeypatch.setattr("mixer.boardservice.client.RETRY_S", 0.001)
    with asyncio.Runner() as runner:
        transport = BoardTransport(BoardAddress("http://127.0.0.1:1", table.seats[0].key.address), runner)
        with pytest.raises(TransportFailed, match="the board cannot be reached"):
            transport.mix([table])


def test_without_tor_nothing_is_sent_by_another_way(table):
    with asyncio.Runner() as runner:
        board = BoardAddress("http://127.0.0.1:1", table.seats[0].key.address)
        transport = BoardTransport(board, runner, TorProxy(1))
        assert transport.anonymous
        with pytest.raises(TransportFailed, match="nothing answers"):
            transport.mix([table])


def test_a_member_that_never_comes_is_excluded_and_the_others_mix(table_and_ledger, monkeypatch):
    monkeypatch.setattr("mixer.boardservice.play.SPREAD_S", 0.2)
    table, ledger = table_and_ledger
    present = replace(table, rules=Rules(minimum=2, timeout_s=2), seats=(table.seats[0], *table.seats[2:]))
    absent = table.session.index_of(table.seats[1].key.address)
    with open_transport("http") as transport:
        with pytest.raises(TransportFailed, match="ledger cannot be read"):  # nothing was said of any ledger
            transport.mix([table])
        transport.follow(ledger)
        (played,) = transport.mix([present])
    blamed, mixed = played.attempts
    assert [guilt.member for guilt in blamed.outcome.guilty] == [absent]
    assert mixed.run.members == tuple(i for i in range(table.session.size) if i != absent)
    assert ledger.submit([played.mixed])[0].refusal is None


class Breaking(httpx2.AsyncBaseTransport):
    """Passes on requests until the second post, then the way is gone for good."""

    def __init__(self, posts):
        self._inner, self._left = httpx2.AsyncHTTPTransport(), posts

    async def handle_async_request(self, request):
        self._left -= request.method == "POST"
        if self._left < 0:
            raise httpx2.ConnectError("the way is gone")
        return await self._inner.handle_async_request(request)

    async def aclose(self):
        await self._inner.aclose()


@pytest.mark.parametrize("posts", [-1, 1], ids=["before it connects", "in the mix"])
def test_a_member_whose_connection_breaks_is_excluded_and_the_others_mix(table_and_ledger, monkeypatch, posts):
    monkeypatch.setattr("mixer.boardservice.play.SPREAD_S", 0.2)
    monkeypatch.setattr("mixer.boardservice.client.RETRY_S", 0.001)
    table, ledger = table_and_ledger
    table = replace(table, rules=Rules(minimum=2, timeout_s=3))
    lost = table.session.index_of(table.seats[1].key.address)
    with open_transport("http") as transport:
        transport.follow(ledger)
        real = transport.http_client

        def http_client(session, role):
            if role != f"mix {lost}":
                return real(session, role)
            return httpx2.AsyncClient(transport=Breaking(posts), timeout=20)

        monkeypatch.setattr(transport, "http_client", http_client)
        (played,) = transport.mix([table])
    blamed, mixed = played.attempts
    assert [(guilt.member, guilt.proven) for guilt in blamed.outcome.guilty] == [(lost, False)]
    assert lost not in mixed.run.members
    assert len(played.traffic) == table.session.size
    assert ledger.submit([played.mixed])[0].refusal is None


def test_below_the_minimum_there_is_no_mix_and_all_see_it(table_and_ledger, monkeypatch):
    monkeypatch.setattr("mixer.boardservice.play.SPREAD_S", 0.2)
    table, ledger = table_and_ledger
    present = replace(table, rules=Rules(minimum=3, timeout_s=2), seats=table.seats[1:])
    with open_transport("http") as transport:
        transport.follow(ledger)
        (played,) = transport.mix([present])
    assert played.mixed is None
    assert len(played.attempts) == 1


def test_a_round_takes_time_on_a_board_and_memory_sends_nothing():
    with open_transport("http", any_session=True) as transport:
        assert 0 < transport.round_s(3, 2) < 60
        assert 0 < transport.round_s(3, 4, in_turn=True, message_bytes=3000) < 60
    assert MemoryTransport().round_s(3, 2) > 0
    assert MemoryTransport().account() == []


def test_a_board_ends_with_the_process_that_started_it():
    code = (
        "from petra.transports import open_transport\n"
        "import os, pathlib\n"
        "context = open_transport('http'); context.__enter__()\n"
        "print(pathlib.Path(f'/proc/self/task/{os.getpid()}/children').read_text(), flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    (child,) = done.stdout.split()
    for _ in range(100):
        try:
            with open(f"/proc/{child}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    break
        except OSError:
            break
        asyncio.run(asyncio.sleep(0.1))
    else:
        os.kill(int(child), 9)
        pytest.fail("the board lives on")


@pytest.mark.parametrize(
    ("args", "advice"),
    [
        (["board", "serve"], "whose notes may mix here"),
        (["board", "serve", "--any-session", "--ledger-log", "x"], "give one of --rpc"),
        (
            ["board", "serve", "--any-session", "--database", "postgresql://x@127.0.0.1:1/y"],
            "database cannot be opened",
        ),
        (["board", "serve", "--onion-control", "1", "--onion-dir", "x"], "not both"),
        (["onion", "status", "--dir", "nowhere"], "petra onion up"),
        (["onion", "down", "--dir", "nowhere"], "petra onion up"),
        (["simulate", "--transport", "tor", "--onion-dir", "nowhere"], "petra onion up"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(tmp_path, monkeypatch, args, advice):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 2, done.output
    assert advice in done.stderr
    assert "Traceback" not in done.stderr


def test_a_control_port_where_nobody_answers_is_said_in_one_sentence(tmp_path):
    """In a process of its own: stem leaves the socket open that it could not connect."""
    command = [sys.executable, "-m", "petra", "board", "serve", "--any-session", "--onion-control", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "set ControlPort" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_board_with_a_database_that_is_killed_leaves_nothing_elsewhere(tmp_path):
    (elsewhere := tmp_path / "elsewhere").mkdir()
    command = [sys.executable, "-m", "petra", "board", "serve", "--any-session", "--database", str(tmp_path / "b.db")]
    env = {**os.environ, "TMPDIR": str(elsewhere)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env) as board:
        assert b"board" in board.stdout.readline()
        board.kill()
    assert list(elsewhere.iterdir()) == []


def test_without_the_tor_program_the_line_that_installs_it_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(app, ["simulate", "--transport", "tor", "--homes", "3", "--intervals", "1"])
    assert done.exit_code == 2, done.output
    assert "apt-get install tor" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_peer_that_ends_a_run_is_said_in_one_sentence(capsys):
    with pytest.raises(typer.Exit) as ended, one_sentence_errors():
        raise PeerFault(3, Phase.ANNOUNCEMENT, Reason.SILENT)
    assert ended.value.exit_code == 2
    assert "peer 3" in capsys.readouterr().err


def test_a_board_that_is_gone_stops_the_measurement_in_one_sentence(monkeypatch):
    monkeypatch.setattr("mixer.boardservice.client.RETRY_S", 0.001)
    with asyncio.Runner() as runner:
        transport = BoardTransport(BoardAddress("http://127.0.0.1:1", SigningKey(b"\x03" * 32).address), runner)
        with pytest.raises(TransportFailed, match="cannot be reached"):
            transport.round_s(2, 1)


def test_a_ledger_node_may_be_given_by_name():
    assert {("localhost", 8545), ("127.0.0.1", 8545)} <= set(_endpoints("http://localhost:8545"))

"""Faults done to real processes and files, and taken back."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from petra.village.chaos import cheat, disk
from petra.village.chaos.faults import fault_of
from petra.village.chaos.kinds import Kind, Planned
from petra.village.chaos.manners import MANNERS
from petra.village.chaos.recovery import chain_mark, is_further, mark_of, meter_mark, wallet_mark
from petra.village.chaos.run import Chaos, Pace, cast_of, time_left_ms, until_delivered
from petra.village.links import Link, read_links, write_links
from petra.village.options import Options
from petra.village.state import Condition, Phase, ProcessState, VillageState, process_letter, read_state

BUSY = "import sqlite3, sys, time\n" + (
    "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    "db.execute('PRAGMA journal_mode=WAL')\n"
    "db.execute('CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, y BLOB)')\n"
    "print('ready', flush=True)\n"
    "while True:\n"
    "    try:\n"
    "        db.execute('INSERT INTO t (y) VALUES (randomblob(5000))')\n"
    "    except sqlite3.OperationalError as error:\n"
    "        print(error, flush=True)\n"
    "    time.sleep(0.01)\n"
)


class Busy:
    """A process that stores something a hundred times a second, in a village of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store.db"
        self.restarts = 0
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", BUSY, str(self.store)], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        write_village(self.folder, self.process.pid, self.restarts)

    def restart(self) -> None:
        self.end()
        self.restarts += 1
        self.start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def count(self) -> int:
        with sqlite3.connect(self.store) as db:
            (count,) = db.execute("SELECT COUNT(*) FROM t").fetchone()
        db.close()
        return int(count)


def write_village(folder: Path, pid: int | None, restarts: int = 0, role: str = "wallet", **facts) -> None:
    process = ProcessState("wallet3", role, pid, Condition.RUNNING, restarts, 0.0, "wallet3", "logs/wallet3.log")
    VillageState(Options(homes=3), Phase.RUNNING, os.getpid(), 0.0, processes=(process,), facts=facts).write(folder)


@pytest.fixture
def busy(tmp_path):
    one = Busy(tmp_path)
    yield one
    one.end()


def planned(kind: Kind, victim: str = "wallet3", **more) -> Planned:
    return Planned(kind, victim, 0, 1000, **more)


def grows(busy: Busy) -> bool:
    before = busy.count()
    time.sleep(0.3)
    return busy.count() > before


def test_a_killed_process_is_gone(busy) -> None:
    assert fault_of(busy.folder, planned(Kind.KILL)).inject()
    assert busy.process.wait(5) == -signal.SIGKILL
    for kind in (Kind.KILL, Kind.PAUSE, Kind.DISK, Kind.REPLICA):
        assert not fault_of(busy.folder, planned(kind)).inject(), "who is gone cannot be hit"


def test_a_paused_process_does_nothing_until_it_is_woken(busy) -> None:
    fault = fault_of(busy.folder, planned(Kind.PAUSE))
    fault.inject()
    time.sleep(0.1)
    assert process_letter(busy.process.pid) == "T"
    assert not grows(busy)
    fault.heal()
    assert grows(busy)


def test_a_process_that_was_started_again_while_it_was_paused_is_not_woken_in_error(busy) -> None:
    fault = fault_of(busy.folder, planned(Kind.PAUSE))
    fault.inject()
    busy.restart()
    fault.heal()
    assert grows(busy)


def test_on_a_full_disk_nothing_is_stored_and_all_goes_on_when_there_is_room(busy) -> None:
    fault = fault_of(busy.folder, planned(Kind.DISK))
    fault.inject()
    time.sleep(0.1)
    assert not grows(busy)
    assert "disk" in busy.process.stdout.readline() or "full" in busy.process.stdout.readline()
    fault.heal()
    assert grows(busy)


def test_a_full_disk_stays_full_for_a_process_that_is_started_again(busy) -> None:
    fault = fault_of(busy.folder, planned(Kind.DISK))
    fault.inject()
    busy.restart()
    fault.keep()
    time.sleep(0.1)
    assert not grows(busy)
    fault.heal()
    assert grows(busy)


def test_the_disk_of_a_process_that_has_ended_cannot_be_filled() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    disk.fill(process.pid)
    disk.free(None)


def test_a_replica_is_kept_away(busy) -> None:
    fault = fault_of(busy.folder, planned(Kind.REPLICA))
    fault.inject()
    assert busy.process.wait(5) == -signal.SIGKILL
    busy.restart()
    fault.keep()
    assert busy.process.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("kind", "field", "value"), [(Kind.CUT, "cut", True), (Kind.SILENT, "silent", True), (Kind.SLOW, "delay_ms", 300)]
)
def test_the_network_of_one_process_is_hurt_and_healed(tmp_path, kind, field, value) -> None:
    links = [Link("wallet3-chain", 20_001, "127.0.0.1:8545"), Link("meter3-chain", 20_002, "127.0.0.1:8545")]
    write_links(tmp_path, links)
    assert not fault_of(tmp_path, planned(kind, "wallet9-chain", amount=300)).inject()
    fault = fault_of(tmp_path, planned(kind, "wallet3-chain", amount=300))
    assert fault.inject()
    assert getattr(read_links(tmp_path)[0], field) == value
    assert read_links(tmp_path)[1] == links[1]
    fault.heal()
    assert list(read_links(tmp_path)) == links


def test_a_skewed_clock_is_set_right_again(tmp_path) -> None:
    path = tmp_path / "clocks" / "meter3.json"
    path.parent.mkdir()
    before = {"real_s": 1.5, "simulated_s": 1000, "speed": 60}
    path.write_text(json.dumps(before))
    fault = fault_of(tmp_path, planned(Kind.SKEW, "meter3", amount=-400))
    fault.inject()
    assert json.loads(path.read_text()) == {**before, "simulated_s": 600}
    fault.heal()
    assert json.loads(path.read_text()) == before


def test_a_wallet_is_told_how_to_cheat_and_to_stop(tmp_path) -> None:
    (tmp_path / "wallet3").mkdir()
    fault = fault_of(tmp_path, planned(Kind.CHEAT, manner="silent"))
    assert cheat.manner_in(tmp_path / "wallet3") is None
    fault.inject()
    assert cheat.manner_in(tmp_path / "wallet3") is MANNERS["silent"]
    fault.heal()
    fault.heal()
    assert cheat.manner_in(tmp_path / "wallet3") is None


def test_marks_tell_how_far_meters_and_wallets_have_come(tmp_path) -> None:
    assert meter_mark(tmp_path) is None
    assert wallet_mark(tmp_path) is None
    with sqlite3.connect(tmp_path / "journal.db") as journal:
        journal.executescript("CREATE TABLE state (time_ms INTEGER); INSERT INTO state VALUES (5), (7)")
    with sqlite3.connect(tmp_path / "book.db") as book:
        book.executescript("CREATE TABLE about (name TEXT, value TEXT)")
        book.execute("INSERT INTO about VALUES ('tally', ?)", (json.dumps({"time_s": 9}),))
    with sqlite3.connect(tmp_path / "ledger.db") as ledger:
        ledger.executescript("CREATE TABLE block (number INTEGER); INSERT INTO block VALUES (3), (4)")
    for db in (journal, book, ledger):
        db.close()
    assert meter_mark(tmp_path) == (7, 9)
    assert wallet_mark(tmp_path) == (4,)
    assert chain_mark("http://127.0.0.1:9") is None


@pytest.mark.parametrize(
    ("now", "before", "further"),
    [
        ((2, 2), (1, 1), True),
        ((2, 1), (1, 1), False),
        (None, (1,), False),
        ((1,), None, True),
        (None, None, False),
    ],
)
def test_who_is_further_in_everything_has_recovered(now, before, further) -> None:
    assert is_further(now, before) is further


async def answer(reader, writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    await writer.drain()
    writer.close()


def test_whoever_still_works_without_a_link_has_not_recovered_before_it_carries(tmp_path) -> None:
    """A wallet follows the chain whether or not it can reach the board."""

    async def body() -> None:
        write_village(tmp_path, os.getpid())
        (tmp_path / "wallet3").mkdir()
        with sqlite3.connect(tmp_path / "wallet3" / "ledger.db") as ledger:
            ledger.executescript("CREATE TABLE block (number INTEGER); INSERT INTO block VALUES (3)")
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        write_links(tmp_path, [Link("wallet3-board", port, "127.0.0.1:1")])
        well = await mark_of(tmp_path, planned(Kind.CUT, "wallet3-board"))
        assert well is not None
        server.close()
        await server.wait_closed()
        with ledger:
            ledger.execute("INSERT INTO block VALUES (4)")
        ledger.close()
        assert not is_further(await mark_of(tmp_path, planned(Kind.CUT, "wallet3-board")), well)
        assert is_further(await mark_of(tmp_path, planned(Kind.PAUSE)), (3,))

    asyncio.run(body())


def test_who_is_away_when_its_turn_comes_is_hit_when_it_is_back(busy, tmp_path) -> None:
    (tmp_path / "clock.json").write_text(json.dumps({"real_s": time.time(), "simulated_s": 1_000, "speed": 60}))
    pid = busy.process.pid
    write_village(tmp_path, None)

    async def body() -> None:
        chaos = asyncio.create_task(Chaos(tmp_path, (planned(Kind.KILL),), 1, lambda line: None).run())
        await asyncio.sleep(0.5)
        assert busy.process.poll() is None
        write_village(tmp_path, pid)
        await asyncio.to_thread(busy.process.wait, 5)
        chaos.cancel()

    with suppress(asyncio.CancelledError):
        asyncio.run(body())
    assert busy.process.returncode == -signal.SIGKILL


INTERRUPTED = """
import asyncio, signal, sys
if "background" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
from pathlib import Path
from petra.commands.stopping import end_as_by_ctrl_c
from petra.village.chaos.kinds import Kind, Planned
from petra.village.chaos.run import Chaos
end_as_by_ctrl_c()
asyncio.run(Chaos(Path(sys.argv[1]), (Planned(Kind.PAUSE, "wallet3", 0, 60_000),), 1, print).run())
"""


@pytest.mark.parametrize("job", ["foreground", "background"])
def test_who_is_told_to_end_in_the_middle_takes_back_what_it_did(busy, tmp_path, job) -> None:
    """A job in the background of a script ignores SIGINT."""
    (tmp_path / "clock.json").write_text(json.dumps({"real_s": time.time(), "simulated_s": 1_000, "speed": 60}))
    chaos = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(tmp_path), job], stderr=subprocess.DEVNULL)
    end_s = time.monotonic() + 60
    while process_letter(busy.process.pid) != "T":
        assert time.monotonic() < end_s
        time.sleep(0.05)  # the kernel tells nobody when a stranger's process stops: it is asked for
    chaos.send_signal(signal.SIGTERM)
    assert chaos.wait(20) != 0
    assert grows(busy)


def test_a_service_is_well_when_it_answers(tmp_path) -> None:
    async def body() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        process = ProcessState("relay", "relay", 1, Condition.RUNNING, 0, 0.0, "relay", "x", f"http://127.0.0.1:{port}")
        VillageState(Options(homes=3), Phase.RUNNING, os.getpid(), 0.0, processes=(process,)).write(tmp_path)
        first = await mark_of(tmp_path, planned(Kind.KILL, "relay"))
        assert first is not None
        server.close()
        await server.wait_closed()
        assert await mark_of(tmp_path, planned(Kind.KILL, "relay")) is None
        assert await mark_of(tmp_path, planned(Kind.KILL, "nobody")) is None

    asyncio.run(body())


def test_chaos_does_its_plan_measures_recovery_and_writes_it_down(busy, tmp_path) -> None:
    """The busy process stands for a wallet whose newest block is the number of rows."""
    folder = tmp_path
    (folder / "clock.json").write_text(json.dumps({"real_s": time.time(), "simulated_s": 1_000, "speed": 60}))
    (folder / "wallet3").mkdir()
    busy.end()
    busy.store = folder / "wallet3" / "ledger.db"
    busy.start()
    with sqlite3.connect(busy.store) as db:
        db.execute("CREATE VIEW block AS SELECT x AS number FROM t")
    db.close()
    plan = (
        Planned(Kind.PAUSE, "wallet3", 0, 400),
        Planned(Kind.DISK, "wallet3", 600, 400),
    )
    said: list[str] = []
    happened = asyncio.run(Chaos(folder, plan, 7, said.append).run())
    assert [(h.fault, h.victim, h.role, h.restarts) for h in happened] == [
        ("pause", "wallet3", "wallet", 0),
        ("disk", "wallet3", "wallet", 0),
    ]
    for h in happened:
        assert h.recovered_s is not None
        assert h.healed_s - h.at_s >= 0.35
        assert h.simulated_ms[1] - h.simulated_ms[0] >= 60 * 350
    written = json.loads((folder / "chaos.json").read_text())
    assert written["seed"] == 7
    assert [f["fault"] for f in written["faults"]] == ["pause", "disk"]
    shown = [json.loads(line) for line in (folder / "faults.jsonl").read_text().splitlines()]
    assert [row["target"] for row in shown] == ["wallet3", "wallet3"]
    assert len(said) == 2


def test_a_victim_that_does_not_come_back_is_not_recovered(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("petra.village.chaos.run.PATIENCE_S", 0.3)
    (tmp_path / "clock.json").write_text(json.dumps({"real_s": time.time(), "simulated_s": 1_000, "speed": 60}))
    write_village(tmp_path, None)
    (happened,) = asyncio.run(Chaos(tmp_path, (Planned(Kind.KILL, "wallet3", 0, 0),), 1, lambda line: None).run())
    assert happened.recovered_s is None
    assert "not there" in happened.text


def test_who_is_there_and_how_long_are_read_from_the_village(tmp_path) -> None:
    write_links(tmp_path, [Link("wallet3-chain", 20_001, "127.0.0.1:8545")])
    now_s = time.time()
    (tmp_path / "clock.json").write_text(json.dumps({"real_s": now_s, "simulated_s": 10_000, "speed": 30}))
    write_village(tmp_path, 1, genesis_s=10_000)
    state = read_state(tmp_path)
    cast = cast_of(tmp_path, state)
    assert (cast.processes, list(cast.links), list(cast.cheats)) == ({"wallet": ["wallet3"]}, ["wallet3-chain"], [])
    assert abs(time_left_ms(tmp_path, state, None) - 6 * 120_000) < 5_000
    assert abs(time_left_ms(tmp_path, state, 2) - 2 * 120_000) < 5_000
    assert Pace.of(tmp_path).simulated_ms(now_s + 1) == 10_030_000


@pytest.mark.parametrize(
    ("phase", "supervised", "delivered"),
    [
        (Phase.STOPPED, True, True),
        (Phase.STOPPED, True, False),
        (Phase.RUNNING, False, False),
        (Phase.FAILED, True, False),
    ],
)
def test_a_village_that_was_stopped_or_killed_did_not_deliver(tmp_path, phase, supervised, delivered) -> None:
    supervisor = os.getpid() if supervised else 2**22 + 1  # no process has that number
    facts = {"delivered": True} if delivered else {}
    VillageState(Options(homes=3), phase, supervisor, 0.0, facts=facts).write(tmp_path)
    assert asyncio.run(until_delivered(tmp_path)) is delivered

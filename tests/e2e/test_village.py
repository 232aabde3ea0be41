"""A whole village, as a user runs it: over Tor, on PostgreSQL, with processes killed in the middle; then its audit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts import anvil
from petra.audit import audit
from petra.onion.errors import OnionError
from petra.onion.network import tor_program
from petra.village import postgres
from petra.village.state import Condition, Phase, alive, read_state

HOMES, INTERVALS, SPEED = 6, 2, 60
"""Each interval takes a real minute."""

PATIENCE_S = 480
VICTIMS = ("meter2", "wallet3", "board", "tor")

pytestmark = pytest.mark.slow


def petra(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "petra", *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def parts(real_part) -> None:
    real_part(anvil.find)
    real_part(postgres.programs)
    try:
        tor_program()
    except OnionError as missing:
        if os.environ.get("PETRA_REQUIRE_ALL") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


class Watched:
    """The village while it runs: everything that ever had a process id, and what became of the victims."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pids: set[int] = set()
        self.killed: dict[str, int] = {}

    def look(self):
        state = read_state(self.folder)
        self.pids |= {p.pid for p in state.processes if p.pid} | ({state.supervisor} - {0})
        tor = self.folder / "tor" / "network" / "network.json"
        if tor.exists():
            self.pids |= set(json.loads(tor.read_text())["pids"].values())
        return state

    def kill(self, name: str) -> None:
        pid = self.look().named(name).pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        self.killed[name] = pid

    def back(self) -> bool:
        state = self.look()
        return all(
            state.named(name).state is Condition.RUNNING and state.named(name).pid not in (None, pid)
            for name, pid in self.killed.items()
        )

    def until(self, done, what: str, timeout_s: float = PATIENCE_S):
        end_s = time.monotonic() + timeout_s
        while not done():
            state = self.look()
            assert state.phase is not Phase.FAILED, state.message
            assert time.monotonic() < end_s, f"{what}: not within {timeout_s} s"
            time.sleep(0.5)


def test_a_village_over_tor_survives_kills_and_its_audit_passes(tmp_path, real_part) -> None:
    parts(real_part)
    folder = tmp_path / "village"
    options = ["--homes", str(HOMES), "--intervals", str(INTERVALS), "--speed", str(SPEED), "--seed", "3"]
    options += ["--transport", "tor", "--db", "postgres", "--replicas", "2", "--detach"]
    village = Watched(folder)
    try:
        started = petra("village", "up", str(folder), *options)
        assert started.returncode == 0, started.stdout + started.stderr
        genesis_s = int(read_state(folder).facts["genesis_s"])
        clock = json.loads((folder / "clock.json").read_text())

        def village_s() -> float:
            return clock["simulated_s"] + (time.time() - clock["real_s"]) * clock["speed"]

        # In the middle of interval 0, after the mixes of window 1, and before its gate.
        village.until(lambda: village_s() > genesis_s + 3600 * 6 // 10, "the middle of interval 0")
        shown = json.loads(petra("village", "status", str(folder), "--json").stdout)
        assert shown["phase"] == "running"
        for name in VICTIMS:
            village.kill(name)
        village.until(village.back, "what was killed comes back", 60)
        village.until(lambda: read_state(folder).phase is Phase.STOPPED, "the last bill")
        assert read_state(folder).message == "delivered"
        end_s = time.monotonic() + 20
        while any(map(alive, village.pids)) and time.monotonic() < end_s:
            time.sleep(0.1)
        assert not [pid for pid in village.pids if alive(pid)], "nothing outlives the village"
    finally:
        petra("village", "down", str(folder))
    reported = petra("village", "report", str(folder), "--json")
    assert reported.returncode == 0, reported.stderr
    check(json.loads(reported.stdout), folder)


def check(report, folder: Path) -> None:
    assert report["intervals_delivered"] == INTERVALS + 1
    assert report["statements"] == {
        "received": HOMES,
        "equal_to_bills": HOMES,
        "homes": HOMES,
        "intervals": INTERVALS + 1,
    }
    assert {name: report["restarts"].get(name, 0) >= 1 for name in VICTIMS} == dict.fromkeys(VICTIMS, True)
    for window in ("1", "2"):
        assert report["windows"][window]["withdrawals"] == HOMES
        assert report["windows"][window]["mix_peers"], f"window {window} was mixed"
    assert report["trades"] > 0
    result = audit(folder / "run")
    assert result.homes == HOMES
    assert result.billing_records == HOMES * (INTERVALS + 1)
    assert result.trades == report["trades"]

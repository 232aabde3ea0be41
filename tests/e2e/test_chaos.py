"""A village in which things go wrong, and its audit; a meter with a planted bug, and that the audit names it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts import anvil
from petra.village.audit.village import read_truth
from petra.village.chaos.kinds import Kind
from petra.village.state import Phase, read_state

ROOT = Path(__file__).parents[2]
CHEAT = f"wallet2={sys.executable} -m petra.village.chaos.cheat"
BAD_METERS = [f"meter{home}={sys.executable} -m tests.petra.village.bad_meter" for home in (1, 2, 3)]
SEED = os.environ.get("PETRA_CHAOS_SEED", "1")

pytestmark = [pytest.mark.soak, pytest.mark.slow]


def petra(*arguments: str, timeout_s: float = 180) -> subprocess.CompletedProcess:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "petra", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, env=env)


@pytest.fixture
def village(tmp_path, real_part):
    """Starts a village; it is ended when the test is over."""
    real_part(anvil.find)
    folder = tmp_path / "village"

    def start(*options: str) -> Path:
        started = petra("village", "up", str(folder), "--speed", "60", "--seed", "3", "--detach", *options)
        assert started.returncode == 0, started.stdout + started.stderr
        return folder

    yield start
    if folder.exists():
        petra("village", "down", str(folder))


def test_whatever_goes_wrong_no_note_is_lost_every_bill_is_right_and_nobody_is_worse_off(village) -> None:
    folder = village("--homes", "6", "--intervals", "6", "--replace", CHEAT)
    done = petra("village", "chaos", str(folder), "--seed", SEED, timeout_s=1_200)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((folder / "chaos.json").read_text())
    kinds = {Kind(fault["fault"]) for fault in written["faults"]}
    assert kinds == set(Kind) - {Kind.TOR, Kind.REPLICA}, "each that can happen in such a village did"
    assert all(fault["recovered_s"] is not None for fault in written["faults"])


def test_a_meter_that_counts_twice_after_a_restart_is_caught(village) -> None:
    replaced = [word for command in BAD_METERS for word in ("--replace", command)]
    folder = village("--homes", "3", "--intervals", "1", *replaced)
    moved_wh = {
        home: sum(abs(wh) for wh in read_truth(folder / "homes" / f"home{home}.csv", 0).net_wh) for home in (1, 2, 3)
    }
    victim = f"meter{max(moved_wh, key=moved_wh.__getitem__)}"
    genesis_s = read_state(folder).facts["genesis_s"]
    clock = json.loads((folder / "clock.json").read_text())
    # In the middle of interval 1: the border before it has been read, and the bug has something to count twice.
    middle_s = clock["real_s"] + (genesis_s + 5400 - clock["simulated_s"]) / clock["speed"]
    time.sleep(max(0.0, middle_s - time.time()))
    os.kill(read_state(folder).named(victim).pid, signal.SIGKILL)
    end_s = time.monotonic() + 400
    while read_state(folder).phase is not Phase.STOPPED:
        assert time.monotonic() < end_s, "the village does not end"
        time.sleep(1)
    assert read_state(folder).named(victim).restarts >= 1
    assert petra("village", "report", str(folder)).returncode == 0
    audited = petra("village", "audit", str(folder), "--json")
    assert audited.returncode == 1, audited.stdout
    wrong = {part["check"]: {f["culprit"] for f in part["findings"]} for part in json.loads(audited.stdout)}
    assert wrong["every bill is right"] == {victim}
    assert wrong["no note lost or doubled"] == set()

"""``village.json``: written whole, read back, and honest about a supervisor that was killed."""

import os
import subprocess
import sys

import pytest

from petra.village.options import Options
from petra.village.state import FILE, Condition, Phase, ProcessState, VillageState, alive, read_state

METER = ProcessState("meter1", "meter", 1, Condition.RUNNING, 2, 5.5, "meter1", "logs/meter1.log")
BOARD = ProcessState("board", "board", 2, Condition.DONE, 0, 5.5, "board", "logs/board.log", "http://127.0.0.1:1")


def village(supervisor: int) -> VillageState:
    return VillageState(
        Options(homes=2), Phase.RUNNING, supervisor, 1.0, processes=(METER, BOARD), facts={"genesis_s": 7}
    )


def test_a_state_comes_back(tmp_path) -> None:
    state = village(os.getpid())
    state.write(tmp_path)
    assert read_state(tmp_path) == state
    assert state.named("meter1") is METER
    assert state.role("board") == [BOARD]
    with pytest.raises(KeyError):
        state.named("meter2")
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_village_whose_supervisor_was_killed_is_stopped(tmp_path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    village(ended.pid).write(tmp_path)
    state = read_state(tmp_path)
    assert (state.phase, state.supervisor) == (Phase.STOPPED, 0)
    assert [(p.state, p.pid) for p in state.processes] == [(Condition.STOPPED, None), (Condition.DONE, None)]


def test_a_process_that_nobody_has_waited_for_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(child.pid)
    child.wait()
    assert alive(os.getpid())


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"{", b"[" * 5000, b'{"processes": [{}]}', b"\xff"])
def test_a_damaged_file_is_told_from_a_missing_one(tmp_path, data) -> None:
    with pytest.raises(ValueError, match="petra village up"):
        read_state(tmp_path)
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(ValueError, match="is no village's file"):
        read_state(tmp_path)

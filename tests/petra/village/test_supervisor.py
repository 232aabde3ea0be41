"""The supervisor, on small programs: what dies is started again, and nothing outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from petra.village.layout import Layout
from petra.village.program import Program
from petra.village.state import Condition, alive
from petra.village.supervisor import Supervisor

SLEEP = (sys.executable, "-c", "import time; time.sleep(100)")
SAYS = (sys.executable, "-c", 'import time; print(\'{"here": "http://a"}\', flush=True); time.sleep(100)')


@pytest.fixture
def supervisor(tmp_path):
    made = Supervisor(Layout(tmp_path), lambda: None)
    yield made
    made.stop_all()


def never() -> bool:
    return False


def until(supervisor, done, timeout_s=20.0) -> None:
    supervisor.run_until(done, never, timeout_s)


def test_what_is_killed_is_started_again(supervisor) -> None:
    (one,) = supervisor.start(Program("a", "meter", SLEEP))
    supervisor.until_ready([one], never, 20)
    first = one.child.pid
    os.kill(first, signal.SIGKILL)
    until(supervisor, lambda: one.restarts == 1 and one.ready)
    assert one.child.pid != first
    assert alive(one.child.pid)
    assert "was killed by signal 9" in one.log.read_text()


def test_pauses_get_longer_and_nothing_is_given_up(supervisor) -> None:
    (one,) = supervisor.start(Program("a", "meter", (sys.executable, "-c", "raise SystemExit(3)")))
    began_s = time.monotonic()
    until(supervisor, lambda: one.restarts == 2)
    assert time.monotonic() - began_s >= 1.5
    assert "ended with exit code 3" in one.log.read_text()


def test_a_program_that_is_not_there_is_seen_as_one_that_died(supervisor) -> None:
    (one,) = supervisor.start(Program("a", "meter", ("/nowhere/program",)))
    until(supervisor, lambda: one.restarts == 1)
    assert "cannot be started" in one.log.read_text()


def test_a_task_that_ends_well_is_done(supervisor) -> None:
    (one,) = supervisor.start(Program("a", "task", (sys.executable, "-c", ""), task=True))
    until(supervisor, lambda: one.condition is Condition.DONE)
    assert one.restarts == 0


def test_a_service_is_ready_when_it_says_where_it_is_and_again_after_a_restart(supervisor) -> None:
    (one,) = supervisor.start(Program("a", "board", SAYS, says="here"))
    supervisor.until_ready([one], never, 20)
    assert one.address == "http://a"
    os.kill(one.child.pid, signal.SIGKILL)
    until(supervisor, lambda: one.condition is Condition.RESTARTING)
    until(supervisor, lambda: one.ready)
    assert one.state().address == "http://a"


def test_what_does_not_get_ready_is_named_with_its_last_words(supervisor) -> None:
    command = (sys.executable, "-c", "import time; print('no disk', flush=True); time.sleep(100)")
    (one,) = supervisor.start(Program("a", "board", command, says="here"))
    until(supervisor, lambda: "no disk" in one.log.read_text())
    with pytest.raises(OSError, match=r"a was not ready within 0 s \(no disk\)"):
        supervisor.until_ready([one], never, 0)


def test_a_paused_process_is_seen_and_ends_all_the_same(supervisor) -> None:
    (one,) = supervisor.start(Program("a", "meter", SLEEP))
    supervisor.until_ready([one], never, 20)
    os.kill(one.child.pid, signal.SIGSTOP)
    until(supervisor, lambda: one.condition is Condition.PAUSED)
    pid = one.child.pid
    supervisor.stop_all()
    assert not alive(pid)
    assert one.state().state is Condition.STOPPED
    assert one.state().pid is None


def test_a_program_of_petra_is_forked_and_behaves_like_one_that_was_started(supervisor, tmp_path) -> None:
    (one,) = supervisor.start(Program("a", "task", ("petra", "--help"), task=True))
    until(supervisor, lambda: one.condition is Condition.DONE)
    assert "Usage: petra" in one.log.read_text()
    (bad,) = supervisor.start(Program("b", "task", ("petra", "meter", "status", str(tmp_path / "none")), task=True))
    until(supervisor, lambda: bad.restarts == 1)
    assert "ended with exit code 2" in bad.log.read_text()


SUPERVISE = """
import sys, time
from pathlib import Path
from petra.village.layout import Layout
from petra.village.program import Program
from petra.village.supervisor import Supervisor
folder = Path(sys.argv[1])
made = Supervisor(Layout(folder), lambda: None)
sleep = (sys.executable, "-c", "import time; time.sleep(100)")
two = made.start(Program("a", "meter", sleep), Program("b", "chain", ("petra", "chain", "dev", "--port", "0")))
made.until_ready(two, lambda: False, 20)
print(*(one.child.pid for one in two), flush=True)
while True:
    made.look()
    time.sleep(0.05)
"""


def test_children_die_with_a_supervisor_that_is_killed(tmp_path) -> None:
    here = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=here
    )
    try:
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
    finally:
        process.kill()
        process.communicate()
    end_s = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not any(map(alive, pids))

"""Killing, stopping and waking processes of a village."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from petra.village.state import ProcessState, alive, read_state


def find(folder: Path, name: str) -> ProcessState | None:
    """The process as it is now; ``None`` if the village has none of that name."""
    return next((p for p in read_state(folder).processes if p.name == name), None)


def send(pid: int | None, number: int) -> bool:
    """Send a signal to a process and whatever it started; whether it ran."""
    if pid is None or not alive(pid):
        return False
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
        return True
    return False


def kill(pid: int | None) -> bool:
    """``kill -9``."""
    return send(pid, signal.SIGKILL)


def stop(pid: int | None) -> bool:
    """Let a process hang."""
    return send(pid, signal.SIGSTOP)


def wake(pid: int | None) -> bool:
    """Let a process that hangs go on."""
    return send(pid, signal.SIGCONT)

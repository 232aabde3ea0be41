"""Nodes that run as child processes: found, started, waited for, ended."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.errors import NodeError

LOOPBACK = "127.0.0.1"
"""Where child nodes listen: nobody else's machine reaches them."""

START_TIMEOUT_S = 60.0
"""How long a node may take until it answers, in seconds."""

STOP_TIMEOUT_S = 20.0
"""How long a node may take to end in order, in seconds."""

POLL_S = 0.05
"""Pause between two looks, in seconds."""


class ProgramMissing(OSError):
    """A program is not installed; says how to get it."""


def find_program(name: str, folders: Sequence[Path], install: str) -> str:
    """The path of ``name``: on the PATH, else in one of ``folders``.

    Raises :class:`ProgramMissing` with ``install``, which says what to run.
    """
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, folders)))
    if found is None:
        raise ProgramMissing(f"{name} is missing; {install}")
    return found


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Child:
    """One node in a process and a session of its own: Ctrl-C in the terminal reaches us, and we end the node."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        """Start ``command``; what it says is appended to the file ``log``."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a node that the user installed, with our own arguments
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until ``ready``; raises :class:`~contracts.errors.NodeError` if the node ends, or the time does."""
        end_s = time.monotonic() + timeout_s
        while not ready():
            if not self.running:
                raise NodeError(f"{self.name} ended at once ({self.last_words()}); see {self.log}")
            if time.monotonic() > end_s:
                raise NodeError(f"{self.name} does not answer after {timeout_s:.0f} s; see {self.log}")
            time.sleep(POLL_S)

    def terminate(self) -> None:
        """Ask the node to end; it is not waited for."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the node in order: it writes what it holds in memory."""
        self.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the node as a power cut would: it gets no chance to write anything (``kill -9``)."""
        self._process.kill()
        self._process.wait()

    def last_words(self) -> str:
        """The last line of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"

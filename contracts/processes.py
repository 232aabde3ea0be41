"""Nodes that run as child processes: found, started, waited for, ended."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
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

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded before any fork: a child may not load anything before it runs its program."""

PR_SET_PDEATHSIG = 1
"""``prctl(2)``: the signal that a process gets when the thread that started it ends."""


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


def require_free(ports: Iterable[int], remedy: str) -> None:
    """Raise ``OSError`` with ``remedy`` if a port of the loopback interface is in use: two nodes cannot share it."""
    for port in ports:
        with socket.socket() as probe:
            if os.name == "posix":  # as nodes do: connections that have ended do not hold the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as failure:
                raise OSError(f"port {port} cannot be had ({failure.strerror}); {remedy}") from failure


def _ending_with_us(parent: int) -> Callable[[], None] | None:
    """What a child runs first, so that it is asked to end when ``parent`` is killed; only Linux knows such a thing."""
    if LIBC is None:
        return None
    prctl, pid, end = LIBC.prctl, os.getppid, os._exit

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if pid() != parent:  # killed before we asked
            end(1)

    return bind


class Child:
    """One node in a process and a session of its own: Ctrl-C in the terminal reaches us, and we end the node.

    On Linux the node is asked to end, too, when the thread that started it ends or the process is killed.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        """Start ``command``; what it says is appended to the file ``log``."""
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._said_before = output.tell()
            self._process = subprocess.Popen(  # noqa: S603 - a node that the user installed, with our own arguments
                list(command),
                preexec_fn=_ending_with_us(os.getpid()),  # noqa: PLW1509 - it calls the kernel, and takes no lock
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
        while True:
            answers = ready()
            if not self.running:  # whoever answers then is another node
                raise NodeError(f"{self.name} ended at once ({self.last_words()}); see {self.log}")
            if answers:
                return
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
        """What the node said last: of its errors if it named any, in one line."""
        with self.log.open("rb") as log:
            log.seek(self._said_before)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("error", "fatal", "panic"))]
        return (errors or lines or ["it said nothing"])[-1]

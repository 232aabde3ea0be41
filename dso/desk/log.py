"""The desk's append-only, hash-chained log: one canonical JSON line for each thing that the operator did."""

import os
from io import BufferedWriter
from pathlib import Path

from assets.chainlog import HashChain
from assets.codec import JsonObject
from assets.keys import Digest


class ActionLog:
    """Opens a log and verifies all of it. Raises :class:`~assets.errors.LogTampered` for a changed byte.

    Several processes may append to one log: each reads first what the others wrote. A last line that was cut off in
    the middle, because the machine died while it was written, is set aside when the next one is written: nothing had
    followed from it. Whole lines cut off at the end are found by comparing :attr:`head` with one noted elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chain = HashChain()
        self._end = 0
        self.actions: list[JsonObject] = []
        if path.exists():
            self._read_on()

    @property
    def head(self) -> Digest:
        """Hash of the last line: note it where the log is not."""
        return self._chain.head

    def append(self, action: str, time_s: int, **what: object) -> None:
        """Record an action on disk before anything follows from it."""
        with self._path.open("ab") as file:
            _lock(file)
            torn = self._read_on()
            if torn:
                with self._path.with_suffix(".torn").open("ab") as aside:
                    aside.write(torn + b"\n")
                file.truncate(self._end)
            body: JsonObject = {"action": action, "time_s": time_s, **what}
            line = self._chain.seal(body)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self._end += len(line)
        self.actions.append(body)

    def _read_on(self) -> bytes:
        """Verify the lines behind those known; returns what was cut off behind the last whole one."""
        with self._path.open("rb") as file:
            file.seek(self._end)
            for line in file:
                if not line.endswith(b"\n"):
                    return line
                self.actions.append(self._chain.open(line))
                self._end += len(line)
        return b""


def _lock(file: BufferedWriter) -> None:
    """Keep other processes from appending until ``file`` is closed."""
    try:
        import fcntl
    except ImportError:  # Windows; there, run one command at a time
        return
    fcntl.flock(file, fcntl.LOCK_EX)

"""The desk's append-only, hash-chained log: one canonical JSON line for each thing that the operator did."""

import os
from pathlib import Path

from assets.chainlog import HashChain
from assets.codec import JsonObject
from assets.keys import Digest


class ActionLog:
    """Opens a log and verifies all of it. Raises :class:`~assets.errors.LogTampered` for a changed byte.

    Lines cut off at the end are found by comparing :attr:`head` with one noted elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chain = HashChain()
        self.actions: list[JsonObject] = []
        if path.exists():
            with path.open("rb") as file:
                self.actions = [self._chain.open(line) for line in file]

    @property
    def head(self) -> Digest:
        """Hash of the last line: note it where the log is not."""
        return self._chain.head

    def append(self, action: str, time_s: int, **what: object) -> None:
        """Record an action on disk before anything follows from it."""
        body: JsonObject = {"action": action, "time_s": time_s, **what}
        line = self._chain.seal(body)
        with self._path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self.actions.append(body)

"""The file in which anvil keeps a chain, and a whole copy of it beside.

anvil rewrites the file in place. Killed in the middle of that, it leaves half a file, and refuses to start from it.
"""

import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

QUIET_S = 0.3
"""A file that was not written for so long, by a node that runs, is whole."""


class AnvilState:
    """Call :meth:`keep` again and again while the node runs, and :meth:`restore` before it starts."""

    def __init__(self, path: Path) -> None:
        self.path, self.copy = path, path.with_name(path.name + ".kept")
        self._kept_ns = 0

    def keep(self) -> None:
        """Copy the file, unless it is being written or was copied already. On a full disk the copy of before stays."""
        with suppress(OSError):
            written_ns = self.path.stat().st_mtime_ns
            if written_ns == self._kept_ns or time.time_ns() - written_ns < QUIET_S * 1e9:
                return
            fresh = self.copy.with_name(self.copy.name + ".new")
            shutil.copyfile(self.path, fresh)
            if self.path.stat().st_mtime_ns == written_ns:
                os.replace(fresh, self.copy)
                self._kept_ns = written_ns

    def restore(self) -> None:
        """Put the copy in the place of a file that is not whole. Without a whole copy nothing is changed."""
        if self.path.exists() and not _is_whole(self.path) and _is_whole(self.copy):
            shutil.copyfile(self.copy, self.path)


def _is_whole(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError):
        return False

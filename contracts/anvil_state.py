"""The file in which anvil keeps a chain, and a whole copy of it beside.

anvil rewrites the file in place. Killed in the middle of that, it leaves half a file, and refuses to start from it.
"""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path


class AnvilState:
    """Call :meth:`keep` again and again while the node runs, and :meth:`restore` before it starts."""

    def __init__(self, path: Path) -> None:
        self.path, self.copy = path, path.with_name(path.name + ".kept")
        self._kept_ns = 0

    def keep(self) -> None:
        """Copy the file if it is new, and whole at the moment. On a full disk the copy of before stays."""
        with suppress(OSError):
            written_ns = self.path.stat().st_mtime_ns
            if written_ns == self._kept_ns:
                return
            fresh = self.copy.with_name(self.copy.name + ".new")
            shutil.copyfile(self.path, fresh)
            if _is_whole(fresh):
                os.replace(fresh, self.copy)
                self._kept_ns = written_ns

    def restore(self) -> bool:
        """Put the copy in the place of a file that is not whole; whether it was. Without a whole copy nothing changes.

        The copy of a chain whose file was removed goes as well.
        """
        if not self.path.exists():
            self.copy.unlink(missing_ok=True)
            return False
        if _is_whole(self.path) or not _is_whole(self.copy):
            return False
        shutil.copyfile(self.copy, self.path)
        return True


def _is_whole(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except (OSError, ValueError):
        return False

"""A full disk, by a limit of the kernel on one running process: no file of it may grow beyond one block.

``RLIMIT_FSIZE`` makes every write fail with ``EFBIG`` that ends beyond the limit, which SQLite and everybody else must
take as they take a full disk. Python ignores the signal that comes with it, as other programs may not: only processes
of Python get the limit.
"""

import resource
import sys
from contextlib import suppress

from petra.village.state import alive

BLOCK = 4096
"""What still can be written of a file, in bytes."""


def fill(pid: int | None) -> bool:
    """Let no file of a process grow; whether it ran. Raises ``OSError`` off Linux."""
    return _limit(pid, BLOCK)


def free(pid: int | None) -> None:
    """Take the limit away."""
    _limit(pid, None)


def _limit(pid: int | None, size: int | None) -> bool:
    if sys.platform != "linux":
        raise OSError("a full disk can be had on Linux only; leave it out with --faults")
    if pid is None or not alive(pid):
        return False
    with suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))
        return True
    return False

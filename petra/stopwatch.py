"""Time and memory by stage."""

import resource
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

KIB = 1024


class Stopwatch:
    """Adds up what named stages took of this process."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Wall-clock time."""
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        """Processor time, of all threads: a busy machine changes it less than the time that passes."""
        self.peak_mib: dict[str, float] = {}
        """Most memory that the process had held when the stage last ended, in MiB."""

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the time of the block towards ``stage``."""
        started, cpu_started = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started
            self.cpu_s[stage] += time.process_time() - cpu_started
            self.peak_mib[stage] = peak_mib()


def peak_mib() -> float:
    """Most memory that this process has held so far (``ru_maxrss``), in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / KIB**2 if sys.platform == "darwin" else peak / KIB

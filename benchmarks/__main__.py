"""``python -m benchmarks [SUITE]``: every benchmark of a suite once, one table."""

import sys
import time

from rich.console import Console

from benchmarks.sizes import FULL
from benchmarks.suite import SUITES
from benchmarks.table import render

MIN_WIDTH = 150
"""Columns that the table needs; a narrower terminal or a pipe would break its lines within cells."""


def main() -> None:
    """Measure everything of a suite and print the table."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    if wanted not in SUITES:
        sys.exit(f"no such suite: {wanted}; choose one of {', '.join(SUITES)}")
    start = time.perf_counter()
    sections = {}
    progress = Console(stderr=True)
    for name, measure in SUITES[wanted].items():
        with progress.status(f"measuring: {name}"):
            sections[name] = measure(FULL)
    console = Console()
    console.width = max(console.width, MIN_WIDTH)
    console.print(render(sections))
    console.print(f"measured in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

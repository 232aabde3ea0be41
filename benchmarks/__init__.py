"""Timings of PETra's parts beside named references: ``python -m benchmarks``. See docs/benchmarks.md."""

"""The home's readings, from its meter's journal: looked at, never written to, whether or not the meter is running."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from assets.intervals import IntervalGrid
from smartmeter.journal import Journal

if TYPE_CHECKING:
    from smartmeter.config import MeterConfig
    from smartmeter.wiring import Wiring


class _OpenJournal(Journal):
    """A journal that another process writes, opened for reading only."""

    def __init__(self, path: Path, grid: IntervalGrid) -> None:
        self._grid, self._limits, self._max_gap_ms = grid, {}, 0
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", isolation_level=None, uri=True)


class Readings:
    """Net energy of past intervals. What cannot be read is not known, and stops nobody."""

    def __init__(self, meter_folder: Path, grid: IntervalGrid) -> None:
        self._folder, self._grid = meter_folder, grid
        self._wiring: Wiring | None = None

    def net_wh(self, first: int, now_s: int) -> dict[int, int]:
        """Net consumption (signed, positive = import) of the intervals from ``first`` on that are over at ``now_s``.

        Those that are not known are left out.
        """
        if now_s < self._grid.end_s(0):
            return {}
        try:
            if self._wiring is None:
                config = self._config()
                self._wiring = config.wiring(config.profiles())
            with closing(_OpenJournal(self._folder / "journal.db", self._grid)) as journal:
                wiring, over = self._wiring, range(max(0, first), self._grid.index(now_s) + 1)
                totals = {t: wiring.net_total_wh(journal, t) for t in over}
        except (OSError, ValueError, sqlite3.Error):
            return {}
        pairs = ((t, totals[t], totals.get(t + 1)) for t in totals)
        return {t: end_wh - start_wh for t, start_wh, end_wh in pairs if start_wh is not None and end_wh is not None}

    def deadline_s(self) -> int | None:
        """Seconds after an interval's end at which the meter stops to count deposits for it."""
        try:
            return self._config().gate_s
        except (OSError, ValueError):
            return None

    def _config(self) -> "MeterConfig":
        from smartmeter.config import load

        return load(self._folder)

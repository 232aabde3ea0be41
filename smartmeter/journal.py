"""The journal: every reading durable before it is used, interval energy from cumulative counters.

One SQLite file in WAL mode with ``synchronous=FULL``. A reading is stored in one transaction and used in the next,
which also moves the cursor; a process killed between or within the two does the same work again and comes to the same.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.intervals import IntervalGrid
from smartmeter.counter import MAX_WH, QUALITY, Cause, CounterState, advance, at_boundary
from smartmeter.flags import Flag, Quality

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reading (
    id INTEGER PRIMARY KEY, counter TEXT NOT NULL, time_ms INTEGER NOT NULL,
    words BLOB NOT NULL, raw_wh INTEGER NOT NULL, cause TEXT,
    step_wh INTEGER NOT NULL, UNIQUE (counter, time_ms, words));
CREATE TABLE IF NOT EXISTS state (
    counter TEXT PRIMARY KEY, time_ms INTEGER NOT NULL, raw_wh INTEGER NOT NULL, total_wh INTEGER NOT NULL,
    doubted_ms INTEGER NOT NULL, doubted_wh INTEGER NOT NULL, doubts INTEGER NOT NULL, quality INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS boundary (
    counter TEXT NOT NULL, t INTEGER NOT NULL, total_wh INTEGER NOT NULL, before INTEGER NOT NULL,
    after INTEGER NOT NULL, PRIMARY KEY (counter, t)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (time_ms INTEGER PRIMARY KEY, by_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), used INTEGER NOT NULL);
INSERT OR IGNORE INTO progress VALUES (1, 0);
"""


_FLAGS = {
    Cause.FIRST: Flag.FIRST,
    Cause.ROLLOVER: Flag.ROLLOVER,
    Cause.RESET: Flag.RESET,
    Cause.EXCHANGE: Flag.EXCHANGE,
    Cause.JUMP: Flag.JUMP,
    Cause.LATE: Flag.LATE,
}
_USED = "cause NOT IN ('jump', 'late')"


@dataclass(frozen=True, slots=True)
class Reading:
    """One counter of one device as it was read."""

    counter: str
    """Name of the device and the register, such as ``grid/import_energy``."""
    time_ms: int
    """Unix milliseconds."""
    words: bytes
    """The registers as they came."""
    raw_wh: int
    """What they say, in whole Wh."""
    step_wh: int = 1
    """Resolution of the counter when it was read, where it is coarser than its profile says."""


@dataclass(frozen=True, slots=True)
class CounterLimits:
    """What is possible at one counter."""

    max_power_w: int
    """The most that the connection can carry."""
    step_wh: int = 1
    """Resolution of the counter."""
    wraps_at_wh: int | None = None


@dataclass(frozen=True, slots=True)
class IntervalEnergy:
    """Energy of one interval at one counter."""

    energy_wh: int
    quality: Quality


class Journal:
    """The readings of one or many meters, and what follows from them."""

    def __init__(
        self, path: Path, grid: IntervalGrid, limits: dict[str, CounterLimits], max_gap_ms: int = 60_000
    ) -> None:
        """``max_gap_ms``: how far apart the readings around an interval's border may be for it to be measured."""
        self._grid, self._limits, self._max_gap_ms = grid, limits, max_gap_ms
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def append(self, readings: Iterable[Reading]) -> None:
        """Store readings durably, in one transaction; one that is there already, bit for bit, is stored once.

        Raises ``ValueError``, and stores nothing, for a counter without limits or a reading no counter can show.
        """
        rows = [(r.counter, r.time_ms, r.words, r.raw_wh, r.step_wh) for r in readings]
        for counter, _, _, raw_wh, _ in rows:
            if counter not in self._limits:
                raise ValueError(f"the journal knows no counter {counter!r}; name it in the configuration")
            if not 0 <= raw_wh < MAX_WH:
                raise ValueError(f"{counter} shows {raw_wh} Wh; a counter is between 0 and 2**62 - 1")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT OR IGNORE INTO reading (counter, time_ms, words, raw_wh, step_wh) VALUES (?, ?, ?, ?, ?)", rows
            )
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def use(self) -> int:
        """Use every stored reading that was not used yet, in the order of storing; how many those were."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            (used,) = self._db.execute("SELECT used FROM progress").fetchone()
            rows = self._db.execute(
                "SELECT id, counter, time_ms, raw_wh, step_wh FROM reading WHERE id > ? ORDER BY id", (used,)
            ).fetchall()
            for number, counter, time_ms, raw_wh, step_wh in rows:
                cause = self._use(number, counter, time_ms, raw_wh, step_wh)
                self._db.execute("UPDATE reading SET cause = ? WHERE id = ?", (cause.value, number))
            if rows:
                self._db.execute("UPDATE progress SET used = ?", (rows[-1][0],))
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return len(rows)

    def energy(self, counter: str, t: int) -> IntervalEnergy | None:
        """Energy of interval ``t``; ``None`` until a reading at or after its end was used, or before the first."""
        rows = self._db.execute(
            "SELECT total_wh, before, after FROM boundary WHERE counter = ? AND t IN (?, ?) ORDER BY t",
            (counter, t, t + 1),
        ).fetchall()
        if len(rows) != 2:
            return None
        (start_wh, _, after), (end_wh, before, _) = rows
        return IntervalEnergy(end_wh - start_wh, Quality(max(after, before)))

    def total_wh(self, counter: str, t: int) -> int | None:
        """Energy counted from the first reading to the start of interval ``t``; ``None`` if nobody can tell yet."""
        row = self._db.execute("SELECT total_wh FROM boundary WHERE counter = ? AND t = ?", (counter, t)).fetchone()
        return None if row is None else int(row[0])

    def edges(self, counter: str, t: int) -> Quality:
        """How sure the two totals around interval ``t`` are, whatever was read within it."""
        rows = self._db.execute(
            "SELECT t, before, after FROM boundary WHERE counter = ? AND t IN (?, ?)", (counter, t, t + 1)
        ).fetchall()
        found = [after if at == t else before for at, before, after in rows]
        return Quality(max(found)) if len(found) == 2 else Quality.MISSING

    def flags(self, counter: str, t: int) -> Flag:
        """What happened at a counter in interval ``t``, its borders included."""
        start_ms, end_ms = self._grid.start_s(t) * 1000, self._grid.end_s(t) * 1000
        rows = self._db.execute(
            "SELECT DISTINCT cause FROM reading WHERE counter = ? AND time_ms > ? AND time_ms <= ?",
            (counter, start_ms, end_ms),
        )
        found = Flag(0)
        for (cause,) in rows:
            found |= _FLAGS.get(Cause(cause), Flag(0)) if cause is not None else Flag(0)
        if any(self._gap(counter, border_ms) for border_ms in (start_ms, end_ms)):
            found |= Flag.GAP
        moved = "SELECT 1 FROM clock WHERE time_ms BETWEEN ? AND ? OR time_ms + by_ms BETWEEN ? AND ?"
        if self._db.execute(moved, (start_ms, end_ms) * 2).fetchone():
            found |= Flag.CLOCK
        return found

    def note_clock(self, time_ms: int, by_ms: int) -> None:
        """Remember that at ``time_ms`` the machine's clock was set by ``by_ms``."""
        self._db.execute("INSERT OR IGNORE INTO clock VALUES (?, ?)", (time_ms, by_ms))

    def first_ms(self, counter: str) -> int | None:
        """When a counter was first read, Unix milliseconds."""
        return self._time(
            f"SELECT time_ms FROM reading WHERE counter = ? AND {_USED} ORDER BY time_ms LIMIT 1",  # noqa: S608
            counter,
        )

    def last_ms(self, counter: str) -> int | None:
        """When the newest reading that was used was taken, Unix milliseconds."""
        return self._time("SELECT time_ms FROM state WHERE counter = ?", counter)

    def raw(self) -> list[Reading]:
        """Every reading that was stored, in the order of storing."""
        rows = self._db.execute("SELECT counter, time_ms, words, raw_wh, step_wh FROM reading ORDER BY id")
        return [Reading(*row) for row in rows]

    def replayed(self) -> tuple["Journal", bool]:
        """A journal in memory to which all used readings happen again, and whether it comes to the same as this one."""
        again = Journal(Path(":memory:"), self._grid, self._limits, self._max_gap_ms)
        self._db.execute("BEGIN")  # one view of the file, whatever another process adds meanwhile
        again._db.executemany(
            "INSERT INTO reading (id, counter, time_ms, words, raw_wh, step_wh) VALUES (?, ?, ?, ?, ?, ?)",
            self._db.execute(
                "SELECT id, counter, time_ms, words, raw_wh, step_wh FROM reading WHERE cause IS NOT NULL ORDER BY id"
            ),
        )
        again._db.executemany("INSERT INTO clock VALUES (?, ?)", self._db.execute("SELECT * FROM clock"))
        mine = [row for row in self.dump() if len(row) != 7 or row[5] is not None]
        self._db.execute("COMMIT")
        again.use()
        return again, again.dump() == mine

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite ends it itself when the disk is full
            self._db.execute("ROLLBACK")

    def _time(self, question: str, *values: object) -> int | None:
        row = self._db.execute(question, values).fetchone()
        return None if row is None else int(row[0])

    def _gap(self, counter: str, border_ms: int) -> bool:
        """Whether the used readings around a border lie further apart than allowed."""
        before = self._time(
            f"SELECT time_ms FROM reading WHERE counter = ? AND time_ms < ? AND {_USED} ORDER BY time_ms DESC LIMIT 1",  # noqa: S608
            counter,
            border_ms,
        )
        after = self._time(
            f"SELECT time_ms FROM reading WHERE counter = ? AND time_ms >= ? AND {_USED} ORDER BY time_ms LIMIT 1",  # noqa: S608
            counter,
            border_ms,
        )
        return before is not None and after is not None and after - before > self._max_gap_ms

    def causes(self, counter: str) -> list[tuple[int, Cause]]:
        """``(time_ms, cause)`` of every used reading that was not normal, oldest first."""
        rows = self._db.execute(
            "SELECT time_ms, cause FROM reading WHERE counter = ? AND cause NOT IN ('normal') ORDER BY id", (counter,)
        )
        return [(time_ms, Cause(cause)) for time_ms, cause in rows]

    def dump(self) -> Sequence[tuple[object, ...]]:
        """Everything that follows from the readings, for comparing two journals."""
        tables = ("reading", "state", "boundary", "progress", "clock")
        return [row for table in tables for row in self._db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]  # noqa: S608

    def _use(self, number: int, counter: str, time_ms: int, raw_wh: int, step_wh: int) -> Cause:
        row = self._db.execute(
            "SELECT time_ms, raw_wh, total_wh, doubted_ms, doubted_wh, doubts, quality FROM state WHERE counter = ?",
            (counter,),
        ).fetchone()
        before, pending = (None, Quality.MEASURED) if row is None else (CounterState(*row[:6]), Quality(row[6]))
        limits = self._limits[counter]

        def judged(late_since_ms: int | None = None) -> tuple[CounterState, Cause]:
            return advance(
                before,
                time_ms,
                raw_wh,
                max_power_w=limits.max_power_w,
                step_wh=max(limits.step_wh, step_wh),
                wraps_at_wh=limits.wraps_at_wh,
                late_since_ms=late_since_ms,
            )

        after, cause = judged()
        if cause in (Cause.JUMP, Cause.EXCHANGE, Cause.RESET, Cause.ROLLOVER):
            after, cause = judged(self._late_since(number, counter))
        if cause is Cause.LATE:
            return cause
        if cause is not Cause.JUMP:
            # What happened inside an interval has to be remembered until the interval's end.
            here = QUALITY[cause]
            pending = self._cross(counter, before, after, max(pending, here), here) if before else Quality.MISSING
        self._db.execute(
            "REPLACE INTO state VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                counter,
                after.time_ms,
                after.raw_wh,
                after.total_wh,
                after.doubted_ms,
                after.doubted_wh,
                after.doubts,
                int(pending),
            ),
        )
        return cause

    def _late_since(self, number: int, counter: str) -> int | None:
        """The earliest of the late readings between reading ``number`` and the one that was used before it."""
        rows = self._db.execute(
            "SELECT time_ms, cause FROM reading WHERE counter = ? AND id < ? ORDER BY id DESC", (counter, number)
        )
        earliest_ms: int | None = None
        for time_ms, cause in rows:
            if Cause(cause) is Cause.LATE:
                earliest_ms = time_ms if earliest_ms is None else min(earliest_ms, time_ms)
            elif Cause(cause) is not Cause.JUMP:
                break
        return earliest_ms

    def _cross(
        self, counter: str, before: CounterState, after: CounterState, ending: Quality, here: Quality
    ) -> Quality:
        """Store the totals at all borders in ``(before, after]``; the quality of the interval that ``after`` is in."""
        genesis_ms, length_ms = self._grid.genesis_s * 1000, self._grid.interval_s * 1000
        first = max(0, (before.time_ms - genesis_ms) // length_ms + 1)
        last = (after.time_ms - genesis_ms) // length_ms
        if last < first:
            return ending
        gap = after.time_ms - before.time_ms > self._max_gap_ms
        split = max(here, Quality.ESTIMATED) if gap else here
        for t in range(first, last + 1):
            total_wh = at_boundary(before, after, genesis_ms + t * length_ms)
            left = max(ending, split) if t == first else split
            self._db.execute(
                "INSERT INTO boundary VALUES (?, ?, ?, ?, ?)", (counter, t, total_wh, int(left), int(split))
            )
        return split

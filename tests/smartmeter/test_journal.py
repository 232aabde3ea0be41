"""The journal: each rule for what counters and clocks do, and that no energy is lost or counted twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from smartmeter.counter import Cause
from smartmeter.flags import Flag, Quality
from smartmeter.journal import CounterLimits, IntervalEnergy, Journal, Reading

GRID = IntervalGrid(0, 3600)
C = "grid/import_energy"
MINUTE = 60_000
HOUR = 60 * MINUTE


def journal(path: Path | str, wraps_at_wh: int | None = 10**6) -> Journal:
    return Journal(Path(path), GRID, {C: CounterLimits(20_000, 1, wraps_at_wh)})


def feed(points: list[tuple[int, int]], wraps_at_wh: int | None = 10**6) -> Journal:
    book = journal(":memory:", wraps_at_wh)
    for time_ms, raw_wh in points:
        book.append([Reading(C, time_ms, raw_wh.to_bytes(8, "big"), raw_wh)])
        book.use()
    return book


def steady(start: int, end: int, first_wh: int) -> list[tuple[int, int]]:
    """A reading a minute from minute ``start`` to minute ``end``, 10 Wh each."""
    return [(m * MINUTE, first_wh + 10 * (m - start)) for m in range(start, end + 1)]


def causes(book: Journal) -> list[Cause]:
    return [cause for _, cause in book.causes(C)]


def test_a_fully_read_interval_is_measured() -> None:
    book = feed(steady(0, 180, 500))
    assert book.energy(C, 0) is None  # its start has no reading before it
    assert book.energy(C, 1) == IntervalEnergy(600, Quality.MEASURED)
    assert book.energy(C, 3) is None


def test_an_outage_within_an_interval_changes_nothing_and_one_across_borders_is_estimated() -> None:
    inside = feed(steady(50, 70, 0) + [(m, w) for m, w in steady(50, 200, 0) if m >= 110 * MINUTE])
    assert inside.energy(C, 1) == IntervalEnergy(600, Quality.MEASURED)
    across = feed(steady(50, 70, 0) + [(m, w) for m, w in steady(50, 400, 0) if m >= 250 * MINUTE])
    found = [across.energy(C, t) for t in (1, 2, 3, 4, 5)]
    assert [e.energy_wh for e in found if e] == [600] * 5
    assert [e.quality for e in found if e] == [Quality.ESTIMATED] * 4 + [Quality.MEASURED]


def test_the_example_in_the_docs() -> None:
    book = feed([(50 * MINUTE, 1000), (90 * MINUTE, 1400), (130 * MINUTE, 1700)])
    assert book.energy(C, 1) == IntervalEnergy(525, Quality.ESTIMATED)
    assert book.energy(C, 0) is None
    assert book.energy(C, 2) is None


def test_a_rollover_goes_on_counting() -> None:
    points = [(m, w % 10**6) for m, w in steady(50, 180, 10**6 - 400)]
    book = feed(points)
    assert Cause.ROLLOVER in causes(book)
    assert book.energy(C, 1) == IntervalEnergy(600, Quality.MEASURED)


def test_a_reset_counts_what_was_counted_since_and_is_estimated() -> None:
    book = feed(steady(50, 90, 5000) + steady(91, 200, 10))
    assert causes(book) == [Cause.FIRST, Cause.RESET]
    assert book.energy(C, 1) == IntervalEnergy(600, Quality.ESTIMATED)
    assert book.energy(C, 2) == IntervalEnergy(600, Quality.MEASURED)


def test_an_exchange_of_the_device_is_missing_and_later_intervals_are_whole() -> None:
    book = feed(steady(50, 90, 5000) + steady(91, 200, 700_000))
    assert causes(book) == [Cause.FIRST, Cause.JUMP, Cause.JUMP, Cause.EXCHANGE]
    assert book.energy(C, 1) == IntervalEnergy(570, Quality.MISSING)
    assert book.energy(C, 2) == IntervalEnergy(600, Quality.MEASURED)


def test_one_impossible_value_is_kept_and_not_used() -> None:
    book = feed([(m, 900_000 if m == 80 * MINUTE else w) for m, w in steady(50, 180, 500)])
    assert causes(book) == [Cause.FIRST, Cause.JUMP]
    assert book.energy(C, 1) == IntervalEnergy(600, Quality.MEASURED)


def test_late_readings_and_a_clock_set_back_count_nothing_twice() -> None:
    points = steady(50, 90, 0)
    book = feed([*points, *points[5:9], (60 * MINUTE + 7, 103), *steady(91, 180, 410)])
    assert set(causes(book)) == {Cause.FIRST, Cause.LATE}  # repeated bit for bit: stored once
    assert causes(book).count(Cause.LATE) == 1
    assert book.energy(C, 1) == IntervalEnergy(600, Quality.MEASURED)


def test_a_clock_set_forwards_loses_no_energy() -> None:
    shifted = [(m + (2 * HOUR if m > 90 * MINUTE else 0), w) for m, w in steady(50, 240, 0)]
    book = feed(shifted)
    found = [book.energy(C, t) for t in range(1, 6)]
    assert sum(e.energy_wh for e in found if e) == 1800
    assert [e.quality for e in found if e][:3] == [Quality.ESTIMATED] * 3


def test_a_stored_reading_that_is_unknown_or_negative_stores_nothing() -> None:
    book = journal(":memory:")
    good = Reading(C, 1, b"", 1)
    for bad in (Reading("other", 1, b"", 1), Reading(C, 2, b"", -1)):
        with pytest.raises(ValueError, match=r"knows no counter|between 0"):
            book.append([good, bad])
    assert book.use() == 0


@given(st.lists(st.tuples(st.integers(1, 5 * HOUR), st.integers(0, 900)), min_size=1, max_size=30))
def test_the_energy_of_all_intervals_is_what_the_counter_counted(steps: list[tuple[int, int]]) -> None:
    points = [(1, 100)]
    for gap_ms, power_w in steps:
        points.append((points[-1][0] + gap_ms, points[-1][1] + power_w * gap_ms // HOUR))
    book = feed(points, None)
    end = points[-1][0] // HOUR
    found = [book.energy(C, t) for t in range(1, end)]
    assert None not in found
    total_wh = sum(e.energy_wh for e in found if e)
    assert 0 <= total_wh <= points[-1][1] - 100
    outside_ms = HOUR + points[-1][0] - end * HOUR
    assert points[-1][1] - 100 - total_wh <= 900 * outside_ms // HOUR + 2 * len(points) + 900


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from assets.intervals import IntervalGrid
from smartmeter.journal import CounterLimits, Journal, Reading
C = "grid/import_energy"
book = Journal(Path(sys.argv[1]), IntervalGrid(0, 3600), {C: CounterLimits(20_000, 1, 10**6)})
print("up", flush=True)
done = book._db.execute("SELECT count(*) FROM reading").fetchone()[0]
for m in range(max(0, done - 1), 1441):
    raw_wh = (999_000 + 10 * m) % 10**6
    book.append([Reading(C, m * 60_000, raw_wh.to_bytes(8, "big"), raw_wh)])
    book.use()
"""


def killed_day(path: Path, kills: int, seed: int) -> int:
    """A day of readings by a process that is killed again and again; how many kills hit."""
    import random

    draw, hits = random.Random(seed), 0
    root = str(Path(__file__).parents[2])
    while True:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), root], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        if hits < kills:
            time.sleep(draw.uniform(0, 0.004))
            os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
        if writer.returncode == 0:
            return hits
        hits += 1


@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.soak)])
def test_a_day_of_journal_survives_kill_9(tmp_path: Path, kills: int) -> None:
    hits = killed_day(tmp_path / "killed.db", kills, 5)
    assert hits == kills, "the day ended before all kills hit"
    killed_day(tmp_path / "calm.db", 0, 5)
    assert journal(tmp_path / "killed.db").dump() == journal(tmp_path / "calm.db").dump()


def test_every_rule_leaves_its_flag_where_it_applied() -> None:
    cases = {
        Flag.ROLLOVER: [(m, w % 10**6) for m, w in steady(50, 180, 10**6 - 400)],
        Flag.RESET: steady(50, 90, 5000) + steady(91, 200, 10),
        Flag.JUMP: [(m, 900_000 if m == 80 * MINUTE else w) for m, w in steady(50, 180, 500)],
        Flag.JUMP | Flag.EXCHANGE: steady(50, 90, 5000) + steady(91, 200, 700_000),
        Flag.LATE: [*steady(50, 90, 0), (80 * MINUTE, 7), *steady(91, 180, 410)],
        Flag.GAP: steady(50, 100, 0) + [(m, w) for m, w in steady(50, 200, 0) if m >= 130 * MINUTE],
        Flag(0): steady(50, 180, 0),
    }
    for flag, points in cases.items():
        assert feed(points).flags(C, 1) == flag
    assert feed(steady(50, 180, 0)).flags(C, 0) == Flag.FIRST


def test_a_step_of_the_clock_flags_the_intervals_that_it_left_and_reached() -> None:
    book = feed(steady(50, 240, 0))
    book.note_clock(90 * MINUTE, 2 * HOUR)
    assert [bool(book.flags(C, t) & Flag.CLOCK) for t in (0, 1, 2, 3, 4)] == [False, True, False, True, False]


def test_a_replay_of_the_raw_readings_comes_to_the_same_and_shows_what_was_changed() -> None:
    book = feed([*steady(50, 90, 5000), *steady(91, 200, 10)])
    again, same = book.replayed()
    assert same
    assert again.energy(C, 1) == book.energy(C, 1)
    book._db.execute("UPDATE boundary SET total_wh = total_wh + 1 WHERE t = 2")
    assert not book.replayed()[1]


def test_no_question_about_an_interval_reads_all_of_a_counters_readings(tmp_path: Path) -> None:
    """Ten times the readings, and the same steps of SQLite's machine: a meter that runs for years bills as fast."""

    def steps(minutes: int) -> int:
        book, counted = journal(tmp_path / f"{minutes}.db"), 0
        book.append(Reading(C, ms, b"", wh) for ms, wh in steady(0, minutes, 0))
        book.use()

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        book._db.set_progress_handler(count, 1)
        book.energy(C, 2), book.edges(C, 2), book.flags(C, 2), book.total_wh(C, 2), book.first_ms(C), book.last_ms(C)
        book.close()
        return counted

    assert steps(3000) < 1.1 * steps(300)


def test_a_counter_that_moves_in_coarse_steps_is_not_taken_for_an_exchanged_one() -> None:
    """2 kW read every second: a step of 100 Wh is more than 20 kW in a second, and stands for three readings."""
    found = {}
    for step_wh in (1, 100):
        book = Journal(Path(":memory:"), GRID, {C: CounterLimits(20_000)})
        book.append(Reading(C, 1000 * s, b"", s * 2_000 // 3_600 // 100 * 100, step_wh) for s in range(3_601))
        book.use()
        found[step_wh] = Cause.EXCHANGE in causes(book), book.total_wh(C, 1)
        assert book.replayed()[1]
    assert found[100] == (False, 2_000)
    assert found[1][0], "of a fine counter, such steps are another device's"


def late_ones(first_m: int, last_m: int, from_wh: int, step_wh: int) -> list[tuple[int, int]]:
    return [(m * MINUTE, from_wh + step_wh * (m - first_m)) for m in range(first_m, last_m + 1)]


def test_what_was_counted_while_the_clock_was_set_back_is_not_taken_for_an_exchange() -> None:
    """The clock is 28 minutes fast, and then right again: 10 kW meanwhile, all of it counted, none of it impossible."""
    points = steady(0, 10, 0)
    points += [((m + 28) * MINUTE, 100 + 166 * (m - 10)) for m in range(11, 31)]  # fast
    shown = points[-1][1]
    points += late_ones(31, 58, shown + 166, 166)  # right again, and not used until time has caught up
    points += late_ones(59, 65, points[-1][1] + 166, 166)
    book = feed(points)
    assert {cause for _, cause in book.causes(C)} == {Cause.FIRST, Cause.LATE}
    book.append([Reading(C, 61 * HOUR // 60 * 60, bytes(8), points[-1][1])])
    book.use()
    (total_wh,) = book._db.execute("SELECT total_wh FROM state").fetchone()
    assert total_wh == points[-1][1]
    again, same = book.replayed()
    assert same
    again.close()


def test_after_the_clock_was_set_back_more_than_the_connection_carries_is_still_impossible() -> None:
    points = [*steady(0, 60, 0), *late_ones(50, 60, 600, 10)]
    points += [(m * MINUTE, 100_000 + m) for m in (61, 62, 63)]
    book = feed(points)
    assert [cause for _, cause in book.causes(C)][-3:] == [Cause.JUMP, Cause.JUMP, Cause.EXCHANGE]

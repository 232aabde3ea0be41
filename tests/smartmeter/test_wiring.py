"""Several analysers in one meter, and the rules that need more than one counter."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from smartmeter.flags import ALL_FLAGS, Flag, Quality, names
from smartmeter.journal import CounterLimits, Journal, Reading
from smartmeter.wiring import Mounted, Role, Wiring

HOUR, MINUTE = 3_600_000, 60_000
GRID, LOAD, SUN = Mounted("grid", Role.GRID), Mounted("load", Role.LOAD), Mounted("sun", Role.GENERATION)


def fed(wiring: Wiring, hourly: dict[str, list[int]], start: int = 0) -> Journal:
    """A journal with a reading of each counter a minute; ``hourly`` has the Wh per hour of each counter named."""
    limits = {c: CounterLimits(60_000) for c in wiring.counters}
    book = Journal(Path(":memory:"), IntervalGrid(0, 3600), limits)
    hours = max(len(h) for h in hourly.values())
    for minute in range(start, hours * 60 + 1):
        for counter in wiring.counters:
            wh = hourly.get(counter, [0] * hours)
            done, part = divmod(minute, 60)
            raw_wh = 1000 + sum(wh[:done]) + (wh[done] * part // 60 if part else 0)
            book.append([Reading(counter, minute * MINUTE, raw_wh.to_bytes(8, "big"), raw_wh)])
    book.use()
    return book


def test_generation_and_feed_in_give_consumption() -> None:
    wiring = Wiring([GRID, SUN], 3600)
    book = fed(wiring, {"grid/import_energy": [0, 0], "grid/export_energy": [0, 700], "sun/export_energy": [0, 1000]})
    energy = wiring.energy(book, 1)
    assert energy is not None
    assert (energy.net_wh, energy.generation_wh, energy.consumption_wh) == (-700, 1000, 300)
    assert (energy.quality, energy.flags) == (Quality.MEASURED, Flag(0))


def test_without_a_grid_analyser_loads_minus_generation_is_billed() -> None:
    wiring = Wiring([LOAD, SUN], 3600)
    book = fed(wiring, {"load/import_energy": [0, 300], "sun/export_energy": [0, 1000]})
    energy = wiring.energy(book, 1)
    assert energy is not None
    assert (energy.net_wh, energy.consumption_wh) == (-700, 300)


@given(st.lists(st.tuples(*[st.integers(0, 5000)] * 4), min_size=2, max_size=3))
def test_the_net_of_all_intervals_is_what_the_billed_counters_counted(hours: list[tuple[int, ...]]) -> None:
    wiring = Wiring([GRID, SUN], 3600)
    counters = ("grid/import_energy", "grid/export_energy", "sun/import_energy", "sun/export_energy")
    book = fed(wiring, {c: [h[i] for h in hours] for i, c in enumerate(counters)})
    found = [wiring.energy(book, t) for t in range(1, len(hours))]
    assert sum(e.net_wh for e in found if e) == sum(h[0] - h[1] for h in hours[1:])
    assert sum(e.generation_wh or 0 for e in found if e) == sum(h[3] - h[2] for h in hours[1:])
    first, last = wiring.net_total_wh(book, 1), wiring.net_total_wh(book, len(hours))
    assert first is not None
    assert last is not None
    assert last - first == sum(e.net_wh for e in found if e)


def test_reversed_transformers_that_are_known_change_places() -> None:
    wiring = Wiring([Mounted("grid", Role.GRID, reverse=True)], 3600)
    energy = wiring.energy(fed(wiring, {"grid/export_energy": [0, 400]}), 1)
    assert energy is not None
    assert energy.net_wh == 400


@pytest.mark.parametrize(
    ("wiring", "hourly"),
    [
        (Wiring([GRID, SUN], 3600), {"sun/import_energy": [0, 900]}),
        (Wiring([GRID, SUN], 3600), {"grid/export_energy": [0, 900], "sun/export_energy": [0, 500]}),
        (Wiring([Mounted("grid", Role.GRID, max_export_w=0)], 3600), {"grid/export_energy": [0, 50]}),
    ],
    ids=["a generator that draws", "more fed in than made", "a home that cannot feed in does"],
)
def test_a_swapped_current_transformer_is_flagged_and_estimated(wiring: Wiring, hourly: dict[str, list[int]]) -> None:
    energy = wiring.energy(fed(wiring, hourly), 1)
    assert energy is not None
    assert energy.flags == Flag.SWAPPED
    assert energy.quality is Quality.ESTIMATED


def test_an_inverter_in_standby_is_not_taken_for_a_swapped_transformer() -> None:
    wiring = Wiring([GRID, SUN], 3600)
    energy = wiring.energy(fed(wiring, {"grid/import_energy": [0, 400], "sun/import_energy": [0, 20]}), 1)
    assert energy is not None
    assert energy.flags == Flag(0)


def test_a_counter_that_stands_still_too_long_is_flagged_until_it_moves() -> None:
    wiring = Wiring([Mounted("grid", Role.GRID, stuck_after_s=2 * 3600)], 3600)
    book = fed(wiring, {"grid/import_energy": [100, 0, 0, 0, 100]})
    flags = [e.flags if (e := wiring.energy(book, t)) else None for t in range(1, 5)]
    assert flags == [Flag(0), Flag.STUCK, Flag.STUCK, Flag(0)]
    energy = wiring.energy(book, 3)
    assert energy is not None
    assert energy.quality is Quality.ESTIMATED


def test_the_interval_in_which_reading_began_counts_from_there_and_says_so() -> None:
    wiring = Wiring([GRID], 3600)
    book = fed(wiring, {"grid/import_energy": [600, 600]}, start=30)
    energy = wiring.energy(book, 0)
    assert energy is not None
    assert (energy.net_wh, energy.quality, energy.flags) == (300, Quality.MISSING, Flag.FIRST)
    assert wiring.begins_after(book, 1800)
    assert not wiring.begins_after(book, 3600)


def test_analysers_need_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Wiring([], 3600)
    with pytest.raises(ValueError, match="one name"):
        Wiring([GRID, GRID], 3600)


def test_flags_have_names() -> None:
    assert names(Flag.GAP | Flag.ECA_KEPT) == ["gap", "eca_kept"]
    assert len(names(ALL_FLAGS)) == 12

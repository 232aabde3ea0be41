import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid

grids = st.builds(IntervalGrid, st.integers(0, 2**40), st.integers(1, 86_400))


@given(grids, st.integers(0, 2**40))
def test_every_second_lies_in_exactly_the_interval_of_its_index(grid, offset_s):
    unix_s = grid.genesis_s + offset_s
    t = grid.index(unix_s)
    assert grid.start_s(t) <= unix_s < grid.end_s(t)


@given(grids, st.integers(0, 2**32))
def test_an_interval_ends_where_the_next_one_starts(grid, t):
    assert grid.end_s(t) == grid.start_s(t + 1) == grid.start_s(t) + grid.interval_s
    assert grid.index(grid.start_s(t)) == t
    assert grid.index(grid.end_s(t) - 1) == t


def test_a_time_before_genesis_has_no_interval():
    with pytest.raises(ValueError, match="99 lies before the ledger's genesis 100"):
        IntervalGrid(100, 900).index(99)


@pytest.mark.parametrize(("genesis_s", "interval_s"), [(-1, 900), (0, 0), (0, -4), (0, 86_401)])
def test_an_impossible_grid_is_refused(genesis_s, interval_s):
    with pytest.raises(ValueError, match="give"):
        IntervalGrid(genesis_s, interval_s)

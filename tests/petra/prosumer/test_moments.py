import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petra.prosumer.moments import Moments


def test_a_moment_stays_until_it_is_changed_or_dropped() -> None:
    moments = Moments()
    assert moments.of("a", lambda: 5) == 5
    assert moments.of("a", lambda: 6) == 5
    moments.change("a", 7)
    assert moments.of("a", lambda: 6) == 7
    moments.drop("a")
    assert moments.of("a", lambda: 6) == 6


@given(st.sets(st.integers(), min_size=1), st.integers())
def test_one_goes_and_the_others_choose_again(due, seed) -> None:
    moments = Moments()
    for thing in due:
        moments.change(thing, 1)
    goes = moments.turn(sorted(due), random.Random(seed))
    assert goes in due
    assert [thing for thing in due if moments.of(thing, lambda: 2) == 1] == [goes]


def test_where_nothing_is_due_nothing_goes() -> None:
    assert Moments().turn([], random.Random(1)) is None


def test_everything_has_its_turn_first_as_often() -> None:
    first = [Moments().turn("abc", random.Random(seed)) for seed in range(300)]
    assert all(80 < first.count(thing) < 120 for thing in "abc")


@pytest.mark.parametrize("times", [1, 2, 3])
def test_every_outage_has_what_is_overdue_choose_again(times) -> None:
    moments = Moments()
    for now_s in range(times):
        moments.change("late", now_s)
        moments.change("in time", now_s + 1)
        moments.postpone(now_s)
        assert moments.of("late", lambda: 99) == 99
        assert moments.of("in time", lambda: 99) == now_s + 1

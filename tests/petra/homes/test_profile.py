"""Profiles are whole, equal in length and without a time zone."""

from datetime import UTC, datetime

import pytest

from petra.homes.profile import HomeProfile, Profiles

START = datetime(2025, 6, 1)


def test_homes_of_different_length_are_refused():
    homes = (HomeProfile(1, (1, 2), (0, 0)), HomeProfile(2, (1,), (0,)))
    with pytest.raises(ValueError, match="home 2 has 1 intervals, home 1 has 2"):
        Profiles(START, 3600, homes, "test")


def test_load_and_generation_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 intervals of load, 1 of generation"):
        HomeProfile(1, (1, 2), (0,))


def test_negative_energy_is_refused():
    with pytest.raises(ValueError, match="negative energy"):
        HomeProfile(1, (1, -2), (0, 0))


def test_a_home_that_appears_twice_is_refused():
    with pytest.raises(ValueError, match="each home appears once"):
        Profiles(START, 3600, (HomeProfile(1, (1,), (0,)), HomeProfile(1, (1,), (0,))), "test")


def test_no_homes_are_refused():
    with pytest.raises(ValueError, match="at least one home"):
        Profiles(START, 3600, (), "test")


def test_a_start_with_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        Profiles(START.replace(tzinfo=UTC), 3600, (HomeProfile(1, (1,), (0,)),), "test")


@pytest.mark.parametrize("interval_s", [0, -3600, 86_401])
def test_an_interval_of_unusable_length_is_refused(interval_s: int):
    with pytest.raises(ValueError, match="give 1 to 86400"):
        Profiles(START, interval_s, (HomeProfile(1, (1,), (0,)),), "test")


def test_profiles_know_their_number_of_intervals():
    assert Profiles(START, 3600, (HomeProfile(1, (5, 6, 7), (0, 9, 0)),), "test").intervals == 3
    assert HomeProfile(1, (5, 6, 7), (0, 9, 0)).net_wh == (5, -3, 7)

"""The generated community: determined by its seed, and plausible."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from petra.homes.appliances import APPLIANCES, COOLERS, HOURLY_WEIGHT, Household
from petra.homes.battery import net_after_battery
from petra.homes.community import COMMUNITY, generate, home_type
from petra.homes.load import load_w
from petra.homes.occupancy import simulate
from petra.homes.profile import Profiles
from petra.homes.site import sun_elevation_deg
from petra.homes.solar import MissingExtra, clear_sky_index, sky, solar_power_w
from petra.homes.span import Span
from petra.homes.wind import turbine_power_w, wind_power_w

pytest.importorskip("pvlib", reason="generated homes need pvlib: pip install 'petra[homes]'")

EQUINOX = datetime(2025, 3, 14)
"""Days of average length, so that a fortnight stands for the year."""


@pytest.fixture(scope="module")
def fortnight() -> Profiles:
    return generate(1, EQUINOX, 14 * 24, 3600)


# Determined by the seed


def test_the_same_seed_gives_the_same_homes():
    assert generate(7, EQUINOX, 24, 3600) == generate(7, EQUINOX, 24, 3600)


def test_the_same_seed_gives_the_same_homes_in_another_process():
    program = (
        "from datetime import datetime\nfrom petra.homes.community import generate\n"
        "print(hash(tuple((h.load_wh, h.generation_wh) for h in generate(7, datetime(2025, 3, 14), 6, 3600, 3).homes)))"
    )
    here = hash(tuple((h.load_wh, h.generation_wh) for h in generate(7, EQUINOX, 6, 3600, 3).homes))
    there = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert int(there.stdout) == here


def test_another_seed_gives_other_homes():
    one, other = generate(1, EQUINOX, 24, 3600), generate(2, EQUINOX, 24, 3600)
    assert all(a.load_wh != b.load_wh for a, b in zip(one.homes, other.homes, strict=True))
    assert one.homes[0].generation_wh != other.homes[0].generation_wh
    assert one.homes[4].generation_wh != other.homes[4].generation_wh


def test_homes_of_one_kind_differ(fortnight: Profiles):
    assert len({home.load_wh for home in fortnight.homes}) == 18
    assert len({home.generation_wh for home in fortnight.homes}) == 17, (
        "only homes 17 and 18 generate the same: nothing"
    )


def test_a_home_does_not_depend_on_how_many_there_are(fortnight: Profiles):
    assert generate(1, EQUINOX, 24, 3600, homes=5).homes == generate(1, EQUINOX, 24, 3600, homes=20).homes[:5]


def test_a_longer_run_begins_like_a_shorter_one(fortnight: Profiles):
    short = generate(1, EQUINOX, 24, 3600)
    for one, other in zip(short.homes, fortnight.homes, strict=True):
        assert one.load_wh == other.load_wh[:24]
        assert one.generation_wh == other.generation_wh[:24]


def test_shorter_intervals_hold_the_same_energy():
    hourly, quarterly = generate(3, EQUINOX, 24, 3600, homes=6), generate(3, EQUINOX, 96, 900, homes=6)
    for one, other in zip(hourly.homes, quarterly.homes, strict=True):
        assert one.load_wh == tuple(sum(other.load_wh[i : i + 4]) for i in range(0, 96, 4))
        assert one.generation_wh == tuple(sum(other.generation_wh[i : i + 4]) for i in range(0, 96, 4))


def test_only_whole_watt_hours_leave_the_package(fortnight: Profiles):
    for home in fortnight.homes:
        values = (*home.load_wh, *home.generation_wh, *net_after_battery(home, 3600))
        assert {type(value) for value in values} == {int}


# The community


def test_the_community_is_that_of_the_thesis():
    assert [home_type(home).group for home in range(1, 19)] == [1] * 4 + [2] * 6 + [3] * 6 + [4] * 2
    assert [home_type(home).node for home in (1, 5, 11, 17, 18)] == [5, 8, 7, 3, 6]
    assert [(home_type(home).pv_w, home_type(home).wind_w) for home in (1, 5, 11, 17)] == [
        (1500, 500), (0, 1000), (1200, 0), (0, 0),
    ]  # fmt: skip
    capacities = [kind.battery.capacity_wh if kind.battery else 0 for kind in COMMUNITY]
    assert capacities == [6000] * 4 + [3000] * 12 + [0] * 2


def test_further_homes_begin_again_with_the_first_kind():
    homes = generate(1, EQUINOX, 4, 3600, homes=20).homes
    assert [home.home for home in homes] == list(range(1, 21))
    assert (homes[18].node, homes[18].battery) == (homes[0].node, homes[0].battery)
    assert homes[18].load_wh != homes[0].load_wh


def test_the_tables_are_those_of_the_thesis():
    shiftable_w = {appliance.name: appliance.nominal_w for appliance in APPLIANCES if appliance.shiftable}
    assert shiftable_w == {
        "washing machine": 2300, "washer-dryer": 2500, "dishwasher": 1200, "tumble dryer": 2400,
        "vacuum cleaner": 2100, "small cooker": 1200, "hot-water tank": 2800, "hob": 2400, "oven": 2400,
        "microwave": 1300, "iron": 1100,
    }  # fmt: skip
    fixed_w = {item.name: item.nominal_w for item in (*APPLIANCES, *COOLERS) if item.name not in shiftable_w}
    assert fixed_w == {"TV": 125, "computer": 143, "freezer": 184, "fridge-freezer": 180}
    assert all(len(weights) == 24 for weights in HOURLY_WEIGHT.values())


# Load


def yearly_kwh(profiles: Profiles, homes: range) -> list[float]:
    days = profiles.intervals * profiles.interval_s / 86_400
    return [sum(home.load_wh) / 1000 * 365 / days for home in profiles.homes if home.home in homes]


def test_houses_of_four_use_3500_to_5000_kwh_a_year(fortnight: Profiles):
    kwh = yearly_kwh(fortnight, range(1, 5)) + yearly_kwh(fortnight, range(17, 19))
    assert 3500 <= np.mean(kwh) <= 5000
    assert all(3000 <= value <= 5500 for value in kwh), "single homes over a fortnight spread further than over a year"


def test_flats_of_two_use_2000_to_3200_kwh_a_year(fortnight: Profiles):
    kwh = yearly_kwh(fortnight, range(5, 17))
    assert 2000 <= np.mean(kwh) <= 3200
    assert all(1600 <= value <= 3600 for value in kwh)


def test_the_load_of_a_day_peaks_in_the_evening_and_is_lowest_at_night(fortnight: Profiles):
    by_hour = np.array([home.load_wh for home in fortnight.homes]).sum(axis=0).reshape(14, 24).mean(axis=0)
    assert 16 <= int(by_hour.argmax()) <= 21
    assert int(by_hour.argmin()) <= 5
    assert by_hour.max() > 2.5 * by_hour.min()
    assert by_hour[6:10].max() > by_hour[4], "a morning peak"


def test_a_home_always_uses_its_standby(fortnight: Profiles):
    assert all(min(home.load_wh) >= 75 for home in fortnight.homes)


def test_more_people_use_more_light_in_winter_than_in_summer():
    winter = Span(datetime(2025, 12, 8), 14 * 24, 3600)
    summer = Span(datetime(2025, 6, 9), 14 * 24, 3600)
    energy = [
        sum(int(load_w(1, home, Household.HOUSE, 4, span).sum()) for home in range(1, 5)) for span in (winter, summer)
    ]
    assert energy[0] > energy[1]


def test_homes_are_busier_in_the_evening_than_on_a_weekday_noon_and_asleep_at_night():
    span = Span(datetime(2025, 3, 3), 5 * 24, 3600)  # Monday to Friday
    by_step = np.mean([simulate(1, home, 4, span).active.reshape(5, 144) for home in range(1, 21)], axis=(0, 1))
    by_hour = by_step.reshape(24, 6).mean(axis=1)
    assert by_hour[3] < 0.4
    assert by_hour[19] > 1.5 * by_hour[12]


def test_more_people_are_active_at_noon_on_a_weekend():
    weekend, week = Span(datetime(2025, 3, 8), 48, 3600), Span(datetime(2025, 3, 4), 48, 3600)
    noon = [
        np.mean([simulate(1, home, 4, span).active.reshape(2, 144)[:, 66:84] for home in range(1, 21)])
        for span in (weekend, week)
    ]
    assert noon[0] > 1.2 * noon[1]


# Sun and wind


def test_the_sun_gives_nothing_at_night_and_something_by_day(fortnight: Profiles):
    by_hour = np.array([home.generation_wh for home in fortnight.homes[10:16]]).reshape(6, 14, 24)
    assert by_hour[:, :, :5].max() == 0
    assert by_hour[:, :, 20:].max() == 0
    assert by_hour[:, :, 12].min() > 0


def test_solar_power_stays_below_its_nominal_power_all_year():
    span = Span(datetime(2025, 1, 1), 365, 86_400)
    above = sky(1, span)
    power_w = solar_power_w(1, 1, 1500, above, span)
    assert power_w.min() >= 0
    assert 900 < power_w.max() <= 1500
    assert 1000 < power_w.sum() / 60 / 1500 < 1500, "full-load hours of a mid-latitude roof"


def test_clouds_vary_slowly_between_dull_and_clear():
    index = clear_sky_index(1, 288 * 14)
    assert 0.1 < index.min() < 0.4
    assert 0.95 < index.max() <= 1
    assert np.abs(np.diff(index)).mean() < 0.1


def test_neighbours_share_their_weather(fortnight: Profiles):
    sunny = np.corrcoef([fortnight.homes[10].generation_wh, fortnight.homes[11].generation_wh])[0, 1]
    windy = np.corrcoef([fortnight.homes[4].generation_wh, fortnight.homes[5].generation_wh])[0, 1]
    assert 0.8 < sunny < 1
    assert 0.6 < windy < 1


def test_a_turbine_follows_its_power_curve():
    speeds = np.array([0.0, 2.9, 3.0, 7.0, 11.0, 24.9, 25.0, 40.0])
    assert turbine_power_w(speeds, 1000).tolist() == [0, 0, 0, 242, 1000, 1000, 0, 0]


def test_wind_power_stays_below_its_nominal_power_and_blows_at_night_too():
    span = Span(datetime(2025, 1, 1), 60, 86_400)
    power_w = wind_power_w(1, 5, 1000, span)
    assert power_w.min() >= 0
    assert power_w.max() <= 1000
    assert 0.05 < power_w.mean() / 1000 < 0.35
    assert power_w.reshape(60, 1440)[:, :240].max() > 0


def test_wind_does_not_jump():
    power_w = wind_power_w(1, 5, 1000, Span(datetime(2025, 1, 1), 14, 86_400))
    assert np.abs(np.diff(power_w)).mean() < 20


def test_the_sun_is_where_it_should_be():
    noon = sun_elevation_deg(datetime(2025, 6, 21).date(), np.array([11.8]))[0]
    assert noon == pytest.approx(90 - 36.17 + 23.44, abs=1)
    assert sun_elevation_deg(datetime(2025, 12, 21).date(), np.array([0.0]))[0] < -60


# Refusals


def test_a_missing_pvlib_is_refused_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pvlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'petra\[homes\]'"):
        generate(1, EQUINOX, 1, 3600)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": -1}, "give 0 or more"),
        ({"intervals": 0}, "at least one"),
        ({"homes": 0}, "at least one"),
        ({"interval_s": 0}, "give 1 to 86400"),
        ({"start": EQUINOX.replace(tzinfo=UTC)}, "time zone"),
        ({"start": EQUINOX + timedelta(microseconds=1)}, "whole second"),
    ],
)
def test_arguments_out_of_range_are_refused(change: dict[str, object], reason: str):
    arguments: dict[str, object] = {"seed": 1, "start": EQUINOX, "intervals": 1, "interval_s": 3600}
    with pytest.raises(ValueError, match=reason):
        generate(**{**arguments, **change})  # type: ignore[arg-type]

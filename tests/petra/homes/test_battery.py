"""The battery stores a surplus and serves a deficit, and never makes energy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petra.homes.battery import SelfConsumption, net_after_battery
from petra.homes.profile import Battery, HomeProfile

batteries = st.builds(Battery, st.integers(0, 20_000), st.integers(0, 10_000), efficiency_permille=st.integers(1, 1000))
interval_lengths = st.sampled_from([4, 60, 900, 3600, 86_400])
nets = st.lists(st.integers(-20_000, 20_000), max_size=60)


@given(batteries, interval_lengths, nets)
def test_energy_is_conserved_to_the_thousandth_of_a_watt_hour(battery: Battery, interval_s: int, net_wh: list[int]):
    rule = SelfConsumption(battery, interval_s)
    for net in net_wh:
        before = rule.stored_milliwh
        metered = rule.step(net)
        charged, delivered = max(metered - net, 0), max(net - metered, 0)
        assert rule.stored_milliwh == before + charged * battery.efficiency_permille - delivered * 1000


@given(batteries, interval_lengths, nets)
def test_a_battery_never_delivers_more_than_its_efficiency_lets_through(
    battery: Battery, interval_s: int, net_wh: list[int]
):
    rule = SelfConsumption(battery, interval_s)
    metered = [rule.step(net) for net in net_wh]
    charged = sum(max(after - net, 0) for after, net in zip(metered, net_wh, strict=True))
    delivered = sum(max(net - after, 0) for after, net in zip(metered, net_wh, strict=True))
    assert delivered * 1000 <= charged * battery.efficiency_permille
    assert sum(metered) >= sum(net_wh)


@given(batteries, interval_lengths, nets)
def test_charge_and_power_stay_within_the_nameplate(battery: Battery, interval_s: int, net_wh: list[int]):
    rule = SelfConsumption(battery, interval_s)
    for net in net_wh:
        metered = rule.step(net)
        assert 0 <= rule.stored_milliwh <= battery.capacity_wh * 1000
        assert abs(metered - net) * 3600 <= battery.power_w * interval_s


@given(batteries, interval_lengths, nets)
def test_the_battery_never_turns_import_into_export_nor_export_into_import(
    battery: Battery, interval_s: int, net_wh: list[int]
):
    rule = SelfConsumption(battery, interval_s)
    for net in net_wh:
        assert min(net, 0) <= rule.step(net) <= max(net, 0)


def test_a_surplus_is_charged_with_a_loss_and_comes_back_in_the_evening():
    rule = SelfConsumption(Battery(capacity_wh=6000, power_w=3000, efficiency_permille=900), 3600)
    assert rule.step(-1000) == 0
    assert rule.stored_milliwh == 900_000
    assert rule.step(700) == 0
    assert rule.step(700) == 500


def test_losses_at_short_intervals_are_not_rounded_away():
    rule = SelfConsumption(Battery(capacity_wh=6000, power_w=3000, efficiency_permille=900), 4)
    for _ in range(100):
        assert rule.step(-1) == 0
    assert rule.stored_milliwh == 90_000


def test_a_full_battery_lets_the_surplus_pass():
    rule = SelfConsumption(Battery(capacity_wh=100, power_w=3000, efficiency_permille=1000), 3600)
    assert rule.step(-150) == -50
    assert rule.step(-150) == -150


def test_a_home_without_battery_is_metered_as_load_minus_generation():
    profile = HomeProfile(1, (100, 200), (300, 50))
    assert net_after_battery(profile, 3600) == (-200, 150)


def test_a_home_with_battery_is_metered_after_it():
    profile = HomeProfile(1, (100, 200), (300, 50), Battery(1000, 1000, efficiency_permille=1000))
    assert net_after_battery(profile, 3600) == (0, 0)


@pytest.mark.parametrize("permille", [0, 1001])
def test_an_efficiency_that_makes_energy_is_refused(permille: int):
    with pytest.raises(ValueError, match="give 1 to 1000"):
        Battery(1000, 1000, permille)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import FractionalEnergy
from assets.units import energy_wh, format_amount, power_w

interval_lengths = st.sampled_from([4, 60, 300, 900, 1800, 3600, 86_400])


@pytest.mark.parametrize(
    ("power", "interval_s", "energy"), [(500, 3600, 500), (500, 900, 125), (900, 4, 1), (0, 4, 0), (-400, 900, -100)]
)
def test_energy_is_power_times_hours(power, interval_s, energy):
    assert energy_wh(power, interval_s) == energy
    assert power_w(energy, interval_s) == power


@given(st.integers(-(2**70), 2**70), interval_lengths)
def test_energy_is_exact_or_refused_and_never_rounded(power, interval_s):
    if power * interval_s % 3600:
        with pytest.raises(FractionalEnergy):
            energy_wh(power, interval_s)
    else:
        assert energy_wh(power, interval_s) * 3600 == power * interval_s
        assert power_w(energy_wh(power, interval_s), interval_s) == power


def test_fractional_energy_says_which_powers_are_whole():
    with pytest.raises(FractionalEnergy, match="501 W over 900 s is not a whole number of Wh") as caught:
        energy_wh(501, 900)
    assert "multiple of 4 W" in str(caught.value)
    assert (caught.value.power_w, caught.value.interval_s) == (501, 900)


def test_an_energy_that_no_whole_power_gives_is_refused():
    with pytest.raises(ValueError, match=r"1 Wh in 7200 s is not a whole number of watts"):
        power_w(1, 7200)


@pytest.mark.parametrize(
    ("amount_nano", "digits", "text"),
    [
        (0, 4, "0.0000"),
        (240_000, 4, "0.0002"),
        (-240_000, 4, "-0.0002"),
        (1_500_000_000, 2, "1.50"),
        (50_000, 4, "0.0001"),
        (-50_000, 4, "-0.0001"),
        (49_999, 4, "0.0000"),
        (-49_999, 4, "0.0000"),
        (999_999_999, 4, "1.0000"),
        (1, 9, "0.000000001"),
    ],
)
def test_an_amount_is_shown_rounded_half_away_from_zero(amount_nano, digits, text):
    assert format_amount(amount_nano, digits) == text

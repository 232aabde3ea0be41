"""Prices are read exactly, and malformed ones are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import PriceInversion
from assets.intervals import IntervalGrid
from assets.transactions import PriceChange
from dso.tariff import PriceStep, Tariff, parse_price


def test_twenty_four_cents_per_kwh_are_240_000_nano_per_wh() -> None:
    assert parse_price("0.24") == 240_000
    assert parse_price("0.09") == 90_000
    assert parse_price("1") == 1_000_000
    assert parse_price("0.000001") == 1


@given(st.integers(0, 10**12))
def test_every_price_is_read_exactly(price: int) -> None:
    whole, fraction = divmod(price, 10**6)
    assert parse_price(f"{whole}.{fraction:06d}") == price


@pytest.mark.parametrize(
    "text", ["", "-0.1", "+1", ".5", "1.", "1e3", "0,24", "0.0000001", " 1", "1\n", "٣", "nan", "01", "9" * 14]
)
def test_a_malformed_price_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"price per kWh|above the largest"):
        parse_price(text)


def test_a_flat_tariff_holds_in_every_interval() -> None:
    tariff = Tariff.parse("0.24/0.09")
    assert tariff == Tariff.flat(240_000, 90_000)
    assert tariff.steps == (PriceStep(0, 240_000, 90_000),)


def test_a_stepped_tariff_changes_at_its_steps() -> None:
    tariff = Tariff.parse("2:0.20/0.09, 17:0.32/0.1")
    assert tariff.steps == (PriceStep(2, 200_000, 90_000), PriceStep(17, 320_000, 100_000))
    assert tariff.price_changes(IntervalGrid(1000, 900)) == (
        PriceChange(2800, 200_000, 90_000),
        PriceChange(16_300, 320_000, 100_000),
    )


@pytest.mark.parametrize("text", ["", "0.24", "0.24/0.09/0.1", "x:0.24/0.09", "0.24/0.09,", "-1:0.2/0.1", "0.24/x"])
def test_a_malformed_tariff_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"tariff step|price per kWh"):
        Tariff.parse(text)


def test_steps_out_of_order_are_refused() -> None:
    for text in ("5:0.2/0.1,5:0.3/0.1", "5:0.2/0.1,4:0.3/0.1"):
        with pytest.raises(ValueError, match="later interval"):
            Tariff.parse(text)
    with pytest.raises(ValueError, match="at least one step"):
        Tariff(())
    with pytest.raises(ValueError, match="between 0"):
        Tariff.flat(-1, -2)


def test_a_tariff_that_buys_dearer_than_it_sells_is_refused() -> None:
    with pytest.raises(PriceInversion, match="price_consumption >= price_production"):
        Tariff.parse("0.09/0.24")

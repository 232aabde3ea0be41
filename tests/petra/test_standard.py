"""The standard set of a new home: one that can trade, and the same for all homes whenever they are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey
from assets.ledger import SpecLedger
from assets.transactions import Domain, PriceChange, Regulate, sign
from assets.units import energy_wh
from petra.standard import USUAL_PRICE_NANO_PER_WH, announced_set, suited_set

DSO = SigningKey(b"\x0d" * 32)
DOMAIN = Domain(1337, Address(bytes(19) + b"\x07"))


def ledger(*prices, interval_s=900):
    found = SpecLedger(DOMAIN, IntervalGrid(900_000, interval_s), DSO.address, 900_000)
    for sequence, price in enumerate(prices):
        found.submit([sign(DOMAIN, Regulate(sequence, prices=(price,)), DSO)])[0].require()
    return found


@given(interval_s=st.sampled_from([60, 300, 900, 1800, 3600]), price=st.integers(1, 10**7))
def test_one_money_note_pays_for_one_energy_note_at_the_price(interval_s, price) -> None:
    notes = suited_set(interval_s, price)
    assert notes.fa_amount_nano == energy_wh(notes.note_power_w, interval_s) * price
    assert 200 <= notes.note_power_w < 260


def test_a_price_of_nothing_makes_no_money() -> None:
    with pytest.raises(ValueError, match="sells at 0"):
        suited_set(900, 0)


def test_a_home_that_is_made_later_has_the_same_notes() -> None:
    first = PriceChange(900_900, 240_000, 90_000)
    early, _ = announced_set(ledger(first))
    late, meaning = announced_set(ledger(first, PriceChange(901_800, 400_000, 90_000)))
    assert early == late == suited_set(900, 240_000)
    assert "first price" in meaning


def test_before_any_price_it_is_a_guess_and_says_so() -> None:
    notes, meaning = announced_set(ledger())
    assert notes == suited_set(900, USUAL_PRICE_NANO_PER_WH)
    assert "a guess" in meaning

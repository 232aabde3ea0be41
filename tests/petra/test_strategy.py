from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from assets.orders import Side
from petra.strategy import PersistenceTrader, Situation

SITUATION = Situation(
    t=5,
    last_net_wh=900,
    note_wh=200,
    sellable=3,
    buyable=3,
    consumption_nano_per_wh=240_000,
    production_nano_per_wh=90_000,
)


def test_a_home_that_imported_offers_to_buy():
    decision = PersistenceTrader(1, 1).decide(SITUATION)
    assert decision is not None
    assert decision.side is Side.BUY


def test_a_home_that_exported_offers_to_sell():
    decision = PersistenceTrader(1, 1).decide(replace(SITUATION, last_net_wh=-900))
    assert decision is not None
    assert decision.side is Side.SELL


def test_a_home_without_a_reading_offers_nothing():
    assert PersistenceTrader(1, 1).decide(replace(SITUATION, last_net_wh=None)) is None


def test_less_than_one_note_is_not_offered():
    assert PersistenceTrader(1, 1).decide(replace(SITUATION, last_net_wh=100)) is None


@given(
    net_wh=st.integers(-(10**6), 10**6),
    prices=st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)),
    held=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
def test_no_offer_exceeds_the_notes_held_or_is_worse_than_the_dso(net_wh, prices, held, seed):
    low, high = min(prices), max(prices)
    situation = replace(
        SITUATION,
        last_net_wh=net_wh,
        sellable=held,
        buyable=held,
        consumption_nano_per_wh=high,
        production_nano_per_wh=low,
    )
    decision = PersistenceTrader(seed, 1).decide(situation)
    if decision is not None:
        assert 1 <= decision.notes <= held
        assert max(1, low) <= decision.limit_nano_per_wh <= high


def test_the_same_seed_home_and_interval_give_the_same_decision():
    assert PersistenceTrader(7, 2).decide(SITUATION) == PersistenceTrader(7, 2).decide(SITUATION)


def test_homes_draw_different_limits():
    limits = {PersistenceTrader(7, home).decide(SITUATION).limit_nano_per_wh for home in range(1, 20)}
    assert len(limits) > 10

"""What a trader with several units can gain in the uniform auction; splitting them over addresses gains nothing."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from bidstore.auction import Clearing, Order, clear

NEVER = 99
"""A limit at which nobody trades: the unit is held back."""


def order(side: str, limit: int, place: int, owner: str = "") -> Order:
    return Order(limit, (owner or f"{side}{place}").encode(), f"{side}{place}".encode())


def auction(mine: list[int], asks: list[int], bids: list[int], seed: bytes = b"s") -> Clearing:
    sellers = [order("m", limit, i) for i, limit in enumerate(mine)] + [order("a", x, i) for i, x in enumerate(asks)]
    return clear(sellers, [order("b", x, i) for i, x in enumerate(bids)], seed)


def profit(got: Clearing, true: list[int]) -> int:
    """Of the units ``m0, m1, …`` of one seller, whose true values are ``true``."""
    sold = [int(ask.reference[1:]) for ask, _ in got.pairs if ask.reference[:1] == b"m"]
    return sum(got.price_nano_per_wh - true[i] for i in sold)


def test_the_documented_example_of_holding_back() -> None:
    true, bids = [10, 20], [100, 21]
    honest = auction(true, [], bids)
    assert (honest.price_nano_per_wh, profit(honest, true)) == (20, 10)
    held_back = auction([10, NEVER + 1], [], bids)
    assert (held_back.price_nano_per_wh, profit(held_back, true)) == (60, 50)


values = st.integers(0, 8)


@settings(max_examples=80, deadline=None)
@given(st.lists(values, min_size=1, max_size=3), st.lists(values, max_size=3), st.lists(values, max_size=4))
def test_false_limits_of_several_units_gain_no_more_than_the_documented_bound(true, asks, bids) -> None:
    honest = auction(true, asks, bids)
    k = len(honest.pairs)
    mine = sum(ask.reference[:1] == b"m" for ask, _ in honest.pairs)
    bound = 0
    if mine:
        bound = mine * (sorted(bids, reverse=True)[k - mine] - honest.price_nano_per_wh)
    for stated in product([0, 2, 4, 5, 7, 8, NEVER], repeat=len(true)):
        assert profit(auction(list(stated), asks, bids), true) - profit(honest, true) <= bound


@settings(max_examples=40, deadline=None)
@given(st.lists(values, max_size=3), st.lists(values, max_size=3), values)
def test_a_unit_that_does_not_trade_gains_nothing_by_another_limit(asks, bids, true) -> None:
    honest = auction([true], asks, bids)
    if profit(honest, [true]) == 0:
        for stated in range(10):
            got = auction([stated], asks, bids)
            traded = any(ask.reference == b"m0" for ask, _ in honest.pairs)
            assert traded or profit(got, [true]) <= 0


def test_splitting_units_over_addresses_wins_ties_no_more_often() -> None:
    """Two units at the margin among four, two of which can trade: whoever owns them, one trades on average."""
    bids = [order("b", 9, i) for i in range(2)]
    others = [order("a", 5, i) for i in range(2)]
    won = {"one address": 0, "an address each": 0}
    rounds = 4000
    for number in range(rounds):
        seed = number.to_bytes(4, "big")
        for how, owners in (("one address", ["m", "m"]), ("an address each", ["m0", "m1"])):
            mine = [order("m", 5, i, owner) for i, owner in enumerate(owners)]
            pairs = clear([*mine, *others], bids, seed).pairs
            won[how] += sum(ask.reference[:1] == b"m" for ask, _ in pairs)
    for wins in won.values():
        assert abs(wins / rounds - 1) < 0.05  # the seeds are fixed: the same figure in every run


@settings(max_examples=40, deadline=None)
@given(st.lists(values, min_size=1, max_size=4), st.lists(values, max_size=4), st.binary(max_size=3))
def test_how_one_owns_the_units_changes_neither_price_nor_volume(asks, bids, seed) -> None:
    apart = auction(asks, [], bids, seed)
    together = clear(
        [order("m", limit, i, "one") for i, limit in enumerate(asks)],
        [order("b", limit, i) for i, limit in enumerate(bids)],
        seed,
    )
    assert (apart.price_nano_per_wh, len(apart.pairs)) == (together.price_nano_per_wh, len(together.pairs))

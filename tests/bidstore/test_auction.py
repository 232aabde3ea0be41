"""The uniform-price auction against hand-worked examples, brute force, and every false limit a trader could state."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from bidstore.auction import Clearing, Order, Reason, clear

CASES = json.loads((Path(__file__).parent / "vectors/auction.json").read_text())["cases"]
SEED = b"seed"

limits = st.lists(st.integers(0, 12), max_size=6)
seeds = st.binary(min_size=1, max_size=4)


def orders(side: bytes, values: list[int]) -> list[Order]:
    return [Order(limit, keccak(side + bytes([i]))[:20], side + bytes([i])) for i, limit in enumerate(values)]


def auction(asks: list[int], bids: list[int], seed: bytes = SEED) -> Clearing:
    return clear(orders(b"a", asks), orders(b"b", bids), seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_example_worked_by_hand(case: dict) -> None:
    got = auction(case["asks"], case["bids"])
    assert got.price_nano_per_wh == case["price"]
    assert got.price_range == (tuple(case["range"]) if case["range"] else None)
    assert len(got.pairs) == case["volume"]
    assert [[u.order.limit_nano_per_wh, u.reason.name] for u in got.unmatched] == case["unmatched"]


@settings(deadline=None)
@given(limits, limits)
def test_no_single_price_trades_more(asks: list[int], bids: list[int]) -> None:
    most = max(min(sum(a <= p for a in asks), sum(b >= p for b in bids)) for p in range(14))
    assert len(auction(asks, bids).pairs) == most


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), max_size=4), st.lists(st.integers(0, 12), max_size=4))
def test_no_other_set_of_trades_is_worth_more(asks: list[int], bids: list[int]) -> None:
    best = max(
        sum(b) - sum(a)
        for k in range(min(len(asks), len(bids)) + 1)
        for a in combinations(asks, k)
        for b in combinations(bids, k)
    )
    pairs = auction(asks, bids).pairs
    assert sum(bid.limit_nano_per_wh - ask.limit_nano_per_wh for ask, bid in pairs) == best


@settings(deadline=None)
@given(limits, limits, seeds)
def test_the_price_lies_between_the_marginal_orders_and_leaves_no_regret(asks, bids, seed) -> None:
    got = auction(asks, bids, seed)
    if got.price_nano_per_wh is None:
        assert not got.pairs
        assert not asks or not bids or min(asks) > max(bids)
        return
    price, (low, high) = got.price_nano_per_wh, got.price_range
    assert low <= price <= high
    assert max(ask.limit_nano_per_wh for ask, _ in got.pairs) <= low
    assert high <= min(bid.limit_nano_per_wh for _, bid in got.pairs)
    for left in got.unmatched:
        limit = left.order.limit_nano_per_wh
        assert limit >= high if left.order.reference[:1] == b"a" else limit <= low
        assert left.reason is (Reason.TIE if limit == price else Reason.LIMIT)


@settings(deadline=None)
@given(limits, limits)
def test_every_order_is_told_its_outcome_once(asks: list[int], bids: list[int]) -> None:
    got = auction(asks, bids)
    told = [o.reference for pair in got.pairs for o in pair] + [u.order.reference for u in got.unmatched]
    assert sorted(told) == sorted(o.reference for o in orders(b"a", asks) + orders(b"b", bids))


@settings(deadline=None)
@given(st.data(), limits, limits, seeds)
def test_the_order_of_arrival_changes_nothing(data: st.DataObject, asks, bids, seed) -> None:
    first = clear(orders(b"a", asks), orders(b"b", bids), seed)
    shuffled_asks = data.draw(st.permutations(orders(b"a", asks)))
    shuffled_bids = data.draw(st.permutations(orders(b"b", bids)))
    assert clear(shuffled_asks, shuffled_bids, seed) == first


def test_ties_go_to_the_lowest_hash_of_seed_and_key() -> None:
    asks = orders(b"a", [20] * 5)
    winners = set()
    for number in range(40):
        seed = bytes([number])
        ((winner, _),) = clear(asks, orders(b"b", [20]), seed).pairs
        assert winner == min(asks, key=lambda o: keccak(seed + o.key))
        winners.add(winner)
    assert len(winners) == 5  # the seed decides, not the key alone


@settings(deadline=None)
@given(limits, limits, seeds)
def test_references_decide_nothing_between_different_keys(asks, bids, seed) -> None:
    def by_key(clearing: Clearing) -> list[tuple[bytes, bytes]]:
        return [(ask.key, bid.key) for ask, bid in clearing.pairs]

    renamed = [
        [replace(o, reference=keccak(o.reference)) for o in orders(s, v)] for s, v in ((b"a", asks), (b"b", bids))
    ]
    assert by_key(clear(*renamed, seed)) == by_key(auction(asks, bids, seed))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 8), max_size=4), st.lists(st.integers(0, 8), max_size=4), st.integers(0, 8), seeds)
def test_a_false_limit_gains_at_most_half_of_the_range(asks, bids, true, seed) -> None:
    def gain(got: Clearing, side: int, value: int) -> int:
        mine = any(pair[side].reference == bytes([b"ab"[side], 0]) for pair in got.pairs)
        return (got.price_nano_per_wh - value) * (1, -1)[side] if mine else 0

    for side in (0, 1):
        others = (asks, [true, *bids]) if side else ([true, *asks], bids)
        truthful = auction(*others, seed)
        honest, bound = gain(truthful, side, true), 0
        if any(pair[side].reference == bytes([b"ab"[side], 0]) for pair in truthful.pairs):
            low, high = truthful.price_range
            bound = (truthful.price_nano_per_wh - low) if side else (high - truthful.price_nano_per_wh)
        for false in range(10):
            stated = (asks, [false, *bids]) if side else ([false, *asks], bids)
            assert gain(auction(*stated, seed), side, true) - honest <= bound


def test_two_orders_with_one_reference_are_the_callers_mistake() -> None:
    order = orders(b"a", [1])[0]
    with pytest.raises(ValueError, match="reference of its own"):
        clear([order], [order], SEED)


def test_a_negative_limit_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        auction([-1], [])

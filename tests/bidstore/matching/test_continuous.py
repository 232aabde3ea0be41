"""The continuous book against examples worked by hand, and against its rule by brute force."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.orders import Side
from bidstore.matching.continuous import ContinuousBook, Quote, cross, tradable_w

CASES = json.loads((Path(__file__).parent.parent / "vectors/continuous.json").read_text())["cases"]


def quotes(rows) -> list[Quote]:
    return [Quote(Side[side], limit, power, least, bytes([i])) for i, (side, limit, power, least) in enumerate(rows)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_example_worked_by_hand(case) -> None:
    book, got = ContinuousBook(), []
    for quote in quotes(case["quotes"]):
        match = book.add(quote)
        if match:
            got.append([match.sell.reference[0], match.buy.reference[0], match.power_w, match.price_nano_per_wh])
    assert got == case["matches"]
    assert [q.reference[0] for side in Side for q in book.waiting(side)] == case["waiting"]


rows = st.lists(
    st.tuples(st.sampled_from(["SELL", "BUY"]), st.integers(0, 6), st.integers(1, 4), st.integers(0, 5)), max_size=12
)


@given(rows)
def test_every_match_is_the_first_of_the_best_that_is_possible(rows) -> None:
    book, waiting = ContinuousBook(), []
    for quote in quotes(rows):
        possible = [other for other in waiting if cross(quote, other) and tradable_w(quote, other)]
        sign = 1 if quote.side is Side.BUY else -1
        best = min(possible, key=lambda o: (sign * o.limit_nano_per_wh, o.reference), default=None)
        match = book.add(quote)
        if best is None:
            assert match is None
            waiting.append(quote)
            continue
        assert match is not None
        assert best in (match.sell, match.buy)
        assert match.price_nano_per_wh == best.limit_nano_per_wh
        assert match.sell.limit_nano_per_wh <= match.price_nano_per_wh <= match.buy.limit_nano_per_wh
        assert all(min(q.least_w, q.power_w) <= match.power_w <= q.power_w for q in (match.sell, match.buy))
        waiting.remove(best)
    assert sorted(q.reference for side in Side for q in book.waiting(side)) == sorted(q.reference for q in waiting)


@given(rows, st.integers(0, 11))
def test_a_quote_that_was_taken_out_never_trades(rows, gone) -> None:
    book = ContinuousBook()
    for quote in quotes(rows):
        match = book.add(quote)
        if match is not None and quote.reference[0] > gone:
            assert bytes([gone]) not in (match.sell.reference, match.buy.reference)
        if quote.reference == bytes([gone]) and match is None:
            assert book.remove(bytes([gone]))
            assert not book.remove(bytes([gone]))


def test_a_reference_waits_once() -> None:
    book = ContinuousBook()
    (quote,) = quotes([("SELL", 5, 1, 1)])
    book.add(quote)
    with pytest.raises(ValueError, match="reference of its own"):
        book.add(quote)
    assert book.waiting(Side.SELL) == (quote,)

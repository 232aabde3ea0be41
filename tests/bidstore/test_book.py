"""Clearing and settling on the executable specification of the ledger."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import BadQuantity, FillSize, NoteSpent, OrderCancelled, OrderExpired, PriceLimit, Unfunded
from assets.keys import Address, Digest
from assets.notes import issued
from assets.orders import Fill, sign_order
from assets.port import NoteStatus
from assets.transactions import Domain, Settle, Signed
from bidstore import outcome
from bidstore.auction import Reason
from bidstore.book import Standing, Status
from bidstore.errors import FillUnknown, OrderUnknown
from bidstore.posting import class_of

SEED = b"seed"


@pytest.fixture
def pair(market):
    """One sale and one purchase that match, and their ids."""
    sale, purchase = market.sale(100_000), market.purchase(200_000)
    return sale, purchase, *market.post(sale, purchase)


def status(market, *ids):
    return [market.store.standing(i).status for i in ids]


def test_a_trade_settles_end_to_end_with_nobody_online(market, pair) -> None:
    sale, purchase, sell_id, buy_id = pair
    market.keys.clear()  # whoever signed the orders is gone
    (fill,) = market.store.clear(5, SEED)
    assert (fill.sell.order, fill.buy.order, fill.power_w, fill.price_nano_per_wh) == (sale, purchase, 400, 150_000)
    (receipt,) = market.store.settle([fill])
    assert receipt.require().fills == (None,)
    created = issued(fill.outputs(900), receipt.digest)
    assert [(n.note.owner, n.note.quantity) for n in created] == [
        (purchase.deliver_to, 400),
        (sale.deliver_to, 400),
        (sale.pay_to, 15_000_000),
        (purchase.pay_to, 10**9 - 15_000_000),
    ]
    assert all(market.ledger.status(n.id) is NoteStatus.UNSPENT for n in created)
    assert all(market.ledger.status(n.id) is NoteStatus.SPENT for n in (*sale.notes, *purchase.notes))
    assert status(market, sell_id, buy_id) == [Status.SETTLED] * 2
    assert market.store.clear(5, SEED) == []


def test_every_pair_of_a_class_gets_the_one_price(market) -> None:
    market.post(*(market.sale(limit) for limit in (10, 20, 30, 40)))
    market.post(*(market.purchase(limit) for limit in (45, 35, 25, 15)))
    fills = market.store.clear(5, SEED)
    assert [f.price_nano_per_wh for f in fills] == [27, 27]
    (receipt,) = market.store.settle(fills)
    assert receipt.fills == (None, None)


def test_classes_are_cleared_apart_and_only_for_the_interval_in_which_they_start(market) -> None:
    small = {"power_w": 400}, {"power_w": 800}, {"end": 6}, {"start": 6, "end": 6}
    for place, kind in enumerate(small):
        market.post(market.sale(100 + place, **kind), market.purchase(100 + place, **kind))
    prices = {class_of(p.sell.order): p.price_nano_per_wh for p in market.store.clear(5, SEED)}
    assert prices == {(400, 5, 5): 100, (800, 5, 5): 101, (400, 5, 6): 102}
    assert [p.price_nano_per_wh for p in market.store.clear(6, SEED)] == [103]


def test_a_seller_alone_in_its_class_is_told_so(market) -> None:
    (sell_id,) = market.post(market.sale())
    market.post(market.purchase(power_w=800))
    assert market.store.clear(5, SEED) == []
    assert market.store.standing(sell_id) == Standing(Status.OPEN, Reason.NO_COUNTERPART.value)


def test_who_did_not_match_is_told_why_and_stays_in_the_book(market) -> None:
    cheap, dear = market.sale(100), market.sale(300)
    cheap_id, dear_id = market.post(cheap, dear)
    (buy_id,) = market.post(market.purchase(200))
    assert len(market.store.clear(5, SEED)) == 1
    assert market.store.standing(dear_id) == Standing(Status.OPEN, Reason.LIMIT.value)
    assert {market.store.standing(i).status for i in (cheap_id, buy_id)} == {Status.MATCHED}
    assert [s.order for s in market.store.open_orders(class_of(dear))] == [dear]
    assert market.store.clear(5, SEED) == []
    market.post(market.purchase(400))
    assert [p.sell.order for p in market.store.clear(5, SEED)] == [dear]


def test_what_is_matched_is_not_matched_again(market, pair) -> None:
    assert len(market.store.clear(5, SEED)) == 1
    market.post(market.purchase())
    assert market.store.clear(5, SEED) == []


@pytest.mark.parametrize("index", [0, 1])
def test_a_note_spent_between_posting_and_clearing_drops_its_order_with_the_reason(market, pair, index: int) -> None:
    sale, purchase, sell_id, buy_id = pair
    market.spend((sale.energy, purchase.money[0])[index])
    assert market.store.clear(5, SEED) == []
    ids = (sell_id, buy_id)
    dropped = market.store.standing(ids[index])
    assert dropped.status is Status.DROPPED
    assert "no longer unspent" in dropped.reason
    assert market.store.standing(ids[1 - index]) == Standing(Status.OPEN, Reason.NO_COUNTERPART.value)


def test_a_spent_note_moves_no_price(market, pair) -> None:
    ghost = market.purchase(190_000)
    market.post(ghost)
    market.spend(ghost.energy)
    assert [p.price_nano_per_wh for p in market.store.clear(5, SEED)] == [150_000]


def test_the_other_notes_of_a_dropped_order_are_free_again(market, pair) -> None:
    _, purchase, _, _ = pair
    market.spend(purchase.energy)
    market.store.clear(5, SEED)
    market.post(replace(market.purchase(), money=purchase.money))


# --- Settling ----------------------------------------------------------------------------------------------


def test_many_fills_go_to_the_ledger_in_settlements_that_it_takes(market, monkeypatch) -> None:
    monkeypatch.setattr("contracts.settlements.MAX_FILLS", 2)
    market.post(*(market.sale(100) for _ in range(5)), *(market.purchase(100) for _ in range(5)))
    receipts = market.store.settle(market.store.clear(5, SEED))
    assert [r.fills for r in receipts] == [(None, None), (None, None), (None,)]


def test_a_match_that_the_store_did_not_make_is_not_settled(market, pair) -> None:
    (fill,) = market.store.clear(5, SEED)
    for wrong in (replace(fill, price_nano_per_wh=150_001), replace(fill, sell=fill.buy)):
        with pytest.raises(FillUnknown):
            market.store.settle([fill, wrong])
        with pytest.raises(FillUnknown):
            market.store.abandon([fill, wrong])
    assert status(market, *pair[2:]) == [Status.MATCHED] * 2
    market.store.settle([fill])
    with pytest.raises(FillUnknown):
        market.store.settle([fill])


def test_a_fill_of_a_spent_note_drops_its_order_and_the_other_side_returns_to_the_book(market, pair) -> None:
    sale, purchase, sell_id, buy_id = pair
    fills = market.store.clear(5, SEED)
    market.spend(sale.energy)
    (receipt,) = market.store.settle(fills)
    assert receipt.refusal == NoteSpent(sale.energy.id)
    assert market.store.standing(sell_id) == Standing(Status.DROPPED, outcome.SPENT)
    assert market.store.standing(buy_id) == Standing(Status.OPEN, outcome.OTHER_SIDE)
    market.post(market.sale())
    (again,) = market.store.clear(5, SEED)
    assert again.buy.order == purchase
    market.store.settle([again])[0].require()


def test_one_refused_fill_leaves_the_others_settled(market) -> None:
    orders = [market.sale(100), market.sale(100), market.purchase(100), market.purchase(100)]
    ids = dict(zip(market.post(*orders), orders, strict=True))
    fills = market.store.clear(5, SEED)
    market.spend(fills[0].buy.order.money[0])
    (receipt,) = market.store.settle(fills)
    assert receipt.accepted
    assert [verdict is None for verdict in receipt.fills] == [False, True]
    by_order = {order.energy.id: market.store.standing(i).status for i, order in ids.items()}
    assert [by_order[o.energy.id] for f in fills for o in (f.sell.order, f.buy.order)] == [
        Status.OPEN,
        Status.DROPPED,
        Status.SETTLED,
        Status.SETTLED,
    ]


def test_an_order_cancelled_between_matching_and_settling_is_dropped(market, pair) -> None:
    _, purchase, sell_id, buy_id = pair
    fills = market.store.clear(5, SEED)
    market.cancel(purchase)
    (receipt,) = market.store.settle(fills)
    assert receipt.refusal == OrderCancelled(buy_id)
    assert market.store.standing(buy_id) == Standing(Status.DROPPED, outcome.CANCELLED)
    assert market.store.standing(sell_id) == Standing(Status.OPEN, outcome.OTHER_SIDE)


def test_a_cancelled_order_is_dropped_before_the_auction_and_moves_no_price(market, pair) -> None:
    ghost = market.purchase(190_000)
    (ghost_id,) = market.post(ghost)
    market.cancel(ghost)
    assert [f.price_nano_per_wh for f in market.store.clear(5, SEED)] == [150_000]
    assert market.store.standing(ghost_id) == Standing(Status.DROPPED, outcome.CANCELLED)


def test_a_match_that_was_given_up_returns_to_the_book(market, pair) -> None:
    _, _, sell_id, buy_id = pair
    (fill,) = market.store.clear(5, SEED)
    market.store.abandon([fill])
    assert market.store.standing(sell_id) == market.store.standing(buy_id) == Standing(Status.OPEN, outcome.GIVEN_UP)
    with pytest.raises(FillUnknown):
        market.store.settle([fill])
    assert market.store.clear(5, SEED) == [fill]


def test_whoever_spent_a_note_of_a_match_given_up_is_dropped(market, pair) -> None:
    sale, _, sell_id, buy_id = pair
    fills = market.store.clear(5, SEED)
    market.spend(sale.energy)
    market.store.abandon(fills)
    assert status(market, sell_id, buy_id) == [Status.DROPPED, Status.OPEN]


def test_a_ledger_out_of_reach_leaves_the_match_to_be_settled_later(market, pair, monkeypatch) -> None:
    fills = market.store.clear(5, SEED)

    def unreachable(batch):
        raise ConnectionError("no node")

    with monkeypatch.context() as broken:
        broken.setattr(market.ledger, "submit", unreachable)
        with pytest.raises(ConnectionError):
            market.store.settle(fills)
    assert status(market, *pair[2:]) == [Status.MATCHED] * 2
    market.store.settle(fills)[0].require()
    assert status(market, *pair[2:]) == [Status.SETTLED] * 2


@pytest.mark.parametrize("made", [OrderExpired, FillSize, PriceLimit, Unfunded, OrderCancelled])
def test_a_refusal_that_names_an_order_blames_that_one_only(made) -> None:
    mine, other = (Digest(bytes([n]) * 32) for n in (1, 2))
    assert outcome.blame(made(mine, 1, 2), mine) is not None
    assert outcome.blame(made(other, 1, 2), mine) is None


def test_a_refusal_that_blames_nobody_removes_both_orders_without_naming_ids() -> None:
    mine = Digest(b"\x01" * 32)
    assert outcome.blame(BadQuantity(3, 2**63), mine) == "the ledger refused the match (BadQuantity)"
    assert outcome.blame(NoteSpent(mine), mine) is None


def test_a_match_ends_with_its_orders(market, pair) -> None:
    _, _, sell_id, _ = pair
    fills = market.store.clear(5, SEED)
    market.ledger.advance_to(market.ledger.grid.end_s(5))
    with pytest.raises(FillUnknown):
        market.store.settle(fills)
    with pytest.raises(OrderUnknown):
        market.store.standing(sell_id)


def test_orders_that_lapse_while_the_ledger_is_asked_are_forgotten(market, pair, monkeypatch) -> None:
    fills = market.store.clear(5, SEED)
    submit = market.ledger.submit

    def slowly(batch):
        market.ledger.advance_to(market.ledger.grid.end_s(5))
        market.store.open_orders(class_of(pair[0]))
        return submit(batch)

    monkeypatch.setattr(market.ledger, "submit", slowly)
    (receipt,) = market.store.settle(fills)
    assert isinstance(receipt.refusal, OrderExpired)
    assert not market.store._fills


def test_the_store_forgets_what_has_lapsed(market, pair) -> None:
    market.store.clear(5, SEED)
    market.ledger.advance_to(market.ledger.grid.end_s(5))
    market.store.challenge()
    assert market.store.open_orders(class_of(pair[0])) == ()
    for kept in (market.store._records, market.store._holder, market.store._lapses, market.store._fills):
        assert not kept


def test_a_store_shows_no_reason_with_an_id_or_address(market, pair) -> None:
    sale, _, sell_id, _ = pair
    market.spend(sale.energy)
    market.store.clear(5, SEED)
    reason = market.store.standing(sell_id).reason
    assert "0x" not in reason
    assert sale.energy.id.hex() not in reason


# --- The same for everybody --------------------------------------------------------------------------------


def traded(market, offers, seed: bytes):
    """Who traded with whom at which price, by the owners of the energy notes."""
    market.post(*offers)
    return sorted(
        (p.sell.order.energy.note.owner, p.buy.order.energy.note.owner, p.price_nano_per_wh)
        for p in market.store.clear(5, seed)
    )


@settings(max_examples=25, deadline=None)
@given(st.data(), st.binary(min_size=32, max_size=32))
def test_neither_arrival_nor_the_ledger_changes_who_trades(open_market, data, seed: bytes) -> None:
    limits = st.lists(st.integers(1, 4), min_size=1, max_size=4)
    asks, bids = data.draw(limits), data.draw(limits)
    results = []
    for domain in (
        Domain(31, Address(b"\x01" * 20)),
        Domain(31, Address(b"\x01" * 20)),
        Domain(9, Address(b"\x02" * 20)),
    ):
        market = open_market(domain)
        offers = [market.sale(a) for a in asks] + [market.purchase(b) for b in bids]
        results.append(traded(market, data.draw(st.permutations(offers)), seed))
    assert all(a == b for a, b in pairwise(results))


class _LosesReceipts:
    """A ledger whose connection breaks after it recorded a settlement."""

    def __init__(self, ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str):
        return getattr(self._ledger, name)

    def submit(self, batch):
        self._ledger.submit(batch)
        raise ConnectionError("the answer was lost")


def test_a_retry_after_a_lost_receipt_finds_the_orders_settled(market) -> None:
    sell_id, buy_id = market.post(market.sale(), market.purchase())
    fills = market.store.clear(5, SEED)
    market.store._ledger = _LosesReceipts(market.ledger)
    with pytest.raises(ConnectionError):
        market.store.settle(fills)
    market.store._ledger = market.ledger
    assert market.store.settle(fills) == []
    assert [market.store.standing(i).status for i in (sell_id, buy_id)] == [Status.SETTLED] * 2


def test_an_order_that_somebody_else_settled_is_settled_and_its_partner_returns(market) -> None:
    sell_id, buy_id = market.post(market.sale(), market.purchase())
    (fill,) = market.store.clear(5, SEED)
    other = market.purchase()
    signed = sign_order(market.ledger.domain, other, *(market.keys[o] for o in other.owners))
    elsewhere = Settle((Fill(fill.sell, signed, fill.power_w, fill.price_nano_per_wh),))
    market.ledger.submit([Signed(elsewhere, ())])[0].require()
    market.store.settle([fill])
    assert market.store.standing(sell_id).status is Status.SETTLED
    assert market.store.standing(buy_id).status is Status.OPEN

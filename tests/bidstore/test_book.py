"""Clearing and completing on the executable specification of the ledger."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import NoteSpent
from assets.keys import Address
from assets.notes import issued
from assets.port import NoteStatus
from assets.transactions import Domain, digest
from bidstore.auction import Reason
from bidstore.book import Standing, Status
from bidstore.errors import OfferUnknown, ProposalUnknown, TradeNotSigned, TradeSignatureCount
from bidstore.trade import check_trade

SEED = b"seed"


@pytest.fixture
def pair(market):
    """One sale and one purchase that match, and their ids."""
    sale, purchase = market.sale(100_000), market.purchase(200_000)
    return sale, purchase, *market.post(sale, purchase)


def test_a_trade_settles_end_to_end(market, pair) -> None:
    sale, purchase, _, _ = pair
    (proposal,) = market.store.clear(5, SEED)
    assert (proposal.sell, proposal.buy, proposal.sell_id, proposal.buy_id) == pair
    assert (proposal.price_nano_per_wh, proposal.energy_wh, proposal.amount_nano) == (150_000, 100, 15_000_000)
    for offer in (sale, purchase):
        check_trade(offer, proposal.transact, market.ledger.grid.interval_s)
    market.ledger.submit([market.complete(proposal)])[0].require()
    created = issued(proposal.transact.outputs, digest(market.ledger.domain, proposal.transact))
    assert {n.note.owner for n in created} == {sale.deliver_to, sale.pay_to, purchase.deliver_to, purchase.pay_to}
    assert all(market.ledger.status(n.id) is NoteStatus.UNSPENT for n in created)
    assert all(market.ledger.status(n.id) is NoteStatus.SPENT for n in (*sale.notes, *purchase.notes))


def test_every_pair_of_a_class_gets_the_one_price(market) -> None:
    market.post(*(market.sale(limit) for limit in (10, 20, 30, 40)))
    market.post(*(market.purchase(limit) for limit in (45, 35, 25, 15)))
    proposals = market.store.clear(5, SEED)
    assert [p.price_nano_per_wh for p in proposals] == [27, 27]
    receipts = market.ledger.submit([market.complete(p) for p in proposals])
    assert all(receipt.accepted for receipt in receipts)


def test_classes_are_cleared_apart_and_only_for_the_interval_in_which_they_start(market) -> None:
    small = {"power_w": 400}, {"power_w": 800}, {"end": 6}, {"start": 6, "end": 6}
    for place, kind in enumerate(small):
        market.post(market.sale(100 + place, **kind), market.purchase(100 + place, **kind))
    prices = {p.sell.note_class: p.price_nano_per_wh for p in market.store.clear(5, SEED)}
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
    assert [s.offer for s in market.store.open_offers(dear.note_class)] == [dear]
    assert market.store.clear(5, SEED) == []
    market.post(market.purchase(400))
    assert [p.sell for p in market.store.clear(5, SEED)] == [dear]


def test_what_is_matched_is_not_matched_again(market, pair) -> None:
    assert len(market.store.clear(5, SEED)) == 1
    market.post(market.purchase())
    assert market.store.clear(5, SEED) == []


@pytest.mark.parametrize("index", [0, 1])
def test_a_note_spent_between_posting_and_clearing_drops_its_offer_with_the_reason(market, pair, index: int) -> None:
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


def test_the_other_notes_of_a_dropped_offer_are_free_again(market, pair) -> None:
    _, purchase, _, _ = pair
    market.spend(purchase.energy)
    market.store.clear(5, SEED)
    market.post(replace(market.purchase(), money=purchase.money))


# --- Completing --------------------------------------------------------------------------------------------


def test_a_wrong_signature_is_named_and_the_proposal_still_stands(market, pair) -> None:
    (proposal,) = market.store.clear(5, SEED)
    approvals = market.approvals(proposal)
    right = [approvals[o] for o in proposal.transact.owners]
    for place, owner in enumerate(proposal.transact.owners):
        wrong = [*right]
        wrong[place] = right[place - 1]
        with pytest.raises(TradeNotSigned) as refused:
            market.store.complete(proposal, wrong)
        assert refused.value.args == (owner,)
    with pytest.raises(TradeSignatureCount):
        market.store.complete(proposal, right[:-1])
    market.store.complete(proposal, right)


def test_a_proposal_that_the_store_did_not_make_is_not_completed(market, pair) -> None:
    (proposal,) = market.store.clear(5, SEED)
    approvals = market.approvals(proposal)
    with pytest.raises(ProposalUnknown):
        market.store.complete(replace(proposal, price_nano_per_wh=1), list(approvals.values()))


def test_who_did_not_sign_is_dropped_and_the_other_side_returns_to_the_book(market, pair) -> None:
    sale, _, sell_id, buy_id = pair
    (proposal,) = market.store.clear(5, SEED)
    approvals = market.approvals(proposal)
    del approvals[proposal.buy.energy.note.owner]
    market.store.abandon(proposal, approvals)
    assert market.store.standing(sell_id).status is Status.OPEN
    silent = market.store.standing(buy_id)
    assert silent == Standing(Status.DROPPED, "its owner did not sign the matched trade")
    with pytest.raises(ProposalUnknown):
        market.complete(proposal)
    market.post(market.purchase())
    (again,) = market.store.clear(5, SEED)
    assert again.sell == sale
    market.ledger.submit([market.complete(again)])[0].require()


def test_a_forged_signature_counts_as_none(market, pair) -> None:
    _, _, sell_id, buy_id = pair
    (proposal,) = market.store.clear(5, SEED)
    approvals = dict.fromkeys(proposal.transact.owners, bytes(65))
    market.store.abandon(proposal, approvals)
    assert {market.store.standing(i).status for i in (sell_id, buy_id)} == {Status.DROPPED}


def test_when_the_ledger_refuses_a_completed_trade_the_honest_side_returns_to_the_book(market, pair) -> None:
    sale, _, sell_id, buy_id = pair
    (proposal,) = market.store.clear(5, SEED)
    signed = market.complete(proposal)
    market.spend(sale.energy)
    assert market.ledger.submit([signed])[0].refusal == NoteSpent(sale.energy.id)
    market.store.abandon(proposal, market.approvals(proposal))
    assert "no longer unspent" in market.store.standing(sell_id).reason
    assert market.store.standing(buy_id).status is Status.OPEN


def test_a_proposal_ends_with_its_offers(market, pair) -> None:
    _, _, sell_id, _ = pair
    (proposal,) = market.store.clear(5, SEED)
    market.ledger.advance_to(market.ledger.grid.end_s(5))
    with pytest.raises(ProposalUnknown):
        market.complete(proposal)
    with pytest.raises(OfferUnknown):
        market.store.standing(sell_id)


def test_the_store_forgets_what_has_lapsed(market, pair) -> None:
    market.store.clear(5, SEED)
    market.ledger.advance_to(market.ledger.grid.end_s(5))
    market.store.challenge()
    assert market.store.open_offers(pair[0].note_class) == ()
    for kept in (market.store._records, market.store._holder, market.store._lapses, market.store._proposals):
        assert not kept


def test_a_store_shows_no_reason_with_an_id_or_address(market, pair) -> None:
    sale, _, sell_id, _ = pair
    market.spend(sale.energy)
    market.store.clear(5, SEED)
    reason = market.store.standing(sell_id).reason
    assert "0x" not in reason
    assert sale.energy.id.hex() not in reason


# --- The same for everybody --------------------------------------------------------------------------------


def outcome(market, offers, seed: bytes):
    """Who traded with whom at which price, by the owners of the energy notes."""
    market.post(*offers)
    return sorted(
        (p.sell.energy.note.owner, p.buy.energy.note.owner, p.price_nano_per_wh) for p in market.store.clear(5, seed)
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
        results.append(outcome(market, data.draw(st.permutations(offers)), seed))
    assert all(a == b for a, b in pairwise(results))

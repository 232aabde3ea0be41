"""What the book takes and what it refuses; a refusal leaves everything as it was."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.keys import ZERO_ADDRESS, Address
from assets.notes import MAX_QUANTITY
from assets.orders import MAX_MONEY, Side, sign_order
from assets.transactions import Domain
from bidstore import errors
from bidstore.book import Standing, Status
from bidstore.posting import Posting, class_of, sign_posting


def pick(market, order, **changes):
    """The order with changes, correctly signed by whoever owns its notes."""
    return market.sign(replace(order, **changes))


def moved(order, **changes):
    """The order's energy note with other fields than the ledger knows."""
    return replace(order.energy, note=replace(order.energy.note, **changes))


def pick_raw(market, **changes):
    """An order with the signatures of the sound one, for what cannot be signed."""
    return alter(market.sign(market.sale()), **changes)


def alter(posting, **changes):
    """The posting's order changed after it was signed."""
    return replace(posting, signed=replace(posting.signed, order=replace(posting.signed.order, **changes)))


def resign(posting, signatures):
    """The posting's order with other signatures."""
    return replace(posting, signed=replace(posting.signed, signatures=signatures))


def pick_energy(market, **changes):
    order = market.sale()
    return pick(market, order, energy=moved(order, **changes))


def pick_money(market, amounts):
    order = market.purchase()
    return pick(
        market,
        order,
        money=tuple(
            replace(order.money[0], index=i, note=replace(order.money[0].note, quantity=amount))
            for i, amount in enumerate(amounts)
        ),
    )


def pick_twice(market):
    order = market.purchase()
    return pick(market, order, money=order.money * 2)


def stolen(market):
    """Somebody else's note, signed by the thief."""
    order, thief, domain = market.sale(), market.source.fresh(), market.ledger.domain
    return sign_posting(domain, sign_order(domain, order, thief), market.store.challenge(), thief)


def seen(market):
    """Somebody else's signed order, read on the ledger or at another store, and posted by a stranger."""
    signed = market.sign(market.sale()).signed
    return sign_posting(market.ledger.domain, signed, market.store.challenge(), market.source.fresh())


def nobodys(market):
    """An unrecoverable signature gives the zero address, which must not pass for an owner."""
    posting = market.sign(market.sale())
    energy = moved(posting.signed.order, owner=ZERO_ADDRESS)
    return replace(resign(alter(posting, energy=energy), (bytes(65),)), signature=bytes(65))


def elsewhere(market):
    order, domain = market.sale(), Domain(32, market.ledger.domain.contract)
    key = market.keys[order.energy.note.owner]
    return sign_posting(domain, sign_order(domain, order, key), market.store.challenge(), key)


def spent(market, order, index):
    market.spend(order.notes[index])
    return market.sign(order)


def cancelled(market):
    order = replace(market.sale(), nonce=255)
    market.cancel(order)
    return market.sign(order)


REFUSED = {
    "a side that is none": (errors.MalformedOrder, lambda m: pick(m, m.sale(), side=3)),
    "a short address": (errors.MalformedOrder, lambda m: pick_raw(m, deliver_to=Address(bytes(19)))),
    "a negative limit": (errors.MalformedOrder, lambda m: pick_raw(m, limit_nano_per_wh=-1)),
    "a short challenge": (errors.ChallengeUnknown, lambda m: replace(m.sign(m.sale()), challenge=bytes(31))),
    "a short signature": (errors.MalformedOrder, lambda m: resign(m.sign(m.sale()), (bytes(64),))),
    "no watts": (errors.MalformedOrder, lambda m: pick_energy(m, quantity=0)),
    "fractional energy": (errors.MalformedOrder, lambda m: pick_energy(m, quantity=401)),
    "a span that ends before it starts": (
        errors.MalformedOrder,
        lambda m: pick_raw(m, energy=moved(m.sale(), start=9, end=5)),
    ),
    "energy for nobody": (errors.ZeroAddress, lambda m: pick(m, m.sale(), deliver_to=ZERO_ADDRESS)),
    "money for nobody": (errors.ZeroAddress, lambda m: pick(m, m.sale(), pay_to=ZERO_ADDRESS)),
    "an order from the past": (errors.OrderExpired, lambda m: pick(m, m.sale(), expires_s=m.ledger.now_s)),
    "energy for nothing": (errors.LimitOutOfRange, lambda m: pick(m, m.sale(), limit_nano_per_wh=0)),
    "a price that no note holds": (
        errors.LimitOutOfRange,
        lambda m: pick(m, m.sale(), limit_nano_per_wh=MAX_QUANTITY // 100 + 1),
    ),
    "a seller with an ECA note": (errors.WrongKind, lambda m: pick(m, m.purchase(), side=Side.SELL, money=())),
    "a buyer with an EPA note": (errors.WrongKind, lambda m: pick(m, m.sale(), side=Side.BUY)),
    "energy as money": (
        errors.WrongKind,
        lambda m: pick(m, m.purchase(), money=(m.purchase().energy,)),
    ),
    "a seller with money": (errors.UnexpectedMoney, lambda m: pick_raw(m, money=m.purchase().money)),
    "a buyer without money": (errors.NotEnoughMoney, lambda m: pick(m, m.purchase(), money=())),
    "a nano-unit too little": (
        errors.NotEnoughMoney,
        lambda m: m.sign(m.purchase(200_000, money_nano=(19_999_999,))),
    ),
    "more money than one note holds": (errors.TooMuchMoney, lambda m: pick_money(m, [MAX_QUANTITY, 1])),
    "too many notes": (
        errors.TooManyOffered,
        lambda m: pick_raw(m, side=Side.BUY, money=m.purchase().money * (MAX_MONEY + 1)),
    ),
    "the same money twice": (errors.NoteNamedTwice, pick_twice),
    "a made-up challenge": (errors.ChallengeUnknown, lambda m: m.sign(m.sale(), bytes(32))),
    "no signature": (errors.SignatureCountWrong, lambda m: resign(m.sign(m.sale()), ())),
    "a signature too many": (
        errors.SignatureCountWrong,
        lambda m: resign(m.sign(m.sale()), (bytes(65),) * 2),
    ),
    "a stolen note": (errors.ForeignSignature, stolen),
    "a note of nobody with a signature of nobody": (errors.ForeignSignature, nobodys),
    "an order for another ledger": (errors.ForeignSignature, elsewhere),
    "a signature for other terms": (
        errors.ForeignSignature,
        lambda m: alter(m.sign(m.sale()), pay_to=m.address()),
    ),
    "somebody else's order": (errors.ForeignSignature, seen),
    "a posting for another challenge": (
        errors.ForeignSignature,
        lambda m: replace(m.sign(m.sale()), challenge=m.store.challenge()),
    ),
    "the order's own signature as the posting's": (
        errors.ForeignSignature,
        lambda m: (lambda p: replace(p, signature=p.signed.signatures[0]))(m.sign(m.sale())),
    ),
    "a cancelled order": (errors.Cancelled, cancelled),
    "a note that never was": (
        errors.NoteUnknown,
        lambda m: pick(m, m.sale(), energy=replace(m.sale().energy, index=7)),
    ),
    "a note with more watts than it has": (errors.NoteUnknown, lambda m: pick_energy(m, quantity=800)),
    "a spent energy note": (errors.NoteGone, lambda m: spent(m, m.sale(), 0)),
    "spent money": (errors.NoteGone, lambda m: spent(m, m.purchase(), 1)),
}


def view(market, ids):
    """Everything that the store shows, and holds."""
    store = market.store
    return (
        {i: store.standing(i) for i in ids},
        {c: store.open_orders(c) for c in (class_of(store._records[i].signed.order) for i in ids)},
        dict(store._holder),
        sorted(store._lapses),
        dict(store._challenges._issued_s),
    )


@pytest.mark.parametrize("name", REFUSED)
def test_an_order_is_refused_with_its_reason(market, name: str) -> None:
    refusal, make = REFUSED[name]
    market.post(market.sale())
    signed = make(market)
    before = dict(market.store._records), dict(market.store._holder), dict(market.store._challenges._issued_s)
    with pytest.raises(refusal) as refused:
        market.store.post(signed)
    assert type(refused.value) is refusal
    assert refusal.advice in str(refused.value)
    assert before == (market.store._records, market.store._holder, market.store._challenges._issued_s)


def test_every_reason_to_refuse_an_order_is_tested() -> None:
    elsewhere_tested = {errors.NoteOnOffer, errors.DeliveryOver}
    assert {refusal for refusal, _ in REFUSED.values()} | elsewhere_tested == {
        kind for kind in errors.OrderRefused.__subclasses__() if kind.__module__ == errors.__name__
    }


def test_a_good_order_is_open_under_its_id(market) -> None:
    sale = market.sale()
    (order_id,) = market.post(sale)
    assert market.store.standing(order_id).status is Status.OPEN
    assert [signed.order for signed in market.store.open_orders(class_of(sale))] == [sale]


def test_the_most_money_notes_are_taken(market) -> None:
    purchase = market.purchase(
        1, money_nano=(1,) * (MAX_MONEY - 1) + (100,), owners=(market.address(),) * (MAX_MONEY + 1)
    )
    market.post(purchase)
    market.post(market.sale(1))
    (receipt,) = market.store.settle(market.store.clear(5, b"seed"))
    receipt.require()


def test_money_for_exactly_the_limit_is_enough(market) -> None:
    market.post(market.purchase(200_000, money_nano=(20_000_000,)))


def test_a_posting_cannot_be_replayed(market) -> None:
    signed = market.sign(market.sale())
    market.store.post(signed)
    with pytest.raises(errors.ChallengeUnknown):
        market.store.post(signed)


def test_a_dropped_order_may_be_posted_again_and_lapses_once(market) -> None:
    sale, purchase = market.sale(), market.purchase()
    ids = market.post(sale, purchase)
    market.store.abandon(market.store.clear(5, b"seed"))
    market.store._leave(ids[0], Standing(Status.DROPPED, "a reason"))
    assert market.post(sale) == ids[:1]
    market.ledger.advance_to(sale.expires_s)
    assert market.store.open_orders(class_of(sale)) == ()
    assert not market.store._holder


def test_a_challenge_is_good_for_one_posting_only(market) -> None:
    challenge = market.store.challenge()
    market.store.post(market.sign(market.sale(), challenge))
    with pytest.raises(errors.ChallengeUnknown):
        market.store.post(market.sign(market.sale(), challenge))


def test_a_refused_order_does_not_use_its_challenge_up(market) -> None:
    signed = market.sign(market.sale())
    with pytest.raises(errors.ForeignSignature):
        market.store.post(resign(signed, (bytes(65),)))
    market.store.post(signed)


def test_a_challenge_gets_too_old(market) -> None:
    sale = market.sale()
    signed = market.sign(sale)
    market.ledger.advance_to(market.ledger.now_s + 600)
    with pytest.raises(errors.ChallengeUnknown):
        market.store.post(signed)
    market.post(sale)


def test_a_note_is_on_offer_once(market) -> None:
    sale = market.sale()
    market.post(sale)
    with pytest.raises(errors.NoteOnOffer):
        market.post(replace(sale, limit_nano_per_wh=1))


def test_money_is_on_offer_once(market) -> None:
    purchase = market.purchase()
    market.post(purchase)
    with pytest.raises(errors.NoteOnOffer):
        market.post(replace(market.purchase(), money=purchase.money))


def test_a_note_may_be_offered_again_when_its_order_has_expired(market) -> None:
    sale = market.sale()
    early = replace(sale, expires_s=market.ledger.now_s + 10)
    (first,) = market.post(early)
    market.ledger.advance_to(early.expires_s)
    assert market.store.open_orders(class_of(sale)) == ()
    with pytest.raises(errors.OrderUnknown):
        market.store.standing(first)
    (again,) = market.post(sale)
    assert market.store.standing(again).status is Status.OPEN


def test_energy_of_the_past_is_refused(market) -> None:
    sale = replace(market.sale(end=6), expires_s=2**40)
    grid = market.ledger.grid
    market.ledger.advance_to(grid.end_s(6) - 1)
    market.post(sale)
    late = replace(market.sale(end=6), expires_s=2**40)
    market.ledger.advance_to(grid.end_s(6))
    assert market.store.open_orders(class_of(sale)) == ()  # lapsed with its delivery, whatever it says
    with pytest.raises(errors.DeliveryOver):
        market.post(late)


def test_the_book_is_shown_in_an_order_without_arrival(market) -> None:
    sales = [market.sale() for _ in range(8)]
    ids = market.post(*sales)
    shown = [s.order for s in market.store.open_orders(class_of(sales[0]))]
    assert shown == [order for _, order in sorted(zip(ids, sales, strict=True), key=lambda pair: pair[0])]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(sorted(REFUSED)), st.just("good"), st.just("replay")), max_size=8))
def test_whatever_is_refused_leaves_the_book_as_it_was(open_market, names) -> None:
    market = open_market()
    good: list[Posting] = []
    ids: list[bytes] = []
    for name in names:
        if name == "good" or (name == "replay" and not good):
            good.append(market.sign(market.sale() if len(good) % 2 else market.purchase()))
            ids.append(market.store.post(good[-1]))
            continue
        signed = good[0] if name == "replay" else REFUSED[name][1](market)
        before = view(market, ids)
        with pytest.raises(errors.OrderRefused):
            market.store.post(signed)
        assert view(market, ids) == before
    assert sum(market.store.standing(i).status is Status.OPEN for i in ids) == len(good)

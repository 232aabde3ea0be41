"""What the book takes and what it refuses; a refusal leaves everything as it was."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.keys import ZERO_ADDRESS, Address
from assets.notes import MAX_QUANTITY
from assets.transactions import Domain
from bidstore import errors
from bidstore.admission import MAX_MONEY
from bidstore.book import Status
from bidstore.offer import Side, SignedOffer, sign_offer


def pick(market, offer, **changes):
    """The offer with changes, correctly signed by whoever owns its notes."""
    return market.sign(replace(offer, **changes))


def moved(offer, **changes):
    """The offer's energy note with other fields than the ledger knows."""
    return replace(offer.energy, note=replace(offer.energy.note, **changes))


def pick_raw(market, **changes):
    """An offer that has no digest: with the signatures of the sound one."""
    signed = market.sign(market.sale())
    return replace(signed, offer=replace(signed.offer, **changes))


def pick_energy(market, **changes):
    offer = market.sale()
    return pick(market, offer, energy=moved(offer, **changes))


def pick_money(market, amounts):
    offer = market.purchase()
    return pick(
        market,
        offer,
        money=tuple(
            replace(offer.money[0], index=i, note=replace(offer.money[0].note, quantity=amount))
            for i, amount in enumerate(amounts)
        ),
    )


def pick_twice(market):
    offer = market.purchase()
    return pick(market, offer, money=offer.money * 2)


def stolen(market):
    """Somebody else's note, signed by the thief."""
    offer = market.sale()
    return sign_offer(market.ledger.domain, offer, market.store.challenge(), market.source.fresh())


def nobodys(market):
    """An unrecoverable signature gives the zero address, which must not pass for an owner."""
    signed = market.sign(market.sale())
    energy = moved(signed.offer, owner=ZERO_ADDRESS)
    return replace(signed, offer=replace(signed.offer, energy=energy), signatures=(bytes(65),))


def elsewhere(market):
    offer = market.sale()
    key = market.keys[offer.energy.note.owner]
    return sign_offer(Domain(32, market.ledger.domain.contract), offer, market.store.challenge(), key)


def altered(market):
    signed = market.sign(market.sale())
    return replace(signed, offer=replace(signed.offer, pay_to=market.address()))


def spent(market, offer, index):
    market.spend(offer.notes[index])
    return market.sign(offer)


REFUSED = {
    "a side that is none": (errors.MalformedOffer, lambda m: pick(m, m.sale(), side=3)),
    "a short address": (errors.MalformedOffer, lambda m: pick_raw(m, deliver_to=Address(bytes(19)))),
    "a negative limit": (errors.MalformedOffer, lambda m: pick_raw(m, limit_nano_per_wh=-1)),
    "a short challenge": (errors.MalformedOffer, lambda m: replace(m.sign(m.sale()), challenge=bytes(31))),
    "no watts": (errors.MalformedOffer, lambda m: pick_energy(m, quantity=0)),
    "fractional energy": (errors.MalformedOffer, lambda m: pick_energy(m, quantity=401)),
    "a span that ends before it starts": (errors.MalformedOffer, lambda m: pick_energy(m, start=9, end=5)),
    "energy for nobody": (errors.ZeroAddress, lambda m: pick(m, m.sale(), deliver_to=ZERO_ADDRESS)),
    "money for nobody": (errors.ZeroAddress, lambda m: pick(m, m.sale(), pay_to=ZERO_ADDRESS)),
    "an offer from the past": (errors.OfferExpired, lambda m: pick(m, m.sale(), expires_s=m.ledger.now_s)),
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
    "a seller with money": (errors.UnexpectedMoney, lambda m: pick(m, m.sale(), money=m.purchase().money)),
    "a buyer without money": (errors.NotEnoughMoney, lambda m: pick(m, m.purchase(), money=())),
    "a nano-unit too little": (
        errors.NotEnoughMoney,
        lambda m: m.sign(m.purchase(200_000, money_nano=(19_999_999,))),
    ),
    "more money than one note holds": (errors.TooMuchMoney, lambda m: pick_money(m, [MAX_QUANTITY, 1])),
    "too many notes": (errors.TooManyOffered, lambda m: pick_raw(m, side=Side.BUY, money=m.purchase().money * 255)),
    "the same money twice": (errors.NoteNamedTwice, pick_twice),
    "a made-up challenge": (errors.ChallengeUnknown, lambda m: m.sign(m.sale(), bytes(32))),
    "no signature": (errors.SignatureCountWrong, lambda m: replace(m.sign(m.sale()), signatures=())),
    "a signature too many": (
        errors.SignatureCountWrong,
        lambda m: replace(m.sign(m.sale()), signatures=m.sign(m.sale()).signatures * 2),
    ),
    "a stolen note": (errors.ForeignSignature, stolen),
    "a note of nobody with a signature of nobody": (errors.ForeignSignature, nobodys),
    "an offer for another ledger": (errors.ForeignSignature, elsewhere),
    "a signature for other terms": (errors.ForeignSignature, altered),
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
        {o.note_class: store.open_offers(o.note_class) for o in (market.store._records[i].signed.offer for i in ids)},
        dict(store._holder),
        sorted(store._lapses),
        dict(store._challenges._issued_s),
    )


@pytest.mark.parametrize("name", REFUSED)
def test_an_offer_is_refused_with_its_reason(market, name: str) -> None:
    refusal, make = REFUSED[name]
    market.post(market.sale())
    signed = make(market)
    before = dict(market.store._records), dict(market.store._holder), dict(market.store._challenges._issued_s)
    with pytest.raises(refusal) as refused:
        market.store.post(signed)
    assert type(refused.value) is refusal
    assert refusal.advice in str(refused.value)
    assert before == (market.store._records, market.store._holder, market.store._challenges._issued_s)


def test_every_reason_to_refuse_an_offer_is_tested() -> None:
    elsewhere_tested = {errors.NoteOnOffer, errors.DeliveryOver}
    assert {refusal for refusal, _ in REFUSED.values()} | elsewhere_tested == set(errors.OfferRefused.__subclasses__())


def test_a_good_offer_is_open_under_its_id(market) -> None:
    sale = market.sale()
    (offer_id,) = market.post(sale)
    assert market.store.standing(offer_id).status is Status.OPEN
    assert [signed.offer for signed in market.store.open_offers(sale.note_class)] == [sale]


def test_the_most_money_notes_are_taken(market) -> None:
    purchase = market.purchase(
        1, money_nano=(1,) * (MAX_MONEY - 1) + (100,), owners=(market.address(),) * (MAX_MONEY + 1)
    )
    market.post(purchase)
    market.post(market.sale(1))
    (proposal,) = market.store.clear(5, b"seed")
    market.ledger.submit([market.complete(proposal)])[0].require()


def test_money_for_exactly_the_limit_is_enough(market) -> None:
    market.post(market.purchase(200_000, money_nano=(20_000_000,)))


def test_a_posting_cannot_be_replayed(market) -> None:
    signed = market.sign(market.sale())
    market.store.post(signed)
    with pytest.raises(errors.ChallengeUnknown):
        market.store.post(signed)


def test_a_challenge_is_good_for_one_offer_only(market) -> None:
    challenge = market.store.challenge()
    market.store.post(market.sign(market.sale(), challenge))
    with pytest.raises(errors.ChallengeUnknown):
        market.store.post(market.sign(market.sale(), challenge))


def test_a_refused_offer_does_not_use_its_challenge_up(market) -> None:
    signed = market.sign(market.sale())
    with pytest.raises(errors.ForeignSignature):
        market.store.post(replace(signed, signatures=(bytes(65),)))
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


def test_a_note_may_be_offered_again_when_its_offer_has_expired(market) -> None:
    sale = market.sale()
    early = replace(sale, expires_s=market.ledger.now_s + 10)
    (first,) = market.post(early)
    market.ledger.advance_to(early.expires_s)
    assert market.store.open_offers(sale.note_class) == ()
    with pytest.raises(errors.OfferUnknown):
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
    assert market.store.open_offers(sale.note_class) == ()  # lapsed with its delivery, whatever it says
    with pytest.raises(errors.DeliveryOver):
        market.post(late)


def test_the_book_is_shown_in_an_order_without_arrival(market) -> None:
    sales = [market.sale() for _ in range(8)]
    ids = market.post(*sales)
    shown = [s.offer for s in market.store.open_offers(sales[0].note_class)]
    assert shown == [offer for _, offer in sorted(zip(ids, sales, strict=True), key=lambda pair: pair[0])]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(sorted(REFUSED)), st.just("good"), st.just("replay")), max_size=8))
def test_whatever_is_refused_leaves_the_book_as_it_was(open_market, names) -> None:
    market = open_market()
    good: list[SignedOffer] = []
    ids: list[bytes] = []
    for name in names:
        if name == "good" or (name == "replay" and not good):
            good.append(market.sign(market.sale() if len(good) % 2 else market.purchase()))
            ids.append(market.store.post(good[-1]))
            continue
        signed = good[0] if name == "replay" else REFUSED[name][1](market)
        before = view(market, ids)
        with pytest.raises(errors.OfferRefused):
            market.store.post(signed)
        assert view(market, ids) == before
    assert sum(market.store.standing(i).status is Status.OPEN for i in ids) == len(good)

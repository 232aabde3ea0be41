"""Signed orders: what settles, what fails alone, what nobody can do; on the specification and on the contract alike."""

from dataclasses import replace

import pytest

from assets import errors
from assets.intervals import IntervalGrid
from assets.keys import ZERO_ADDRESS, recover_address
from assets.ledger import SpecLedger
from assets.notes import Kind, Note, issued
from assets.orders import Fill, Side, order_digest
from assets.port import NoteStatus
from assets.transactions import Authorisation, Cancel, Settle, Signed, Withdraw, digest, sign
from contracts.ledger import EvmLedger


def settle(world, *fills):
    return world.submit(Signed(Settle(fills), ()))


def refused(world, fill, expected):
    """Submits one fill, expects this refusal and no effect."""
    before = world.ledger.entries()
    receipt = settle(world, fill)
    assert receipt.refusal == expected
    assert receipt.fills == (expected,)
    assert world.ledger.entries() == before


def outputs(world, fill):
    return issued(fill.outputs(world.grid.interval_s), digest(world.domain, Settle((fill,))))


def test_a_fill_swaps_energy_for_money(either):
    notes = either.market()
    fill = either.fill(notes)
    receipt = settle(either, fill)
    assert receipt.accepted
    assert receipt.fills == (None,)
    energy, demand, proceeds, change = outputs(either, fill)
    carol = either.carol.address
    assert energy.note == Note(Kind.EPA, carol, 1000, 2, 3)
    assert demand.note == Note(Kind.ECA, carol, 1000, 2, 3)
    assert (proceeds.note.quantity, change.note.quantity) == (4000, 1000)  # 2000 Wh at 2
    assert [either.ledger.status(n.id) for n in notes] == [NoteStatus.SPENT] * 3
    assert [either.ledger.status(n.id) for n in (energy, demand, proceeds, change)] == [NoteStatus.UNSPENT] * 4
    assert either.ledger.entries()[-1].signed == Signed(Settle((fill,)), ())
    moved = either.transact([energy], [either.epa(1000, 2, 3)], either.carol)
    either.submit(moved).require()


def test_a_wrong_fill_fails_alone(either):
    notes = either.market()
    good, again = either.fill(notes), either.fill(notes)
    receipt = settle(either, either.fill(notes, price=3), good, again)
    assert receipt.accepted
    over, settled, spent = receipt.fills
    assert over == errors.PriceLimit(order_digest(either.domain, good.buy.order), 2, 3)
    assert settled is None
    assert spent == errors.NoteSpent(notes[0].id)
    assert receipt.digest == digest(either.domain, Settle((good,)))
    assert either.ledger.entries()[-1].signed.tx == Settle((good,))
    refused(either, good, errors.NoteSpent(notes[0].id))


def test_a_part_is_traded_where_both_orders_allow_it(either):
    notes = either.market()
    part = either.fill(notes, power_w=400)
    sell_id, buy_id = (order_digest(either.domain, o.order) for o in (part.sell, part.buy))
    refused(either, part, errors.FillSize(sell_id, 1000, 1000, 400))
    allowed = {"least_w": 300, "keep_at": either.bob.address}
    refused(either, either.fill(notes, power_w=400, sell=allowed), errors.FillSize(buy_id, 1000, 1000, 400))
    less = either.fill(notes, power_w=299, sell=allowed, buy=allowed)
    refused(either, less, errors.FillSize(order_digest(either.domain, less.sell.order), 300, 1000, 299))
    homeless = either.fill(notes, power_w=400, sell={"least_w": 1}, buy=allowed)
    refused(either, homeless, errors.ZeroOwner(4))
    fill = either.fill(notes, power_w=400, sell=allowed, buy=allowed)
    assert settle(either, fill).accepted
    rest = outputs(either, fill)[4:]
    assert [(n.note.kind, n.note.owner, n.note.quantity) for n in rest] == [
        (Kind.EPA, either.bob.address, 600),
        (Kind.ECA, either.bob.address, 600),
    ]
    assert [either.ledger.status(n.id) for n in rest] == [NoteStatus.UNSPENT] * 2


def test_nothing_and_more_than_the_notes_hold_are_refused(either):
    notes = either.market()
    fill = either.fill(notes)
    sell_id = order_digest(either.domain, fill.sell.order)
    refused(either, replace(fill, power_w=1001), errors.FillSize(sell_id, 1000, 1000, 1001))
    refused(either, replace(fill, power_w=0), errors.FillSize(sell_id, 1000, 1000, 0))


def test_neither_limit_can_be_passed(either):
    notes = either.market()
    fill = either.fill(notes, buy={"limit": 5})
    sell_id, buy_id = (order_digest(either.domain, o.order) for o in (fill.sell, fill.buy))
    refused(either, replace(fill, price_nano_per_wh=0), errors.PriceLimit(sell_id, 1, 0))
    refused(either, replace(fill, price_nano_per_wh=6), errors.PriceLimit(buy_id, 5, 6))
    refused(either, replace(fill, price_nano_per_wh=3), errors.Unfunded(buy_id, 6000, 5000))


def test_a_sale_for_nothing_creates_no_worthless_note(either):
    energy, demand, money = either.market()
    sell = either.order(Side.SELL, energy, limit=0)
    buy = either.order(Side.BUY, demand, (money,), limit=0)
    refused(either, Fill(sell, buy, 1000, 0), errors.BadQuantity(2, 0))


def test_the_money_covers_the_price_exactly_or_leaves_change(either):
    notes = either.market(amount_nano=4000)
    fill = either.fill(notes)
    assert settle(either, fill).accepted
    assert len(outputs(either, fill)) == 3


def test_an_expired_order_is_void(either):
    notes = either.market()
    now_s = either.ledger.now_s
    for late in ("sell", "buy"):
        fill = either.fill(notes, **{late: {"expires_s": now_s - 10}})
        receipt = settle(either, fill)
        order = getattr(fill, late).order
        assert receipt.refusal == errors.OrderExpired(order_digest(either.domain, order), now_s - 10, receipt.time_s)


def test_a_cancelled_order_is_void_and_its_neighbours_stand(either):
    notes = either.market()
    cancel = Cancel(either.alice.address, 1 << 7)
    assert either.submit(sign(either.domain, cancel, either.bob)).refusal == errors.BadSignature(
        either.alice.address, either.bob.address
    )
    assert either.submit(sign(either.domain, replace(cancel, nonces=0), either.alice)).refusal == (
        errors.EmptyTransaction()
    )
    assert either.submit(sign(either.domain, cancel)).refusal == errors.SignatureCount(1, 0)
    either.submit(sign(either.domain, cancel, either.alice)).require()
    assert either.ledger.entries()[-1].signed.tx == cancel
    void = either.fill(notes, sell={"nonce": 7})
    refused(either, void, errors.OrderCancelled(order_digest(either.domain, void.sell.order)))
    assert settle(either, either.fill(notes, sell={"nonce": 6}, buy={"nonce": 7})).accepted
    either.submit(sign(either.domain, Cancel(either.alice.address, 2**256 - 1), either.alice)).require()


def test_only_the_right_kinds_are_offered(either):
    energy, demand, money = either.market()
    sell, buy = either.order(Side.SELL, energy), either.order(Side.BUY, demand, (money,), limit=2)
    swapped = either.order(Side.SELL, demand)
    refused(either, Fill(swapped, buy, 1000, 2), errors.WrongKind(demand.id, 1, 2))
    no_demand = either.order(Side.BUY, money, (money,), limit=2)
    refused(either, Fill(sell, no_demand, 1000, 2), errors.WrongKind(money.id, 2, 3))
    no_money = either.order(Side.BUY, demand, (money, energy), limit=2)
    refused(either, Fill(sell, no_money, 1000, 2), errors.WrongKind(energy.id, 3, 1))


def test_energy_for_other_intervals_does_not_match(either):
    energy, demand, money = either.market()
    (other,) = either.issue(either.eca(1000, 2, 2, owner=either.bob), meter=either.OTHER_METER)
    fill = either.fill((energy, other, money))
    ids = [order_digest(either.domain, o.order) for o in (fill.sell, fill.buy)]
    refused(either, fill, errors.SpanMismatch(*ids))
    assert demand.note.end == 3


def test_every_owner_signs_each_order(either):
    energy, demand, money = either.market()
    forged = either.order(Side.SELL, energy, key=either.bob)
    buy = either.order(Side.BUY, demand, (money,), limit=2)
    refused(either, Fill(forged, buy, 1000, 2), errors.BadSignature(either.alice.address, either.bob.address))
    unsigned = replace(forged, signatures=())
    refused(either, Fill(unsigned, buy, 1000, 2), errors.SignatureCount(1, 0))
    (mine,) = either.issue(either.fa(5000))
    not_hers = either.order(Side.BUY, demand, (mine,), limit=2, key=either.bob)
    sell = either.order(Side.SELL, energy)
    refused(either, Fill(sell, not_hers, 1000, 2), errors.SignatureCount(2, 1))


@pytest.mark.parametrize(
    "field", ["deliver_to", "pay_to", "limit_nano_per_wh", "expires_s", "least_w", "keep_at", "nonce"]
)
def test_whoever_matches_changes_nothing_of_an_order(either, field):
    fill = either.fill(either.market())
    order = fill.buy.order
    value = getattr(order, field)
    changed = replace(order, **{field: either.alice.address if isinstance(value, bytes) else value ^ 1})
    signature = fill.buy.signatures[0]
    recovered = recover_address(order_digest(either.domain, changed), signature)
    redirected = replace(fill, buy=replace(fill.buy, order=changed))
    assert settle(either, redirected).refusal == errors.BadSignature(either.bob.address, recovered)


def test_an_order_names_nobody_as_its_receiver_in_vain(either):
    notes = either.market()
    for index, change in enumerate(
        [
            {"buy": {"deliver_to": ZERO_ADDRESS}},
            {"sell": {"deliver_to": ZERO_ADDRESS}},
            {"sell": {"pay_to": ZERO_ADDRESS}},
        ]
    ):
        refused(either, either.fill(notes, **change), errors.ZeroOwner(index))
    refused(either, either.fill(notes, buy={"pay_to": ZERO_ADDRESS}), errors.ZeroOwner(3))


def test_unknown_and_repeated_notes_are_refused(either):
    energy, demand, money = either.market()
    forged = replace(energy, index=5)
    refused(either, either.fill((forged, demand, money)), errors.UnknownNote(forged.id))
    twice = Fill(either.order(Side.SELL, energy), either.order(Side.BUY, demand, (money, money), limit=2), 1000, 2)
    refused(either, twice, errors.NoteSpent(money.id))


def test_no_fills_and_too_many_are_refused(either):
    assert settle(either).refusal == errors.EmptyTransaction()
    fill = either.fill(either.market())
    assert settle(either, *[fill] * 65).refusal == errors.TooManyFills(65, 64)
    receipt = settle(either, *[replace(fill, price_nano_per_wh=9)] * 63, fill)
    assert receipt.accepted
    assert [r is None for r in receipt.fills] == [False] * 63 + [True]


def test_an_amount_that_no_note_holds_is_refused(either):
    most = 2**63 - 1
    rich = Authorisation(8, either.bob.address, either.FEEDER, 0, 0, most)
    richer = Authorisation(9, either.bob.address, either.FEEDER, 0, 0, most)
    either.submit(either.regulate(authorise=(rich, richer))).require()
    money = []
    for meter in (8, 9):
        signed = sign(either.domain, Withdraw(meter, 0, 0, (either.fa(most, owner=either.bob),)), either.bob)
        either.submit(signed).require()
        money += issued(signed.tx.outputs, digest(either.domain, signed.tx))
    energy, demand, _ = either.market()
    sell = either.order(Side.SELL, energy)
    buy = either.order(Side.BUY, demand, money, limit=2**54)
    refused(either, Fill(sell, buy, 1000, 1), errors.BadQuantity(3, 2 * most - 2000))
    too_dear = 2**63 // 2000 + 1
    refused(either, Fill(sell, buy, 1000, too_dear), errors.BadQuantity(2, 2000 * too_dear))


def test_a_part_that_gives_fractional_energy_is_refused(chain, either):
    grid = IntervalGrid(either.GENESIS_S, 900)
    evm = EvmLedger.deploy(chain, either.dso.address, grid)
    spec = SpecLedger(evm.domain, grid, either.dso.address, time_s=evm.now_s)
    for world in (type(either)(spec), type(either)(evm)):
        allowed = {"least_w": 1, "keep_at": world.bob.address}
        refused(
            world, world.fill(world.market(), power_w=501, sell=allowed, buy=allowed), errors.FractionalPower(0, 501)
        )


def test_a_settlement_is_signed_by_nobody(either):
    fill = either.fill(either.market())
    with pytest.raises(errors.EncodingError):
        either.submit(Signed(Settle((fill,)), (bytes(65),)))
    with pytest.raises(errors.EncodingError):
        either.submit(Signed(Settle((Fill(fill.buy, fill.sell, 1000, 2),)), ()))

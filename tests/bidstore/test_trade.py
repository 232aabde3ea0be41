"""The joint transaction, and a wallet that signs nothing but what it offered."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.keys import Address, Digest
from assets.ledger import check_balance
from assets.notes import Kind, Note, eca, epa, fa
from bidstore.errors import NotOneTrade, OfferedNoteMissing, OwnNoteTaken, Redirected, TradeRefused, WorsePrice
from bidstore.trade import check_trade, joint_transaction

INTERVAL_S = 900
THIEF = Address(b"\x66" * 20)


@pytest.fixture
def sale(market):
    return market.sale(100_000)


@pytest.fixture
def purchase(market):
    return market.purchase(200_000, money_nano=(15_000_000, 6_000_000))


@pytest.fixture
def trade(sale, purchase):
    return joint_transaction(sale, purchase, 150_000, INTERVAL_S)


def with_output(trade, index: int, note: Note):
    return replace(trade, outputs=(*trade.outputs[:index], note, *trade.outputs[index + 1 :]))


def owned_by(trade, index: int, owner: Address):
    return with_output(trade, index, replace(trade.outputs[index], owner=owner))


# --- What the transaction is -------------------------------------------------------------------------------


def test_the_outputs_go_where_the_offers_say(sale, purchase, trade) -> None:
    assert trade.outputs == (
        epa(purchase.deliver_to, 400, 5, 5),
        eca(sale.deliver_to, 400, 5, 5),
        fa(sale.pay_to, 15_000_000),  # 100 Wh at 150 000
        fa(purchase.pay_to, 6_000_000),
    )
    assert {n.id for n in trade.inputs} == {n.id for n in (*sale.notes, *purchase.notes)}


def test_no_change_note_when_the_money_is_exact(market, sale) -> None:
    purchase = market.purchase(150_000, money_nano=(15_000_000,))
    trade = joint_transaction(sale, purchase, 150_000, INTERVAL_S)
    assert len(trade.outputs) == 3
    check_trade(sale, trade, INTERVAL_S)
    check_trade(purchase, trade, INTERVAL_S)


def test_a_span_is_paid_for_every_interval(market) -> None:
    sale, purchase = market.sale(start=5, end=8), market.purchase(start=5, end=8)
    trade = joint_transaction(sale, purchase, 150_000, INTERVAL_S)
    assert trade.outputs[2].amount_nano == 4 * 100 * 150_000


def test_each_owner_signs_once(market, sale) -> None:
    first, second = market.address(), market.address()
    purchase = market.purchase(money_nano=(10_000_000, 5_000_000, 6_000_000), owners=(first, second, first, second))
    assert purchase.owners == (first, second, first, second)
    trade = joint_transaction(sale, purchase, 150_000, INTERVAL_S)
    assert trade.owners == (sale.energy.note.owner, first, second)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_price_between_the_limits_balances_and_satisfies_both_wallets(open_market, data) -> None:
    market = open_market()
    power_w, intervals = data.draw(st.integers(1, 50)) * 4, data.draw(st.integers(1, 4))
    low, high = sorted(data.draw(st.tuples(*[st.integers(1, 10**6)] * 2)))
    needed = high * power_w // 4 * intervals
    money = data.draw(st.sampled_from([(needed,), (needed + 7,), (1, needed)]))
    span = {"power_w": power_w, "start": 5, "end": 4 + intervals}
    sale, purchase = market.sale(low, **span), market.purchase(high, money_nano=money, **span)
    trade = joint_transaction(sale, purchase, data.draw(st.integers(low, high)), INTERVAL_S)
    check_balance([n.note for n in trade.inputs], trade.outputs)
    check_trade(sale, trade, INTERVAL_S)
    check_trade(purchase, trade, INTERVAL_S)


@pytest.mark.parametrize("price", [0, 99_999, 200_001])
def test_a_price_beyond_a_limit_is_the_callers_mistake(sale, purchase, price: int) -> None:
    with pytest.raises(ValueError, match="between the two limits"):
        joint_transaction(sale, purchase, price, INTERVAL_S)


def test_two_sales_or_two_classes_are_the_callers_mistake(market, sale, purchase) -> None:
    for sell, buy in ((sale, sale), (purchase, sale), (sale, market.purchase(start=6, end=6))):
        with pytest.raises(ValueError, match="one note class"):
            joint_transaction(sell, buy, 150_000, INTERVAL_S)


def test_money_that_does_not_cover_the_price_is_the_callers_mistake(sale, purchase) -> None:
    with pytest.raises(ValueError, match="does not cover"):
        joint_transaction(sale, replace(purchase, money=purchase.money[:1]), 200_000, INTERVAL_S)


# --- What a wallet refuses to sign -------------------------------------------------------------------------


def test_both_wallets_accept_the_honest_transaction(sale, purchase, trade) -> None:
    check_trade(sale, trade, INTERVAL_S)
    check_trade(purchase, trade, INTERVAL_S)


@pytest.mark.parametrize("index", [1, 2])
def test_a_seller_sees_redirected_outputs(sale, trade, index: int) -> None:
    with pytest.raises(Redirected, match="take what is yours"):
        check_trade(sale, owned_by(trade, index, THIEF), INTERVAL_S)


@pytest.mark.parametrize("index", [0, 3])
def test_a_buyer_sees_redirected_outputs(purchase, trade, index: int) -> None:
    with pytest.raises(Redirected):
        check_trade(purchase, owned_by(trade, index, THIEF), INTERVAL_S)


def test_a_worse_price_is_refused_by_whom_it_hurts(sale, purchase) -> None:
    low = joint_transaction(replace(sale, limit_nano_per_wh=1), purchase, 99_999, INTERVAL_S)
    with pytest.raises(WorsePrice) as refused:
        check_trade(sale, low, INTERVAL_S)
    assert refused.value.args == (100_000, 99_999)
    check_trade(purchase, low, INTERVAL_S)
    high = joint_transaction(sale, replace(purchase, limit_nano_per_wh=210_000), 200_001, INTERVAL_S)
    with pytest.raises(WorsePrice):
        check_trade(purchase, high, INTERVAL_S)
    check_trade(sale, high, INTERVAL_S)


def test_the_limit_itself_is_good_enough(sale, purchase) -> None:
    check_trade(sale, joint_transaction(sale, purchase, 100_000, INTERVAL_S), INTERVAL_S)
    check_trade(purchase, joint_transaction(sale, purchase, 200_000, INTERVAL_S), INTERVAL_S)


def test_another_note_of_the_same_owner_is_not_given_away(market, sale, trade) -> None:
    (extra,) = market.withdraw(fa(sale.energy.note.owner, 1))
    taken = replace(trade, inputs=(*trade.inputs, extra))
    taken = with_output(taken, 3, fa(THIEF, trade.outputs[3].quantity + 1))
    with pytest.raises(OwnNoteTaken):
        check_trade(sale, taken, INTERVAL_S)


def test_an_offered_note_is_an_input_exactly_once(sale, purchase, trade) -> None:
    for inputs in (trade.inputs[1:], (trade.inputs[0], *trade.inputs)):
        with pytest.raises(OfferedNoteMissing):
            check_trade(sale, replace(trade, inputs=inputs), INTERVAL_S)
    with pytest.raises(OfferedNoteMissing):
        check_trade(purchase, replace(trade, inputs=trade.inputs[:-1]), INTERVAL_S)


def test_nothing_is_taken_between_two_offers_that_share_an_address(market) -> None:
    """One home sells and buys, with one address for all money: each side alone must see its own output."""
    purse = market.address()
    sale = replace(market.sale(), pay_to=purse)
    purchase = replace(market.purchase(money_nano=(30_000_000,)), pay_to=purse)
    trade = joint_transaction(sale, purchase, 150_000, INTERVAL_S)
    check_trade(sale, trade, INTERVAL_S)
    check_trade(purchase, trade, INTERVAL_S)
    for index, robbed in ((2, sale), (3, purchase)):
        with pytest.raises(Redirected):
            check_trade(robbed, owned_by(trade, index, THIEF), INTERVAL_S)


def broken_forms(market, trade):
    """Transactions that are no trade, each with what is wrong with it."""
    proceeds, change = trade.outputs[2:]
    foreign = market.withdraw(epa(market.address(), 400, 5, 5))[0]
    yield "a second EPA note", replace(trade, inputs=(*trade.inputs, foreign))
    unknown = replace(foreign, note=replace(foreign.note, kind=9))
    yield "an input of an unknown kind", replace(trade, inputs=(*trade.inputs, unknown))
    yield "swapped outputs", replace(trade, outputs=(trade.outputs[1], trade.outputs[0], proceeds, change))
    yield "a fifth output", replace(trade, outputs=(*trade.outputs[:3], fa(THIEF, 1), fa(change.owner, 5_999_999)))
    yield "no proceeds", replace(trade, outputs=trade.outputs[:2])
    yield "another power", with_output(trade, 0, replace(trade.outputs[0], quantity=404))
    yield "another interval", with_output(trade, 1, replace(trade.outputs[1], start=6, end=6))
    yield "too little change", with_output(trade, 3, replace(change, quantity=change.quantity - 1))
    yield (
        "a fractional price",
        replace(
            trade,
            outputs=(
                *trade.outputs[:2],
                replace(proceeds, quantity=proceeds.quantity + 1),
                replace(change, quantity=change.quantity - 1),
            ),
        ),
    )
    yield (
        "an empty note",
        replace(trade, outputs=(*trade.outputs[:2], fa(proceeds.owner, 21_000_000), fa(change.owner, 0))),
    )
    yield "a memo", replace(trade, memo=Digest(b"\x01" * 32))
    yield "an input that cannot be", replace(trade, inputs=(*trade.inputs, replace(foreign, index=-1)))
    yield "an unknown kind", with_output(trade, 2, replace(proceeds, kind=9))


def test_neither_wallet_signs_what_is_not_one_trade(market, sale, purchase, trade) -> None:
    for _what, broken in broken_forms(market, trade):
        for offer in (sale, purchase):
            with pytest.raises(NotOneTrade):
                check_trade(offer, broken, INTERVAL_S)


def test_a_seller_does_not_take_a_permit_of_another_class(market, sale, trade) -> None:
    """It balances, and a permit of another interval would be worthless to the seller."""
    (later,) = market.withdraw(eca(market.address(), 400, 6, 6))
    inputs = tuple(later if n.note.kind == Kind.ECA else n for n in trade.inputs)
    other = with_output(replace(trade, inputs=inputs), 1, replace(trade.outputs[1], start=6, end=6))
    check_balance([n.note for n in other.inputs], other.outputs)
    with pytest.raises(NotOneTrade, match="class"):
        check_trade(sale, other, INTERVAL_S)


def test_a_buyer_does_not_join_somebody_elses_money(market, purchase, trade) -> None:
    (foreign,) = market.withdraw(fa(market.address(), 100))
    joined = with_output(
        replace(trade, inputs=(*trade.inputs, foreign)), 3, fa(purchase.pay_to, trade.outputs[3].quantity + 100)
    )
    with pytest.raises(NotOneTrade, match="somebody else's money"):
        check_trade(purchase, joined, INTERVAL_S)


def test_a_wallet_does_not_sign_for_another_ones_trade(market, trade) -> None:
    with pytest.raises(OfferedNoteMissing):
        check_trade(market.sale(), trade, INTERVAL_S)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_a_store_proposes_what_both_wallets_accept_takes_nothing(open_market, data) -> None:
    """A store that lies at random: any outputs over the offers' addresses and a thief's."""
    market = open_market()
    sale, purchase = market.sale(2), market.purchase(4, money_nano=(500,))
    honest = joint_transaction(sale, purchase, 3, INTERVAL_S)
    anyone = st.sampled_from([sale.deliver_to, sale.pay_to, purchase.deliver_to, purchase.pay_to, THIEF])
    kinds = st.sampled_from([Kind.EPA, Kind.ECA, Kind.FA])
    amounts = st.sampled_from([0, 100, 200, 300, 400, 500])
    notes = st.one_of(
        st.sampled_from(honest.outputs),
        st.builds(lambda o, k, q: fa(o, q) if k is Kind.FA else Note(k, o, 400, 5, 5), anyone, kinds, amounts),
    )
    outputs = tuple(data.draw(st.tuples(notes, notes) | st.lists(notes, min_size=2, max_size=5)))
    proposed = replace(honest, outputs=tuple(honest.outputs[:2]) + outputs if data.draw(st.booleans()) else outputs)
    try:
        check_trade(sale, proposed, INTERVAL_S)
        check_trade(purchase, proposed, INTERVAL_S)
    except TradeRefused:
        return
    assert all(note.owner != THIEF for note in proposed.outputs)
    paid = sum(n.quantity for n in proposed.outputs if n.kind == Kind.FA and n.owner == sale.pay_to)
    assert 200 <= paid <= 400
    check_balance([n.note for n in proposed.inputs], proposed.outputs)

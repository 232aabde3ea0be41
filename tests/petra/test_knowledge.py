"""Planted leaks: each must show in the table, or the table is worthless."""

from dataclasses import replace

import pytest

from assets.keys import ThrowAwayKeys
from assets.notes import epa, issued
from assets.port import Entry
from assets.transactions import Domain, Signed, Transact, Withdraw, digest
from bidstore.posting import Posting
from mixer import envelope
from mixer.protocol import Phase
from petra.boards import MixLog, links
from petra.inbox import BID_STORE, DSO
from petra.knowledge import Observer, learn
from petra.summary import owners_of_addresses, who_learnt_what

KEYS = ThrowAwayKeys(1, "knowledge tests")
DOMAIN = Domain(1, KEYS.fresh().address)
READER = Observer("ledger readers")


def address():
    return KEYS.fresh().address


class Story:
    """A ledger written by hand, and the truth about its addresses."""

    def __init__(self):
        self.entries, self.truth = [], {}

    def add(self, tx, *homes):
        for note, home in zip(tx.outputs, homes, strict=True):
            self.truth[note.owner] = home
        entry = Entry(len(self.entries), 0, digest(DOMAIN, tx), Signed(tx, ()))
        self.entries.append(entry)
        return issued(tx.outputs, entry.digest)

    def withdraw(self, home):
        (note,) = self.add(Withdraw(home, 0, 0, (epa(address(), 100, 0, 0),)), home)
        return note

    def mix(self, notes):
        outputs = tuple(epa(address(), 100, 0, 0) for _ in notes)
        return self.add(Transact(tuple(notes), outputs, memo=b"\x01" * 32), *range(1, len(notes) + 1))

    def deposit(self, note, home):
        self.add(Transact((note,), (epa(address(), 100, 0, 0),)), home)


def test_a_deposit_without_a_mix_is_named():
    story = Story()
    story.deposit(story.withdraw(1), 1)
    assert learn(READER, story.entries, story.truth).deposits_named == 1


def test_a_deposit_after_a_mix_is_not_named():
    story = Story()
    first, _ = story.mix([story.withdraw(1), story.withdraw(2)])
    story.deposit(first, 1)
    assert learn(READER, story.entries, story.truth).deposits_named == 0


def test_in_a_mix_of_two_each_peer_names_the_other():
    story = Story()
    first, second = story.mix([story.withdraw(1), story.withdraw(2)])
    story.deposit(first, 1)
    story.deposit(second, 2)
    neighbour = Observer("home 2", own=frozenset({2}))
    assert learn(neighbour, story.entries, story.truth).deposits_named == 1


def test_an_offer_that_names_a_withdrawn_address_betrays_the_mixed_one(small_run):
    """If a wallet offered a mixed note and asked for delivery to an address tied to its meter, the store would know."""
    truth = owners_of_addresses(small_run)
    home, offers = next(
        (truth[m.signed.order.energy.note.owner], m)
        for m in small_run.grid.inboxes.received(BID_STORE)
        if isinstance(m, Posting)
        and any(m.signed in (t.fill.sell, t.fill.buy) for market in small_run.markets for t in market.trades)
    )
    withdrawn = next(
        note.owner
        for entry in small_run.entries
        if isinstance(entry.signed.tx, Withdraw) and entry.signed.tx.meter == home
        for note in entry.signed.tx.outputs
    )
    order = replace(offers.signed.order, deliver_to=withdrawn)
    leaky = replace(offers, signed=replace(offers.signed, order=order))
    seen = learn(Observer(BID_STORE, received=[leaky]), small_run.entries, truth)
    assert seen.sellers_named + seen.buyers_named >= 1
    clean = learn(Observer(BID_STORE, received=[offers]), small_run.entries, truth)
    assert clean.sellers_named + clean.buyers_named == 0


def test_a_message_with_one_output_in_the_clear_links_its_sender(small_run):
    log = small_run.grid.mix_logs[0]
    truth = owners_of_addresses(small_run)
    assert links([log], truth) == {}
    shown = log.mix.tx.outputs[0].owner
    key = KEYS.fresh()
    leak = envelope.seal(b"\0" * 32, 0, Phase.SHUFFLE, 3, b"\0" * 32, b"xx" + shown, key).encoded
    sender = truth[log.session.owners[3]]
    assert links([MixLog(log.session, (*log.posts, leak), log.mix)], truth) == {shown: frozenset({sender})}


def test_a_link_from_the_board_names_the_trade(small_run):
    truth = owners_of_addresses(small_run)
    trade = next(t for market in small_run.markets for t in market.trades)
    seller = trade.fill.sell.order.energy.note.owner
    board = Observer("board", linked={seller: frozenset({truth[seller]})})
    assert learn(board, small_run.entries, truth).sellers_named == 1


def test_nobody_names_a_trader_in_an_honest_run(small_run):
    homes = len(small_run.grid.homes)
    for row in who_learnt_what(small_run):
        assert row.trades > 0
        assert (row.sellers_named, row.buyers_named, row.deposits_named) == (0, 0, 0), row.observer
        hidden_among = homes - 1 if row.observer.startswith("home ") else homes
        assert row.smallest_seller_set == row.smallest_buyer_set == hidden_among


def test_the_dso_gets_totals_and_no_reading(small_run):
    dso = next(row for row in who_learnt_what(small_run) if row.observer == DSO)
    assert (dso.bills, dso.readings) == (6, 0)


def test_all_see_the_limits_of_settled_orders_and_only_the_bid_store_those_of_others(small_run):
    settled = 2 * sum(len(market.trades) for market in small_run.markets)
    for row in who_learnt_what(small_run):
        if row.observer == BID_STORE:
            assert row.limit_prices > settled
        elif not row.observer.startswith("home "):
            assert row.limit_prices == settled


def test_readings_that_reach_an_observer_are_counted(small_run):
    curious = Observer(DSO, received=small_run.bills)
    assert learn(curious, small_run.entries, owners_of_addresses(small_run)).readings == len(small_run.bills)


@pytest.mark.parametrize("home", [1, 4])
def test_a_homes_own_trades_do_not_count(small_run, home):
    truth = owners_of_addresses(small_run)
    trades = [t for market in small_run.markets for t in market.trades]
    own = sum(
        home in (truth[t.fill.sell.order.energy.note.owner], truth[t.fill.buy.order.energy.note.owner]) for t in trades
    )
    row = learn(Observer(f"home {home}", own=frozenset({home})), small_run.entries, truth)
    assert row.trades == len(trades) - own

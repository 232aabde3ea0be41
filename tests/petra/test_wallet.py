from dataclasses import replace

import pytest

from assets.intervals import IntervalGrid
from assets.keys import ThrowAwayKeys, recover_address
from assets.notes import IssuedNote, Kind, eca, epa, fa, issued
from assets.orders import Fill, Order, Side, order_digest
from assets.port import Entry
from assets.transactions import Domain, Settle, Signed, Withdraw, digest
from petra.wallet import Purpose, Wallet

GRID = IntervalGrid(0, 3600)
KEYS = ThrowAwayKeys(1, "wallet tests")
DOMAIN = Domain(1, KEYS.fresh().address)


def wallet_with_a_note():
    wallet = Wallet(DOMAIN, GRID, ThrowAwayKeys(2, "wallet"))
    owner = wallet.fresh_address(Purpose.WITHDRAWN, 7)
    tx = Withdraw(1, 0, 7, (epa(owner, 100, 7, 7), epa(KEYS.fresh().address, 100, 7, 7)))
    wallet.follow([Entry(0, 0, digest(DOMAIN, tx), Signed(tx, ()))])
    return wallet


def test_a_wallet_finds_its_own_notes_in_the_whole_ledger():
    wallet = wallet_with_a_note()
    (note,) = wallet.notes(Purpose.WITHDRAWN, 7, Kind.EPA)
    assert note.note.owner in wallet.uses


def test_a_note_is_found_by_purpose_window_and_kind_only():
    wallet = wallet_with_a_note()
    assert wallet.notes(Purpose.MIXED, 7, Kind.EPA) == []
    assert wallet.notes(Purpose.WITHDRAWN, 8, Kind.EPA) == []
    assert wallet.notes(Purpose.WITHDRAWN, 7, Kind.ECA) == []


def test_a_note_that_moved_is_gone():
    wallet = wallet_with_a_note()
    (note,) = wallet.notes(Purpose.WITHDRAWN, 7, Kind.EPA)
    moved = wallet.move(note, KEYS.fresh().address)
    wallet.follow([Entry(1, 0, digest(DOMAIN, moved.tx), moved)])
    assert wallet.notes(Purpose.WITHDRAWN, 7, Kind.EPA) == []


def test_a_gap_in_the_ledger_is_refused_and_changes_nothing():
    wallet = wallet_with_a_note()
    (note,) = wallet.notes(Purpose.WITHDRAWN, 7, Kind.EPA)
    moved = wallet.move(note, KEYS.fresh().address)
    with pytest.raises(ValueError, match="expected ledger entry 1, got 2"):
        wallet.follow([Entry(2, 0, digest(DOMAIN, moved.tx), moved)])
    assert wallet.notes(Purpose.WITHDRAWN, 7, Kind.EPA) == [note]


def test_addresses_are_never_handed_out_twice():
    wallet = Wallet(DOMAIN, GRID, ThrowAwayKeys(3, "wallet"))
    addresses = [wallet.fresh_address(Purpose.MIXED, 0) for _ in range(50)]
    assert len(set(addresses)) == 50


def test_a_foreign_key_is_not_there():
    with pytest.raises(KeyError):
        Wallet(DOMAIN, GRID, ThrowAwayKeys(4, "wallet")).key(KEYS.fresh().address)


def order_of(wallet):
    bought, money = (wallet.fresh_address(Purpose.MIXED, 7) for _ in range(2))
    origin = DOMAIN.separator
    return Order(
        side=Side.BUY,
        energy=IssuedNote(eca(bought, 100, 7, 7), origin, 1),
        money=(IssuedNote(fa(money, 100 * 200), origin, 2),),
        limit_nano_per_wh=200,
        deliver_to=KEYS.fresh().address,
        pay_to=KEYS.fresh().address,
        expires_s=10**9,
        least_w=100,
    )


def test_a_wallet_signs_an_order_for_all_its_notes_and_the_posting_for_its_energy():
    wallet = Wallet(DOMAIN, GRID, ThrowAwayKeys(5, "wallet"))
    order = order_of(wallet)
    posting = wallet.post(order, b"\1" * 32)
    message = order_digest(DOMAIN, order)
    assert [recover_address(message, s) for s in posting.signed.signatures] == list(order.owners)
    assert posting.signed.order == order


def test_a_wallet_does_not_sign_for_a_foreign_note():
    order = order_of(Wallet(DOMAIN, GRID, ThrowAwayKeys(5, "wallet")))
    with pytest.raises(KeyError):
        Wallet(DOMAIN, GRID, ThrowAwayKeys(6, "wallet")).post(order, b"\1" * 32)


def test_what_a_settlement_creates_and_spends_is_followed():
    seller, buyer = (Wallet(DOMAIN, GRID, ThrowAwayKeys(n, "wallet")) for n in (7, 8))
    buy = order_of(buyer)
    sold = IssuedNote(epa(seller.fresh_address(Purpose.MIXED, 7), 100, 7, 7), DOMAIN.separator, 0)
    paid = seller.fresh_address(Purpose.MIXED, 7)
    sell = Order(Side.SELL, sold, (), 1, KEYS.fresh().address, paid, 10**9, 100)
    issue = Withdraw(1, 0, 7, (sold.note, *(n.note for n in buy.notes)))
    created = issued(issue.outputs, digest(DOMAIN, issue))
    sell, buy = replace(sell, energy=created[0]), replace(buy, energy=created[1], money=created[2:])
    signed = [w.post(o, b"\1" * 32).signed for w, o in ((seller, sell), (buyer, buy))]
    settle = Settle((Fill(*signed, 100, 150),))
    entries = [Entry(i, 0, digest(DOMAIN, tx), Signed(tx, ())) for i, tx in enumerate((issue, settle))]
    seller.follow(entries[:1])
    assert seller.notes(Purpose.MIXED, 7, Kind.EPA) == [created[0]]
    seller.follow(entries[1:])
    assert seller.notes(Purpose.MIXED, 7, Kind.EPA) == []
    (proceeds,) = seller.notes(Purpose.MIXED, 7, Kind.FA)
    assert proceeds.note == fa(paid, 100 * 150)

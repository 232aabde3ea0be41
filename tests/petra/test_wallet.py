import pytest

from assets.keys import ZERO_ADDRESS, ThrowAwayKeys
from assets.notes import IssuedNote, Kind, eca, epa, fa
from assets.port import Entry
from assets.transactions import Domain, Signed, Transact, Withdraw, digest
from bidstore.errors import WorsePrice
from bidstore.offer import Offer, Side
from bidstore.trade import joint_transaction
from petra.wallet import Purpose, Wallet

KEYS = ThrowAwayKeys(1, "wallet tests")
DOMAIN = Domain(1, KEYS.fresh().address)


def wallet_with_a_note():
    wallet = Wallet(DOMAIN, ThrowAwayKeys(2, "wallet"))
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
    wallet = Wallet(DOMAIN, ThrowAwayKeys(3, "wallet"))
    addresses = [wallet.fresh_address(Purpose.MIXED, 0) for _ in range(50)]
    assert len(set(addresses)) == 50


def test_a_foreign_key_is_not_there():
    with pytest.raises(KeyError):
        Wallet(DOMAIN, ThrowAwayKeys(4, "wallet")).key(KEYS.fresh().address)


def test_a_wallet_signs_for_the_notes_of_its_offer_and_for_no_other():
    """A lying store puts another note of the same home on the counterpart's side: that note gets no signature."""
    wallet = Wallet(DOMAIN, ThrowAwayKeys(5, "wallet"))
    sold, bought, money = (wallet.fresh_address(Purpose.MIXED, 7) for _ in range(3))
    origin = DOMAIN.separator
    sell = Offer(
        side=Side.SELL,
        energy=IssuedNote(epa(sold, 100, 7, 7), origin, 0),
        money=(),
        limit_nano_per_wh=100,
        deliver_to=KEYS.fresh().address,
        pay_to=KEYS.fresh().address,
        expires_s=10**9,
    )
    buy = Offer(
        side=Side.BUY,
        energy=IssuedNote(eca(bought, 100, 7, 7), origin, 1),
        money=(IssuedNote(fa(money, 100 * 200), origin, 2),),
        limit_nano_per_wh=200,
        deliver_to=KEYS.fresh().address,
        pay_to=KEYS.fresh().address,
        expires_s=10**9,
    )
    trade = joint_transaction(sell, buy, 150, 3600)
    assert set(wallet.approve(sell, trade, 3600)) == {sold}
    assert set(wallet.approve(buy, trade, 3600)) == {bought, money}


def test_a_wallet_does_not_sign_what_pays_less_than_its_offer():
    wallet = Wallet(DOMAIN, ThrowAwayKeys(6, "wallet"))
    origin = DOMAIN.separator
    sell = Offer(
        side=Side.SELL,
        energy=IssuedNote(epa(wallet.fresh_address(Purpose.MIXED, 7), 100, 7, 7), origin, 0),
        money=(),
        limit_nano_per_wh=160,
        deliver_to=KEYS.fresh().address,
        pay_to=KEYS.fresh().address,
        expires_s=10**9,
    )
    cheap = Transact(
        (
            sell.energy,
            IssuedNote(eca(KEYS.fresh().address, 100, 7, 7), origin, 1),
            IssuedNote(fa(ZERO_ADDRESS, 15_000), origin, 2),
        ),
        (epa(KEYS.fresh().address, 100, 7, 7), eca(sell.deliver_to, 100, 7, 7), fa(sell.pay_to, 15_000)),
    )
    with pytest.raises(WorsePrice):
        wallet.approve(sell, cheap, 3600)

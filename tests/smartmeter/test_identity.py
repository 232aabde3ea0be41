"""The keystore, the signing seam and derived deposit addresses."""

import hmac
import json
import pickle
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.hashing import keccak
from assets.intervals import IntervalGrid
from assets.keys import Address, Signer, SigningKey, ThrowAwayKeys, recover_address
from assets.ledger import SpecLedger
from assets.notes import epa, issued
from assets.transactions import Authorisation, Domain, FeederCapacity, PriceChange, Regulate, Transact, digest, sign
from smartmeter.identity import (
    GAP,
    LIGHT_N,
    DepositSeed,
    DerivedAddresses,
    KeystoreError,
    load_secret,
    save_secret,
)
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet

SECRET = bytes(range(1, 33))
GRID, DOMAIN = IntervalGrid(3600, 3600), Domain(1, Address(bytes(19) + b"\x01"))


def test_a_keystore_gives_its_secret_back_for_the_passphrase_only(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    save_secret(path, SECRET, "correct", LIGHT_N)
    stored = json.loads(path.read_text())
    assert stored["version"] == 3
    assert stored["crypto"]["kdf"] == "scrypt"
    assert SECRET.hex() not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(path, "correct") == SECRET
    with pytest.raises(KeystoreError, match="wrong passphrase"):
        load_secret(path, "wrong")
    with pytest.raises(KeystoreError, match="never overwritten"):
        save_secret(path, bytes(31) + b"\x05", "other", LIGHT_N)
    assert load_secret(path, "correct") == SECRET
    assert [p.name for p in tmp_path.iterdir()] == ["key.json"]
    (tmp_path / "broken.json").write_text("{}")
    for name in ("broken.json", "none.json"):
        with pytest.raises(KeystoreError, match=name):
            load_secret(tmp_path / name, "correct")


def test_a_key_is_a_signer() -> None:
    signer: Signer = SigningKey(SECRET)
    assert recover_address(bytes(32), signer.sign(bytes(32))) == signer.address


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_addresses_follow_from_seed_window_and_index_alone(window: int, index: int) -> None:
    assert DepositSeed(SECRET).address(window, index) == DepositSeed(SECRET).address(window, index)
    others = [
        DepositSeed(SECRET[::-1]).address(window, index),
        DepositSeed(SECRET).address(window, (index + 1) % 2**32),
    ]
    assert DepositSeed(SECRET).address(window, index) not in others


def test_nobody_has_a_key_to_a_deposit_address_so_that_no_deposit_is_made_twice() -> None:
    """The wallet shares the seed, and the meter credits whatever arrives at one of its addresses."""
    assert not hasattr(DepositSeed(SECRET), "key")
    place = (5).to_bytes(4, "big") + (2).to_bytes(4, "big") + bytes(1)
    derived = hmac.digest(SECRET, b"petra deposit" + place, "sha256")
    assert DepositSeed(SECRET).address(5, 2) == keccak(derived)[12:]
    assert DepositSeed(SECRET).address(5, 2) != SigningKey(derived).address


def test_a_seed_does_not_show_itself() -> None:
    seed = DepositSeed(SECRET)
    assert SECRET.hex() not in repr(seed) + repr(DerivedAddresses(seed))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(seed)
    with pytest.raises(ValueError, match="32 bytes") as caught:
        DepositSeed(SECRET[:31])
    assert SECRET[:31].hex() not in str(caught.value)


def test_a_restored_book_finds_every_address_and_hands_none_out_twice() -> None:
    book = DerivedAddresses(DepositSeed(SECRET))
    given_out = [book.fresh(window) for window in (0, 0, 3) for _ in range(GAP)]
    assert len(set(given_out)) == 3 * GAP
    restored = DerivedAddresses(DepositSeed(SECRET))
    restored.watch(range(4))
    assert [restored.window_of(a) for a in given_out] == [0] * 2 * GAP + [3] * GAP
    assert restored.fresh(0) not in given_out
    assert restored.window_of(Address(bytes(20))) is None


def test_a_meter_restored_from_its_seed_counts_the_same_deposits() -> None:
    keys = ThrowAwayKeys(1, "test")
    dso, meter_key = keys.fresh(), keys.fresh()
    ledger = SpecLedger(DOMAIN, GRID, dso.address, time_s=0)
    rules = Regulate(
        0, (FeederCapacity(1, 1000, 1000),), (Authorisation(0, meter_key.address, 1, 500, 500, 10**6),), (), (),
        (PriceChange(3600, 240_000, 90_000),),
    )  # fmt: skip
    ledger.submit([sign(DOMAIN, rules, dso)])[0].require()

    def meter(book: DerivedAddresses) -> Meter:
        return Meter(0, meter_key, book, DOMAIN, GRID, StandardSet(100, 2, 2, 1, 1000), 600)

    first = meter(DerivedAddresses(DepositSeed(SECRET)))
    owners = [keys.fresh() for _ in range(5)]
    signed = first.withdraw(0, 0, [k.address for k in owners])
    ledger.submit([signed])[0].require()
    note = issued(signed.tx.outputs, digest(DOMAIN, signed.tx))[0]
    cuts = [epa(first.deposit_address(0), b - a, 0, 0) for a, b in pairwise((0, 30, 60, 100))]
    ledger.submit([sign(DOMAIN, Transact((note,), tuple(cuts)), owners[0])])[0].require()
    ledger.advance_to(GRID.end_s(0) + 600)
    book = DerivedAddresses(DepositSeed(SECRET))
    book.watch(range(1))
    bills = []
    for one in (first, meter(book)):
        one.follow(ledger.entries(), ledger.now_s)
        one.record_reading(0, 70)
        bills.append(one.bill(0, PriceChange(3600, 240_000, 90_000)))
    assert bills[0] == bills[1]
    assert bills[0].epa_deposited_wh == 100

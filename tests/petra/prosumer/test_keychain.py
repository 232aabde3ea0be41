from pathlib import Path

import pytest

from assets.keys import Address
from petra.prosumer.keychain import AFTER_RESTORE, GapReached, Keychain, Place, Purpose
from petra.prosumer.seed import HomeSeed, SeedPhrase
from petra.prosumer.state import State
from smartmeter.identity import GAP, DepositSeed, DerivedAddresses, OwnerSeed

SEED = HomeSeed(SeedPhrase(b"\x21" * 32))


@pytest.fixture
def state():
    return State(Path(":memory:"), SEED.state_secret)


def test_a_fresh_address_is_known_with_its_place_and_key(state):
    chain = Keychain(SEED, state)
    address = chain.fresh(Purpose.MIXED, 7)
    assert chain.place_of(address) == Place(Purpose.MIXED, 7, 0)
    assert chain.key(address).address == address == SEED.mixed_key(7, 0).address


def test_the_keys_of_deposits_and_of_strangers_are_not_the_wallets(state):
    chain = Keychain(SEED, state)
    for address in (chain.fresh(Purpose.DEPOSIT, 7), Address(b"\x01" * 20)):
        with pytest.raises(KeyError):
            chain.key(address)


def test_deposit_addresses_are_those_that_the_meter_watches(state):
    meter = DerivedAddresses(DepositSeed(SEED.meter_seed))
    meter.watch(range(7, 8))
    assert meter.window_of(Keychain(SEED, state).fresh(Purpose.DEPOSIT, 7)) == 7


def test_what_the_meter_issues_to_is_known_once_its_window_is_watched(state):
    chain = Keychain(SEED, state)
    owner = OwnerSeed(SEED.meter_seed).owners(7, 6)[5]
    assert chain.place_of(owner) is None
    chain.watch(range(7, 8))
    assert chain.place_of(owner) == Place(Purpose.WITHDRAWN, 7, 5)
    assert chain.key(owner).address == owner
    with pytest.raises(ValueError, match="the meter alone"):
        chain.fresh(Purpose.WITHDRAWN, 7)


def test_no_more_are_handed_out_than_a_restore_finds_until_one_is_seen_used(state):
    chain = Keychain(SEED, state)
    handed = [chain.fresh(Purpose.MIXED, 7) for _ in range(GAP)]
    with pytest.raises(GapReached):
        chain.fresh(Purpose.MIXED, 7)
    assert chain.fresh(Purpose.MIXED, 8) not in handed
    assert chain.seen(handed[9]) == Place(Purpose.MIXED, 7, 9)
    assert [chain.place_of(chain.fresh(Purpose.MIXED, 7)).index for _ in range(10)] == list(range(GAP, GAP + 10))
    with pytest.raises(GapReached):
        chain.fresh(Purpose.MIXED, 7)


def test_the_next_process_goes_on_with_the_next_address(tmp_path):
    first = State(tmp_path / "s", SEED.state_secret)
    handed = [Keychain(SEED, first).fresh(Purpose.MIXED, 7) for _ in range(3)]
    first.close()
    assert Keychain(SEED, State(tmp_path / "s", SEED.state_secret)).fresh(Purpose.MIXED, 7) not in handed
    assert len(set(handed)) == 3


def test_what_the_ledger_or_the_public_book_names_is_not_handed_out_again(state):
    chain = Keychain(SEED, state)
    chain.watch([7])
    chain.seen(SEED.mixed_key(7, 4).address)
    assert chain.place_of(chain.fresh(Purpose.MIXED, 7)).index == 5
    chain.reserve(Place(Purpose.DEPOSIT, 7, 2))
    chain.reserve(Place(Purpose.DEPOSIT, 7, 1))
    assert Keychain(SEED, state).fresh(Purpose.DEPOSIT, 7) == chain._address(Place(Purpose.DEPOSIT, 7, 3))


def test_after_a_restore_addresses_that_the_lost_wallet_may_have_named_are_passed_over(state):
    chain = Keychain(SEED, state, restored_window=7)
    assert chain.place_of(chain.fresh(Purpose.DEPOSIT, 7)).index == AFTER_RESTORE
    assert chain.place_of(chain.fresh(Purpose.DEPOSIT, 8)).index == 0


def test_windows_without_addresses_are_refused(state):
    for window in (-1, 2**31):
        with pytest.raises(ValueError, match="delivery intervals"):
            Keychain(SEED, state).watch([window])


def test_a_keychain_shows_no_secret(state):
    chain = Keychain(SEED, state)
    chain.watch([1])
    assert repr(chain) == "Keychain(windows=1)"

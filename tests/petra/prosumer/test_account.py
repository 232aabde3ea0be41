from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.notes import Kind
from petra.prosumer.account import Account
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.state import State
from smartmeter.identity import GAP, DepositSeed, DerivedAddresses
from tests.petra.prosumer.world import GRID, World

WINDOWS = (0, 3)


def restored(home, ledger):
    """What a wallet knows that has nothing but the phrase and the public ledger."""
    chain = Keychain(home.seed, State(Path(":memory:"), home.seed.state_secret))
    account = Account(chain, GRID)
    account.follow(ledger.entries())
    return account


def test_notes_are_found_by_purpose_window_and_kind():
    world = World(2)
    for home in world.homes:
        world.withdraw(home, 3)
    world.mix(world.homes, 3, Kind.EPA)
    account = world.homes[0].account
    assert len(account.notes(Purpose.WITHDRAWN, 3)) == 5
    assert len(account.notes(Purpose.WITHDRAWN, 3, Kind.EPA)) == 1
    (mixed,) = account.notes(Purpose.MIXED, 3)
    assert mixed.note.kind is Kind.EPA
    assert account.notes(Purpose.MIXED, 2) == []
    assert account.windows == [3]


def test_a_spent_note_is_remembered_with_what_spent_it():
    world = World(2)
    home = world.homes[0]
    world.withdraw(home, 3)
    note = home.account.notes(Purpose.WITHDRAWN, 3, Kind.FA)[0]
    world.deposit(home, note, 3)
    assert note not in home.account.notes(Purpose.WITHDRAWN, 3)
    assert home.account.holding(note.id).spent_by == world.ledger.entries()[-1].digest
    (deposited,) = home.account.notes(Purpose.DEPOSIT, 3)
    assert deposited.note.quantity == note.note.quantity


def test_a_gap_in_the_ledger_is_refused_and_changes_nothing():
    world = World(2)
    world.withdraw(world.homes[0], 3)
    account = restored(world.homes[0], world.ledger)
    before = account.holdings()
    with pytest.raises(ValueError, match="expected ledger entry 2, got 0"):
        account.follow(world.ledger.entries())
    assert account.holdings() == before


def test_after_a_restart_everything_is_followed_again():
    world = World(2)
    world.withdraw(world.homes[0], 3)
    account = restored(world.homes[0], world.ledger)
    before = account.holdings()
    account.restart()
    assert account.holdings() == []
    account.follow(world.ledger.entries())
    assert account.holdings() == before


def test_windows_before_the_first_one_asked_for_are_left_out():
    world = World(2)
    for window in WINDOWS:
        world.withdraw(world.homes[0], window)
    home = world.homes[0]
    account = Account(Keychain(home.seed, State(Path(":memory:"), home.seed.state_secret)), GRID, first_window=1)
    account.follow(world.ledger.entries())
    assert account.windows == [3]


def test_foreign_notes_are_not_the_homes():
    world = World(2)
    world.withdraw(world.homes[0], 3)
    assert world.homes[1].account.holdings() == []


def test_notes_at_the_far_end_of_the_gap_are_found():
    """Addresses handed out for mixes that broke off, up to the documented limit, and then again beyond."""
    world = World(2)
    home = world.homes[0]
    for other in world.homes:
        world.withdraw(other, 3)
    for _ in range(GAP - 1):
        home.keychain.fresh(Purpose.MIXED, 3)
    assert world.mix(world.homes, 3, Kind.EPA)
    for _ in range(GAP - 1):
        home.keychain.fresh(Purpose.MIXED, 3)
    assert world.mix(world.homes, 3, Kind.EPA)
    places = {h.place.index for h in restored(home, world.ledger).holdings() if h.place.purpose is Purpose.MIXED}
    assert places == {GAP - 1, 2 * GAP - 1}


homes, windows, kinds = st.integers(0, 2), st.sampled_from(WINDOWS), st.sampled_from(Kind)
wasted = st.sampled_from([0, 1, GAP - 1, GAP, GAP + 1, 2 * GAP])
"""How many addresses are handed out in vain, around what a restore can bridge."""
steps = st.one_of(
    st.tuples(st.just("withdraw"), homes, windows),
    st.tuples(st.just("mix"), st.sets(homes, min_size=2), windows, kinds),
    st.tuples(st.just("broken"), st.sets(homes, min_size=2), windows, kinds, wasted),
    st.tuples(st.just("deposit"), homes, windows, st.integers(0, 11), wasted),
    st.tuples(st.just("trade"), homes, homes, windows),
)


def waste(home, purpose, window, count):
    for _ in range(count):
        home.keychain.fresh(purpose, window)


def play(world, step):
    match step:
        case "withdraw", home, window:
            world.withdraw(world.homes[home], window)
        case "mix", members, window, kind:
            world.mix([world.homes[i] for i in sorted(members)], window, kind)
        case "broken", members, window, kind, count:  # mixes that broke off, before one that did not
            for i in members:
                waste(world.homes[i], Purpose.MIXED, window, count)
            world.mix([world.homes[i] for i in sorted(members)], window, kind)
        case "deposit", home, window, which, count:  # after orders that nobody matched
            of = world.homes[home]
            held = of.account.notes(Purpose.WITHDRAWN, window) + of.account.notes(Purpose.MIXED, window)
            if held:
                waste(of, Purpose.DEPOSIT, window, count)
                world.deposit(of, held[which % len(held)], window)
        case "trade", seller, buyer, window:
            world.trade(world.homes[seller], world.homes[buyer], window)


@settings(max_examples=15)
@given(st.lists(steps, max_size=14))
def test_a_restore_from_phrase_and_ledger_finds_exactly_what_the_lost_wallet_had(history):
    world = World(3)
    for home in world.homes:  # something to mix and trade in every history
        world.withdraw(home, 3)
    for kind in Kind:
        world.mix(world.homes, 3, kind)
    for step in history:
        try:
            play(world, step)
        except ValueError as error:  # the gap's limit: the wallet stops rather than lose
            assert "nothing arrived" in str(error)  # noqa: PT017
    for home in world.homes:
        again = restored(home, world.ledger)
        assert again.holdings() == home.account.holdings()
        assert (again.cursor, again.windows) == (home.account.cursor, home.account.windows)
        meter = DerivedAddresses(DepositSeed(home.seed.meter_seed))
        meter.watch(WINDOWS)
        for holding in again.holdings():  # in the ledger's order, as a meter follows it
            if holding.place.purpose is Purpose.DEPOSIT:
                assert meter.window_of(holding.note.note.owner) == holding.place.window

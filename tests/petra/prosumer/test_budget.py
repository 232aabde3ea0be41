import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.notes import Kind
from petra.prosumer.budget import Observer, in_words
from petra.prosumer.keychain import Purpose
from tests.petra.prosumer.world import GRID, World


@pytest.fixture
def world():
    world = World(3)
    for home in world.homes:
        world.withdraw(home, 3)
    return world


def observed(world):
    observer = Observer(GRID)
    observer.follow(world.ledger.entries())
    return observer


def held(home, kind, purpose=Purpose.MIXED):
    return home.account.notes(purpose, 3, kind)


def test_a_withdrawn_note_is_its_meters_and_a_mixed_one_anybodys(world):
    home = world.homes[0]
    (note, _) = held(home, Kind.EPA, Purpose.WITHDRAWN)
    assert observed(world).exposure([note]).sets == (1,)
    world.mix(world.homes, 3, Kind.EPA)
    exposure = observed(world).exposure(held(home, Kind.EPA))
    assert (exposure.sets, exposure.links) == ((3,), False)
    assert in_words(exposure) == ["EPA of 3600 W, interval 3: one of 3 homes"]


def test_two_mixed_notes_become_linkable_if_spent_together(world):
    home = world.homes[0]
    world.mix(world.homes, 3, Kind.EPA)
    world.mix(world.homes[:2], 3, Kind.ECA)
    exposure = observed(world).exposure(held(home, Kind.EPA) + held(home, Kind.ECA))
    assert (exposure.sets, exposure.together, exposure.links) == ((3, 2), 2, True)
    assert in_words(exposure)[-1] == (
        "these two notes become linkable if spent together: one owner, who is one of 2 homes"
    )


def test_with_a_withdrawn_note_it_is_the_home_that_becomes_known(world):
    home = world.homes[0]
    world.mix(world.homes, 3, Kind.EPA)
    exposure = observed(world).exposure([*held(home, Kind.EPA), held(home, Kind.FA, Purpose.WITHDRAWN)[0]])
    assert exposure.together == 1
    assert in_words(exposure)[-1].endswith("to your home")


def test_two_notes_of_one_meter_are_linked_already(world):
    exposure = observed(world).exposure(held(world.homes[0], Kind.FA, Purpose.WITHDRAWN))
    assert not exposure.links
    assert in_words(exposure)[-1].endswith("tells nothing new")


def test_a_joint_spend_links_and_what_it_links_stays_linked(world):
    home = world.homes[0]
    world.mix(world.homes, 3, Kind.FA)
    world.mix(world.homes[:2], 3, Kind.FA)
    notes = held(home, Kind.FA)
    assert observed(world).exposure(notes).sets == (3, 2)
    world.join(home, notes, 3)
    (deposited,) = home.account.notes(Purpose.DEPOSIT, 3)
    observer = observed(world)
    assert observer.exposure([deposited]).sets == (2,)
    assert not observer.exposure([deposited, *notes]).links


def test_a_trade_links_what_a_buyer_gave_and_what_it_got_and_nothing_across(world):
    seller, buyer = world.homes[:2]
    for kind in Kind:
        world.mix(world.homes, 3, kind)
    assert world.trade(seller, buyer, 3)
    observer = observed(world)
    got = buyer.account.notes(Purpose.DEPOSIT, 3)
    assert {n.note.kind for n in got} == {Kind.EPA, Kind.FA}
    assert not observer.exposure(got).links
    sold = seller.account.notes(Purpose.DEPOSIT, 3)
    assert {n.note.kind for n in sold} == {Kind.ECA, Kind.FA}
    assert not observer.exposure(sold).links
    assert observer.exposure([got[0], sold[0]]).links
    assert observer.exposure(got).sets == (3, 3)


def test_after_a_restart_the_same_is_known(world):
    observer = observed(world)
    note = held(world.homes[0], Kind.FA, Purpose.WITHDRAWN)[0]
    before = observer.trace(note)
    observer.restart()
    assert observer.exposure([note]).sets == (0,)
    observer.follow(world.ledger.entries())
    assert observer.trace(note) == before


def test_no_notes_are_no_question(world):
    with pytest.raises(ValueError, match="at least one note"):
        observed(world).exposure([])


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sets(st.integers(0, 2), min_size=2), st.sampled_from(Kind)), max_size=6), st.data())
def test_the_true_owner_is_always_among_those_whom_the_observer_takes_for_possible(mixes, data):
    world = World(3)
    for home in world.homes:
        world.withdraw(home, 3)
    for members, kind in mixes:
        world.mix([world.homes[i] for i in sorted(members)], 3, kind)
    for home in world.homes:
        notes = held(home, Kind.FA)
        if len(notes) > 1 and data.draw(st.booleans()):
            world.join(home, notes, 3)
    world.trade(world.homes[0], world.homes[1], 3)
    observer = observed(world)
    for home in world.homes:
        for holding in home.account.holdings():
            assert home.number in observer.trace(holding.note).homes

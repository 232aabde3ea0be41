import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from assets.keys import Address
from assets.notes import Kind
from assets.orders import Side, sign_order
from bidstore.posting import NoteClass
from petra.prosumer.account import Account
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.records import OrderFate
from petra.prosumer.restoring import find_orders, last_touched, open_classes
from petra.prosumer.schedule import Schedule
from petra.prosumer.state import State
from tests.petra.prosumer.world import DOMAIN, GRID, World

SCHEDULE = Schedule(GRID, mix_after_s=900, gate_s=720, deposit_after_s=360, deadline_s=1800)


def test_only_windows_whose_members_are_fixed_may_have_been_begun():
    start_s = GRID.start_s(4)  # window 5 is mixed in interval 4
    assert last_touched(SCHEDULE, start_s) == 4
    assert last_touched(SCHEDULE, start_s + 900) == 4
    assert last_touched(SCHEDULE, start_s + 901) == 5
    assert last_touched(SCHEDULE, start_s + 3599) == 5


@pytest.fixture
def traded():
    """Every home has offered one mixed EPA note; what the public book of window 3 has."""
    world = World(3)
    for home in world.homes:
        world.withdraw(home, 3)
    world.mix(world.homes, 3, Kind.EPA)
    orders = []
    for home in world.homes:
        (note,) = home.account.notes(Purpose.MIXED, 3, Kind.EPA)
        order = world.order(home, Side.SELL, note, (), 3)
        orders.append(sign_order(DOMAIN, order, home.keychain.key(note.note.owner)))
    return world, orders


def lost(home, ledger):
    state = State(Path(":memory:"), home.seed.state_secret)
    chain = Keychain(home.seed, state)
    account = Account(chain, GRID)
    account.follow(ledger.entries())
    return account, chain, state


def find(home, world, book):
    account, chain, state = lost(home, world.ledger)
    asked = []

    async def whole(note_class):
        asked.append(note_class)
        return book

    found = asyncio.run(find_orders([NoteClass(3600, 3, 3)], whole, DOMAIN, account, chain, state))
    return found, state, chain, asked


def test_a_restored_wallet_knows_its_own_offers_among_all(traded):
    world, book = traded
    home = world.homes[1]
    found, state, chain, asked = find(home, world, book)
    assert (found.orders, found.read) == (1, 3)
    assert asked == [NoteClass(3600, 3, 3)]
    (order,) = state.orders()
    assert (order.window, order.fate, order.posted_ms) == (3, OrderFate.OPEN, None)
    assert order.deliver_to == book[1].order.deliver_to
    named = {book[1].order.deliver_to, book[1].order.pay_to}
    assert not named & {chain.fresh(Purpose.DEPOSIT, 3) for _ in range(4)}


def test_an_order_that_only_claims_the_homes_note_is_not_its_own(traded):
    world, book = traded
    energy = book[1].order.energy
    forged = replace(energy, note=replace(energy.note, owner=Address(b"\x01" * 20)))
    found, *_ = find(world.homes[1], world, [replace(book[1], order=replace(book[1].order, energy=forged))])
    assert found.orders == 0


def test_what_is_asked_of_the_store_does_not_depend_on_what_the_home_has(traded):
    world, _ = traded
    now_s = GRID.start_s(2) + 100
    asked = [open_classes(lost(home, world.ledger)[0], 3600, SCHEDULE, now_s) for home in world.homes]
    assert asked == [[NoteClass(3600, 3, 3)]] * 3

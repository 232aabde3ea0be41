"""What strangers send to a home's addresses, and orders beyond what a window has addresses for, keep nothing back."""

import asyncio
from types import SimpleNamespace

from assets.keys import Address, Digest
from assets.notes import IssuedNote, Kind, Note
from assets.transactions import Transact
from petra.prosumer.keychain import Purpose
from petra.prosumer.offering import Holdings
from smartmeter.identity import GAP
from tests.petra.prosumer.agent_world import GRID, TIMES, World
from tests.petra.prosumer.test_agent import END_2, ONE, played
from tests.petra.prosumer.test_agent_killed import unspent


def spendable(world, home):
    """The notes that stand at addresses of a home that its meter does not count."""
    places = home.keychain._places
    return [n for n in unspent(world) if n.note.owner in places and places[n.note.owner].purpose is not Purpose.DEPOSIT]


def shower(world, giver, victim, pieces):
    """The giver splits a note of money into ``pieces`` of one nano each, all for one address of the victim."""
    (money,) = giver.agent._account.notes(Purpose.MIXED, 2, Kind.FA)
    (known,) = victim.agent._account.notes(Purpose.MIXED, 2, Kind.FA)
    n = money.note
    dust = [Note(n.kind, known.note.owner, 1, n.start, n.end)] * pieces
    rest = Note(n.kind, n.owner, n.quantity - pieces, n.start, n.end)
    world.submit(Transact((money,), (*dust, rest)), giver.keychain.key(n.owner))


def test_more_strange_notes_than_addresses_keep_no_note_from_its_meter() -> None:
    world = World(-1, 1, 0)
    victim = world.homes[0]
    world.services.down = {"bidstore", "other"}

    async def scene():
        world.start()
        await world.to(TIMES.gate_closes_s(2), windows=ONE)
        shower(world, world.homes[2], victim, GAP + 8)
        await victim.kill()
        world.homes.remove(victim)
        await world.to(TIMES.overdue_s(2) - 28, windows=ONE)
        world.homes.insert(0, victim)
        await world.to(GRID.end_s(6), windows=ONE)
        for home in world.homes:
            await home.kill()

    asyncio.run(scene())
    assert spendable(world, victim) == []
    assert "wallet" not in victim.troubles


def test_more_orders_than_addresses_keep_no_note_from_its_meter() -> None:
    count = GAP // 2 + 2
    world = World(-count, 0, notes=count)
    played(world, END_2, step_s=1)
    first = world.homes[0]
    assert 0 < len(first.state.orders()) <= GAP // 2
    assert spendable(world, first) == []
    bills = world.bills(2)  # the money may be on the next one
    assert sum(b.epa_withdrawn_wh for b in bills) == sum(b.epa_deposited_wh for b in bills) > 0
    assert sum(b.eca_withdrawn_wh for b in bills) == sum(b.eca_deposited_wh for b in bills) > 0
    assert "wallet" not in first.troubles


def test_energy_of_another_interval_is_not_offered_in_this_one() -> None:
    def note(kind, start, end):
        return IssuedNote(Note(kind, Address(b"\x01" * 20), 60, start, end), Digest(bytes([start, end] * 16)), 0)

    own, strange = note(Kind.EPA, 2, 2), [note(Kind.EPA, 2, 3), note(Kind.EPA, 3, 3)]
    account = SimpleNamespace(notes=lambda purpose, window, kind: [own, *strange] if kind is Kind.EPA else [])
    assert Holdings(account, 2, ()).by_kind[Kind.EPA] == [own]

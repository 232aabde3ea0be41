"""A wallet's process ends before or after any of its durable writes; whatever is next, the end is the same."""

import asyncio
from collections import Counter

import pytest

from assets.notes import issued
from assets.port import NoteStatus
from assets.transactions import outputs_of
from tests.petra.prosumer.agent_world import GRID, STEP_S, Killed, World

WINDOWS = range(2, 3)
END_S = GRID.end_s(2) + 40


class Fate:
    """Ends the process at the writes with these numbers; every write counts twice: before it, and after it."""

    def __init__(self, *deaths):
        self.deaths, self.count = set(deaths), 0

    def __call__(self):
        self.count += 1
        if self.count in self.deaths:
            raise Killed


def lived(*deaths, step_s=STEP_S):
    """Three homes, of which the first dies so, and the fate it had."""
    world, fate = World(-1, 1, 1), Fate(*deaths)
    first = world.homes[0]
    begin = first.start
    first.start = lambda: begin(dies=fate)

    async def run():
        world.start()
        await world.to(END_S, windows=WINDOWS, step_s=step_s)
        for home in world.homes:
            if home.agent is not None:
                await home.kill()

    asyncio.run(run())
    return world, fate


def check(world):
    matched = [b.matched_wh for b in world.check(2)]
    assert sum(matched) == 0
    assert matched[0] in (0, -1)
    played = Counter(world.tables.played)
    assert all(count == 1 for count in played.values())
    of_first = {o.id for o in world.homes[0].state.orders()}
    assert len(of_first) <= 1
    standing = {n.note.owner for n in unspent(world)}
    for home in world.homes:
        assert not {a for a, place in home.keychain._places.items() if place.purpose.value != "deposit"} & standing


def unspent(world):
    outputs = [
        note
        for entry in world.ledger.entries()
        for note in issued(outputs_of(entry.signed.tx, GRID.interval_s), entry.digest)
    ]
    return [note for note in outputs if world.ledger.status(note.id) is NoteStatus.UNSPENT]


def test_a_life_without_deaths_has_the_writes_that_follow() -> None:
    world, fate = lived()
    check(world)
    assert 30 <= fate.count <= 40


@pytest.mark.parametrize("death", range(1, 41, 2))
def test_it_may_die_anywhere(death) -> None:
    world, _ = lived(death)
    check(world)


@pytest.mark.parametrize("every", [5, 9, 14])
def test_it_may_die_again_and_again(every) -> None:
    world, fate = lived(*range(every, 80, every), step_s=1)
    check(world)
    assert fate.count > every


@pytest.mark.soak
@pytest.mark.parametrize("death", range(1, 41))
def test_it_may_die_at_every_single_write(death) -> None:
    world, _ = lived(death, death + 7)
    check(world)

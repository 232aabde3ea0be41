"""`petra wallet run` as it is used: wallets, board, bid store and relay in processes of their own, on anvil."""

import pytest

from contracts import anvil
from tests.e2e.wallet_world import World

FREE = ("--prune-history", "--base-fee", "0")


@pytest.fixture
def world_of(tmp_path, real_part):
    """Makes a microgrid of homes with these net consumptions, in Wh an interval."""
    real_part(anvil.find)
    worlds = []
    with anvil.running(tmp_path / "anvil.log", options=FREE) as url:

        def make(*nets_wh, **options):
            worlds.append(World(url, tmp_path, nets_wh, **options))
            return worlds[-1]

        try:
            yield make
        finally:
            for world in worlds:
                world.close()


def play(world, t):
    """One window from its notes to its deposits."""
    world.begin(t)
    world.to_mix(t)
    world.wait(lambda: len(world.mixes(t)) == world.notes.count)
    world.to_gate(t, orders=len(world.homes))
    world.wait(lambda: world.fills(t))
    world.to_deposit(t)
    world.to(world.ledger.grid.start_s(t) + 50)
    world.wait(lambda: not world.at_home(t))


def test_two_windows_are_mixed_traded_and_deposited(world_of) -> None:
    world = world_of(-1, 1, 1)
    world.serve_all()
    world.open_homes()
    for t in (2, 3):
        play(world, t)
    for t in (2, 3):
        bills = world.check_bills(t)
        assert sorted(b.matched_wh for b in bills) == [-1, 0, 1]
    assert [home.running.end() for home in world.homes] == [0, 0, 0]

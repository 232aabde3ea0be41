"""`petra wallet run` as it is used: wallets, board, bid store and relay in processes of their own, on anvil."""

import shutil

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


def finish(world, t, homes, orders):
    """A window from its orders to its deposits."""
    world.to_gate(t, homes, orders)
    world.wait(lambda: world.fills(t))
    end_s = world.ledger.grid.end_s(t)
    world.to(end_s - 10)

    def all_back():
        if not world.at_home(t):
            return True
        if world.ledger.now_s < end_s + 90:  # whoever jumped over the time of deposits takes new moments
            world.to(world.ledger.now_s + 2)
        return False

    world.wait(all_back)


def test_two_windows_are_traded_and_a_wallet_killed_and_lost_in_a_mix_gets_its_notes_back(world_of) -> None:
    world = world_of(-1, 1, 0, mix_timeout_s=15)
    world.serve_all()
    world.open_homes()
    world.begin(2)
    world.to_mix(2)
    world.wait(lambda: len(world.mixes(2)) == world.notes.count)
    finish(world, 2, world.homes, orders=2)

    world.begin(4)
    world.to_mix(4)
    *others, lost = world.homes
    world.wait(lambda: lost.has_told("mix", 4))
    lost.running.kill()
    shutil.rmtree(lost.path)
    world.wait(lambda: len(world.mixes(4)) == world.notes.count)
    lost.restore()
    lost.start()
    finish(world, 4, others, orders=2)

    for t in (2, 4):
        assert [b.matched_wh for b in world.check_bills(t)] == [-1, 1, 0]
    assert [home.running.end() for home in world.homes] == [0, 0, 0]
    log = world.logs()
    for home in world.homes:
        for order in home.orders():
            assert order.id.hex() not in log

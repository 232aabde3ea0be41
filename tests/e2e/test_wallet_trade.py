"""`petra wallet trade`: one window by hand, with real services, on anvil."""

import json
import sys

import pytest

from assets.orders import Side
from tests.e2e.test_wallet import world_of as world_of
from tests.e2e.wallet_world import GATE_S, SEED_WAIT_S

WINDOW = 2


@pytest.mark.soak
def test_one_window_by_hand_is_mixed_traded_and_deposited_and_then_it_stops(world_of) -> None:
    world = world_of(-1, 1)
    world.wallet_run = (sys.executable, "-u", "-m", "petra", "wallet", "trade")
    world.serve_all()
    for home in world.homes:
        home.set_up()
        home.read(0)
    state = world.homes[1].state()
    state.add_instruction(WINDOW, Side.BUY, 1, 200_000)
    state.close()
    world.begin(WINDOW)
    for home in world.homes:
        home.start()
    world.wait(lambda: all("deposit, at" in home.running.log.read_text() for home in world.homes))
    world.to_mix(WINDOW)
    world.wait(lambda: len(world.mixes(WINDOW)) == world.notes.count)
    world.wait(lambda: all("offer window" in home.running.log.read_text() for home in world.homes))
    gate_s = world.ledger.grid.start_s(WINDOW) - GATE_S
    world.to(gate_s - 1)
    world.wait(lambda: len(world.book(WINDOW)) == 2)
    world.to(gate_s + SEED_WAIT_S + 2)
    world.wait(lambda: world.fills(WINDOW))
    world.to(world.ledger.grid.end_s(WINDOW) - 10)
    world.wait(lambda: not any(home.is_running for home in world.homes))
    assert [home.running.end() for home in world.homes] == [0, 0]
    assert not world.at_home(WINDOW)
    said = world.homes[0].running.log.read_text()
    assert "strategy price-taker, -1 Wh expected" in said
    assert "buy 1 notes for at most 200000 nano per Wh (instruction 1)" in world.homes[1].running.log.read_text()
    assert "window 2 is over for this wallet" in said
    assert sorted(bill.matched_wh for bill in world.check_bills(WINDOW)) == [-1, 1]
    assert [order.price_nano_per_wh for home in world.homes for order in home.orders()].count(None) == 0
    assert json.dumps(world.homes[1].kinds()).count("offer") == 1

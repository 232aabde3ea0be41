"""The agent in a world that is played: what it does, and that no part takes another one with it."""

import asyncio
import threading

from assets.ledger import SpecLedger
from assets.orders import Side
from contracts.errors import NodeUnreachable, Reorganised
from petra.prosumer.records import OrderFate
from tests.petra.prosumer.agent_world import GRID, STEP_S, TIMES, World

ONE = range(2, 3)
END_2, END_3 = GRID.end_s(2) + 40, GRID.end_s(3) + 40
"""When the deposits for a window are over."""


def played(world, until_s=END_2, each=None, windows=ONE, step_s=STEP_S):
    async def run():
        world.start()
        try:
            await world.to(until_s, each, windows, step_s)
        finally:
            await world.end()

    asyncio.run(run())
    return world


def matched(world, t=2):
    return [b.matched_wh for b in world.check(t)]


def test_homes_trade_what_they_have_and_get_the_rest_back() -> None:
    world = played(World(-2, 1, 1, 0, notes=2), END_3, windows=range(2, 4))
    for t in (2, 3):
        assert matched(world, t) == [-2, 1, 1, 0]
    assert len(world.mixes()) == 2 * world.notes.count
    sold = world.homes[0].state.orders()
    assert [o.fate for o in sold] == [OrderFate.SETTLED] * 4
    assert {o.price_nano_per_wh for o in sold} == {150_000}
    assert all(o.posted_s < o.closed_s for o in sold)
    assert world.homes[3].state.orders() == []
    assert not any(home.troubles for home in world.homes)


def test_every_home_does_the_same_at_the_same_stages_whether_or_not_it_trades() -> None:
    world = played(World(-1, 1, 0))
    done = [[(kind, t) for kind, t in home.events if kind in ("mix", "offer", "deposit")] for home in world.homes]
    assert done[2] == [("mix", 2), ("offer", 2), ("deposit", 2)]
    assert done[0] == done[1] == done[2]


def test_what_is_told_names_no_note_and_no_address() -> None:
    world = played(World(-1, 1))
    told = repr([home.told for home in world.homes])
    for home in world.homes:
        for order in home.state.orders():
            for secret in (order.id, order.energy, order.deliver_to, order.pay_to):
                assert secret.hex() not in told
                assert repr(secret) not in told


def test_without_a_board_notes_are_not_traded_and_come_back() -> None:
    world = World(-1, 1)
    world.tables.silent = True
    played(world)
    assert matched(world) == [0, 0]
    assert world.homes[0].troubles == {"board"}


def test_without_a_bid_store_notes_are_mixed_and_come_back() -> None:
    world = World(-1, 1)
    world.services.down = {"bidstore", "other"}
    played(world)
    assert matched(world) == [0, 0]
    assert len(world.mixes()) == world.notes.count
    assert world.homes[0].troubles == {"bidstore"}
    assert [o.fate for o in world.homes[0].state.orders()] == [OrderFate.EXPIRED]


def test_another_replica_takes_the_order_that_one_does_not() -> None:
    world = World(-1, 1)
    world.services.down = {"bidstore"}
    assert matched(played(world)) == [-1, 1]


def of_first(world):
    return [(o.fate, o.reason) for o in world.homes[0].state.orders()]


def test_one_replica_that_refuses_an_order_does_not_make_it_given_up() -> None:
    world = World(-3, 3, notes=3)
    world.services.refusing = {"other": "NoteUnknown"}
    played(world)
    assert world.services.refused
    assert of_first(world) == [(OrderFate.SETTLED, None)] * 3


def test_an_order_that_every_replica_refuses_is_given_up() -> None:
    world = World(-1, 0)
    world.services.refusing = dict.fromkeys({"bidstore", "other"}, "NoteUnknown")
    played(world)
    assert len(world.services.refused) == 2
    assert of_first(world) == [(OrderFate.REFUSED, "NoteUnknown")]


def test_a_replica_that_refuses_does_not_decide_while_the_other_is_away() -> None:
    world = World(-1, 1)
    world.services.refusing, world.services.down = {"other": "NoteUnknown"}, {"bidstore"}

    def back(world):
        if len(world.services.refused) >= 2:
            world.services.down = set()

    played(world, each=back, step_s=1)
    assert of_first(world) == [(OrderFate.SETTLED, None)]


def test_an_order_that_one_replica_may_take_later_is_not_given_up() -> None:
    world = World(-1, 1)
    world.services.refusing = {"bidstore": "NoteUnknown", "other": "NoteGone"}

    def caught_up(world):
        if len(world.services.refused) >= 6:
            world.services.refusing.pop("other", None)

    played(world, each=caught_up, step_s=1)
    assert of_first(world) == [(OrderFate.SETTLED, None)]


def test_an_order_that_one_replica_knows_is_asked_of_no_other() -> None:
    world = World(-1, 0)
    world.services.refusing = {"bidstore": "OrderKnown", "other": "OrderKnown"}
    played(world)
    assert len(world.services.refused) == 1
    assert of_first(world) == [(OrderFate.EXPIRED, None)]


def test_without_a_relay_notes_come_back_when_there_is_one_again() -> None:
    world = World(-1, 1)
    world.services.down = {"relay"}

    def mended(world):
        if world.ledger.now_s > GRID.start_s(2) + 20:
            world.services.down = set()

    assert matched(played(world, each=mended)) == [0, 0]
    assert {"relay"} <= world.homes[0].troubles
    levels = [facts["what"] for _, event, facts in world.homes[0].told if event == "trouble"]
    assert levels == ["Unserved", "works again"]


class Raises:
    def decide(self, situation):
        raise ZeroDivisionError


def test_a_strategy_that_fails_costs_its_home_the_trade_only() -> None:
    world = World(-1, -1, 1, 1)
    world.homes[0].strategy = Raises()
    assert matched(played(world)) == [0, -1, 1, 0]
    assert world.homes[0].troubles == {"strategy"}
    assert world.homes[0].events.count(("trouble", None)) == 1


class Unpriced(SpecLedger):
    """A node that fails when it is asked for prices the first times."""

    def __init__(self, *args):
        super().__init__(*args)
        self.failures = 3

    def price_at(self, t):
        if self.failures and t == 2:
            self.failures -= 1
            raise NodeUnreachable("nobody answers")
        return super().price_at(t)


def test_prices_that_cannot_be_read_are_asked_for_again() -> None:
    world = World(-1, 1, ledger=Unpriced)
    assert matched(played(world)) == [-1, 1]
    assert world.homes[0].troubles | world.homes[1].troubles == {"ledger"}


def test_an_owner_may_instruct_though_the_strategy_failed() -> None:
    world = World(-1, 1)
    world.homes[0].strategy = Raises()

    def instruct(world):
        home = world.homes[0]
        if ("offer", 2) in home.events and not all_instructions(home):
            home.state.add_instruction(2, Side.SELL, 1, 90_000)

    assert matched(played(world, each=instruct)) == [-1, 1]


def test_without_readings_nothing_is_offered() -> None:
    world = World(-1, 1)
    world.homes[0].readings.value = None
    world.homes[0].net_wh = 0
    assert matched(played(world)) == [0, 0]
    assert world.homes[0].state.orders() == []


def test_the_owners_word_goes_before_the_strategys() -> None:
    world = World(-1, 1, 0)
    world.homes[0].state.add_instruction(2, Side.SELL, 0, 1)
    world.homes[2].state.add_instruction(2, Side.SELL, 1, 120_000)
    world.homes[2].state.add_instruction(1, Side.SELL, 1, 120_000)
    assert matched(played(world)) == [0, 1, -1]
    assert [i.outcome for i in all_instructions(world.homes[2])] == ["1 orders", "too late"]
    (order,) = world.homes[2].state.orders()
    assert order.limit_nano_per_wh == 120_000


def all_instructions(home):
    from petra.prosumer.records import Instruction

    return [Instruction.from_value(value) for _, value in home.state._vault.all("instruction")]


def test_an_instruction_after_the_strategys_decision_uses_the_notes_that_are_left() -> None:
    world = World(-1, 1, 0, notes=2)

    def instruct(world):
        home = world.homes[0]
        if ("offer", 2) in home.events and not all_instructions(home):
            home.state.add_instruction(2, Side.SELL, 2, 90_000)

    played(world, each=instruct)
    world.check(2)
    assert [i.outcome for i in all_instructions(world.homes[0])] == ["1 orders"]
    assert len({o.energy for o in world.homes[0].state.orders()}) == 2


def test_a_wallet_that_was_away_brings_money_home_late_and_says_what_does_not_count() -> None:
    world = World(-1, 1)
    away = world.homes[0]

    async def scene():
        world.start()
        await world.to(TIMES.deposit_s(2) - 4, windows=ONE)
        await away.kill()
        world.homes.remove(away)
        await world.to(END_2 + 60, windows=ONE)
        world.homes.insert(0, away)
        await world.to(END_2 + 180, windows=ONE)
        for home in world.homes:
            await home.kill()

    world.services.down = {"bidstore", "other"}
    asyncio.run(scene())
    late = [e.facts["note"] for e in away.state.events() if e.kind == "note too late to count"]
    assert sorted(late) == ["ECA", "EPA"]
    away.meter.follow(world.ledger.entries(), world.ledger.now_s)
    assert away.meter.refused_deposits == ()
    back = [t for t in range(3, 8) if away.meter._tally.fa_deposited_nano[t]]
    assert len(back) == 1
    assert away.meter._tally.fa_deposited_nano[back[0]] == 10**6


def test_after_a_restore_no_mix_and_no_order_of_that_time_is_begun() -> None:
    world = World(-1, 1, 1)
    world.homes[0].state.note_restore(2)
    played(world, END_3, windows=range(2, 4))
    assert matched(world, 2) == [0, 0, 0]
    assert sum(matched(world, 3)) == 0
    assert -1 in matched_again(world, 3)
    assert {number for number, _ in world.tables.played} == {1, 2, 3}
    assert world.homes[0].events.index(("deposit", 2)) < world.homes[0].events.index(("mix", 3))


def matched_again(world, t):
    return [home.meter.bill(t, world.ledger.price_at(t)).matched_wh for home in world.homes]


class Unsteady(SpecLedger):
    """A node that is away at times, and whose chain changes its mind once: all later entries come again."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked, self.forgotten = 0, False

    def entries(self, start=0):
        self.asked += 1
        if self.asked % 7 == 3:
            raise NodeUnreachable("nobody answers")
        if self.now_s > GRID.start_s(2) - 40 and not self.forgotten and start:
            self.forgotten = True
            raise Reorganised(1)
        return super().entries(start)


def test_a_node_that_is_away_or_changes_its_mind_changes_nothing_in_the_end() -> None:
    world = World(-1, 1, ledger=Unsteady)
    played(world, step_s=2)
    world.ledger.asked = -10_000  # the meters read an even one
    assert matched(world) == [-1, 1]
    assert any(event == "ledger read again" for home in world.homes for _, event, _ in home.told)
    assert all(home.troubles <= {"ledger"} for home in world.homes)


def test_a_way_that_cannot_be_verified_for_a_while_is_tried_again_and_never_used() -> None:
    world = World(-1, 1)
    verify, world.services.failures = world.services.verify, 3

    def unsure():
        if world.services.failures:
            world.services.failures -= 1
            raise NodeUnreachable("not Tor")
        verify()

    world.services.verify = unsure
    assert matched(played(world)) == [-1, 1]


def test_a_way_that_is_never_verified_is_never_used() -> None:
    world = World(-1, 1)

    def refuse():
        world.services.refusals += 1
        raise NodeUnreachable("not Tor")

    world.services.verify = refuse
    played(world)
    assert world.services.refusals
    assert world.tables.played == []
    assert world.services.handed == []
    assert world.services.postings == []


class Full:
    """A disk that is full when the fate of an order is to be noted, the first time."""

    def __init__(self, memory):
        self._memory, self.refused = memory, 0

    def __getattr__(self, name):
        return getattr(self._memory, name)

    def close_order(self, *args):
        self.refused += 1
        if self.refused == 1:
            raise OSError("no space left on the disk")
        self._memory.close_order(*args)


def test_news_that_could_not_be_noted_is_read_again() -> None:
    world = World(-1, 1)
    first = world.homes[0]
    begin = first.start

    def start():
        begin()
        first.agent._fates._book = Full(first.memory)

    first.start = start
    assert matched(played(world)) == [-1, 1]
    assert [o.fate for o in first.state.orders()] == [OrderFate.SETTLED]
    assert first.troubles == {"wallet"}


class Hangs:
    def decide(self, situation):
        threading.Event().wait(60)


def test_a_strategy_that_hangs_costs_its_home_the_trade_only() -> None:
    world = World(-1, -1, 1)
    world.homes[0].strategy = Hangs()
    assert matched(played(world)) == [0, -1, 1]
    assert world.homes[0].troubles == {"strategy"}


def test_after_an_absence_orders_do_not_come_all_at_once() -> None:
    world = World(-6, 0, notes=6)
    away = world.homes[0]

    async def scene():
        world.start()
        while not away.state.kept("plan"):
            await world.to(world.ledger.now_s + 4, windows=ONE)
        late = max(planned.moment_s for planned in away.agent._plans.of(2))
        await away.kill()
        world.homes.remove(away)
        await world.to(late + 1, windows=ONE)
        posted = len(world.services.postings)
        world.homes.insert(0, away)
        away.start()
        await world.look()
        assert len(world.services.postings) - posted < 6
        await world.end()

    asyncio.run(scene())


def test_the_next_start_looks_back_to_where_money_is_left(monkeypatch) -> None:
    monkeypatch.setattr("petra.prosumer.agent.SETTLED_AFTER", 1)
    world = World(-1, 1)
    world.services.down = {"bidstore", "other"}
    played(world, END_2)
    assert {home.state.settled_below for home in world.homes} == {TIMES.next_window(END_2) - 1}
    stuck = World(-1, 1)
    stuck.services.down = {"bidstore", "other", "relay"}
    played(stuck, END_3)
    assert {home.state.settled_below for home in stuck.homes} == {2}

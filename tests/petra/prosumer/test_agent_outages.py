"""What an outage kept back does not go out together: at one look at the ledger at most one order, and one note."""

import asyncio
import time

import pytest

from contracts.errors import NodeUnreachable
from petra.prosumer.records import OrderFate
from tests.petra.prosumer.agent_world import TIMES, World

ONE = range(2, 3)
GATE_S, OVERDUE_S = TIMES.gate_closes_s(2), TIMES.overdue_s(2)


def away(*_):
    raise NodeUnreachable("away")


class Traffic:
    """A world in which the first home's orders and notes are counted, look by look."""

    def __init__(self, notes=6):
        self.world = World(-notes, 0, notes=notes)
        self.home = self.world.homes[0]
        self.orders, self.notes = [], []

    def sent(self):
        """How often an order, and a note of this home, has reached a service."""
        returned = [s for s in self.world.services.handed if len(s.tx.inputs) == 1]
        own = [s for s in returned if s.tx.inputs[0].note.owner in self.home.keychain._places]
        return len(self.world.services.postings), len(own)

    async def planned(self):
        self.world.start()
        while not self.home.state.kept("plan"):
            await self.world.to(self.world.ledger.now_s + 1, windows=ONE)

    async def to(self, at_s, step_s=1):
        while self.world.ledger.now_s < at_s:
            before = self.sent()
            await self.world.to(min(at_s, self.world.ledger.now_s + step_s), windows=ONE, step_s=step_s)
            orders, notes = (now - was for now, was in zip(self.sent(), before, strict=True))
            self.orders.append(orders)
            self.notes.append(notes)

    async def cut_off(self, what, until_s):
        """No service is reached until then, or the ledger is not."""
        world, agents = self.world, [home.agent for home in self.world.homes]
        verify, readers = world.services.verify, [agent._home.reader for agent in agents]
        reads = [reader.read for reader in readers]
        if what == "services":
            world.services.verify, world.services.down = away, {"bidstore", "other", "relay"}
        for reader in readers if what == "ledger" else ():
            reader.read = away
        await self.to(until_s)
        world.services.verify, world.services.down = verify, set()
        for reader, read in zip(readers, reads, strict=True):
            reader.read = read


def one_by_one(counts):
    return all(count <= 1 for count in counts)


@pytest.mark.parametrize("left_s", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("what", ["services", "ledger"])
def test_orders_that_are_late_at_the_gate_do_not_go_together(what, left_s) -> None:
    traffic = Traffic()

    async def scene():
        await traffic.planned()
        await traffic.cut_off(what, GATE_S - left_s)
        await traffic.to(GATE_S + 20)
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(traffic.orders)
    assert sum(traffic.orders) >= (left_s == 8)
    fates = [o.fate for o in traffic.home.state.orders()]
    assert len(set(traffic.world.services.postings)) <= len(fates) <= 6
    assert set(fates) <= {OrderFate.EXPIRED}
    assert sum(traffic.orders[-20:]) == 0


@pytest.mark.parametrize("what", ["services", "ledger"])
def test_after_a_second_outage_orders_do_not_go_together(what) -> None:
    traffic = Traffic()

    async def scene():
        await traffic.planned()
        for until_s in (GATE_S - 17, GATE_S - 9, GATE_S - 1):
            await traffic.cut_off(what, until_s)
            await traffic.to(min(GATE_S, until_s + 4))
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(traffic.orders)
    assert sum(traffic.orders) > 0


@pytest.mark.parametrize("what", ["services", "ledger"])
def test_after_an_outage_with_time_left_all_orders_are_posted(what) -> None:
    traffic = Traffic(notes=3)

    async def scene():
        await traffic.planned()
        await traffic.cut_off(what, traffic.world.ledger.now_s + 8)
        await traffic.to(GATE_S)
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(traffic.orders)
    assert len(set(traffic.world.services.postings)) == 3


def test_where_every_look_comes_late_orders_are_posted_one_at_each() -> None:
    traffic = Traffic()

    async def scene():
        await traffic.planned()
        await traffic.to(GATE_S, step_s=7)
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(traffic.orders)
    assert sum(traffic.orders) >= 1


@pytest.mark.parametrize("left_s", [1, 3, 8, 30])
@pytest.mark.parametrize("what", ["services", "ledger"])
def test_notes_that_are_late_at_the_deadline_do_not_go_together(what, left_s) -> None:
    traffic = Traffic(notes=3)

    async def scene():
        await traffic.planned()
        await traffic.to(TIMES.deposit_s(2) - 1)
        await traffic.cut_off(what, OVERDUE_S - left_s)
        await traffic.to(OVERDUE_S + 60)
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(traffic.notes)
    assert sum(traffic.notes) >= 3
    late = [e.facts["note"] for e in traffic.home.state.events() if e.kind == "note too late to count"]
    assert sum(traffic.notes) + len(late) == 9
    assert "FA" not in late
    if left_s == 30:
        assert late == []


@pytest.mark.parametrize("what", ["services", "ledger"])
def test_after_a_second_outage_notes_do_not_go_together(what) -> None:
    traffic = Traffic(notes=3)

    async def scene():
        await traffic.planned()
        await traffic.to(TIMES.deposit_s(2) - 1)
        for until_s in (TIMES.deposit_s(2) + 20, TIMES.deposit_s(2) + 35, TIMES.deposit_s(2) + 50):
            await traffic.cut_off(what, until_s)
            await traffic.to(until_s + 1)
        await traffic.to(OVERDUE_S + 30)
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(traffic.notes)
    assert sum(traffic.notes) == 9


@pytest.mark.parametrize("stage", ["orders", "notes"])
def test_what_waited_for_the_way_does_not_set_out_together(stage, monkeypatch) -> None:
    monkeypatch.setattr("petra.prosumer.way.VERIFIED_S", 0)
    traffic = Traffic(notes=5)
    services, found = traffic.world.services, []

    def hangs():
        while not found:
            services.refusals += 1
            time.sleep(0.001)  # a thread that hangs, and is counted as at work meanwhile

    async def scene():
        await traffic.planned()
        if stage == "notes":
            await traffic.to(TIMES.deposit_s(2))
        verify, services.verify = services.verify, hangs
        await traffic.to(GATE_S - 3 if stage == "orders" else TIMES.deposit_s(2) + 25)
        found.append(True)
        services.verify = verify
        await traffic.to(OVERDUE_S)
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(getattr(traffic, stage))
    assert sum(traffic.notes) == 15


def test_moments_that_lie_between_two_looks_do_not_bring_things_together() -> None:
    traffic = Traffic()

    async def scene():
        await traffic.planned()
        await traffic.to(OVERDUE_S, step_s=5)
        await traffic.world.end()

    asyncio.run(scene())
    assert one_by_one(traffic.orders)
    assert one_by_one(traffic.notes)
    assert sum(traffic.orders) > 0
    assert sum(traffic.notes) > 0

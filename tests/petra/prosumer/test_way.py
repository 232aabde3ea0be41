import asyncio
import threading
from types import SimpleNamespace

import pytest

from contracts.errors import NodeUnreachable
from petra.prosumer.desk import Desk
from petra.prosumer.way import VERIFIED_S, Door, Way


class Reach:
    """A way that is asked whether it is what it is said to be."""

    def __init__(self):
        self.asked, self.fails, self.open = 0, False, threading.Event()
        self.open.set()

    def verify(self):
        self.asked += 1
        self.open.wait(10)
        if self.fails:
            raise NodeUnreachable("not Tor")


class Scene:
    def __init__(self):
        self.now_s = 0.0
        self.reach = Reach()
        self.way = Way(self.reach, lambda: self.now_s, 2.0)
        self.desk = Desk(lambda *_, **__: None, SimpleNamespace(add_event=lambda *_, **__: None))
        self.door = Door(self.way, self.desk)


def test_what_was_found_holds_for_a_while() -> None:
    scene = Scene()

    async def run():
        await scene.way.verify()
        scene.now_s = VERIFIED_S - 1
        await scene.way.verify()
        assert scene.reach.asked == 1
        scene.now_s = VERIFIED_S
        await scene.way.verify()
        assert scene.reach.asked == 2

    asyncio.run(run())


def test_a_way_that_failed_is_not_asked_again_at_once() -> None:
    scene = Scene()
    scene.reach.fails = True

    async def run():
        for _ in range(3):
            with pytest.raises(NodeUnreachable):
                await scene.way.verify()
        assert scene.reach.asked == 1
        scene.reach.fails, scene.now_s = False, 2.0
        await scene.way.verify()

    asyncio.run(run())


def test_one_is_let_out_at_each_look() -> None:
    scene = Scene()

    async def run():
        found = []
        for _ in range(3):
            scene.desk.looks += 1
            found.append([await scene.door.go_through() for _ in range(2)])
        assert found == [[True, False]] * 3

    asyncio.run(run())


def test_of_those_who_waited_for_the_way_one_is_let_out_and_none_at_the_next_look() -> None:
    scene = Scene()
    scene.reach.open.clear()

    async def run():
        waiting = []
        for _ in range(4):
            scene.desk.looks += 1
            waiting.append(asyncio.ensure_future(scene.door.go_through()))
            await asyncio.sleep(0.01)
        scene.desk.looks += 1
        scene.reach.open.set()
        assert sorted(await asyncio.gather(*waiting)) == [False, False, False, True]
        scene.desk.looks += 1
        assert not await scene.door.go_through()
        scene.desk.looks += 1
        assert await scene.door.go_through()

    asyncio.run(run())

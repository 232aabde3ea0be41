"""In which order a board's streams carry what was posted: whose turn is next reads it first."""

import asyncio
from contextlib import AsyncExitStack, aclosing

import pytest

from mixer.boardservice import app

SIZE = 5


@pytest.mark.parametrize("author", [0, 2, SIZE - 1])
def test_members_read_a_post_in_the_order_of_their_inputs_after_its_author(
    boards, community, monkeypatch, author
) -> None:
    monkeypatch.setattr(app, "FAN_OUT_BYTES_S", 4_000)  # of a post of 1 kB, each member waits a quarter of a second
    monkeypatch.setattr(app, "LATEST_S", 10)
    c, order = community(SIZE), []

    async def member(client, index, ready):
        async with aclosing(client.follow()) as stream:
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.3)
            await ready.wait()
            await first
            order.append(index)

    async def run():
        async with boards.serve() as address, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(boards.client(address, c, i)) for i in range(SIZE)]
            for client in clients:
                await client.open()
            ready = asyncio.Barrier(SIZE + 1)
            async with asyncio.TaskGroup() as group:
                for index, client in enumerate(clients):
                    group.create_task(member(client, index, ready))
                await ready.wait()
                await clients[author].post(bytes(1_000))

    asyncio.run(run())
    assert order == [(author + 1 + place) % SIZE for place in range(SIZE)]


def test_nobody_waits_long_for_a_place(boards, community, monkeypatch, read) -> None:
    monkeypatch.setattr(app, "FAN_OUT_BYTES_S", 1)
    c = community(SIZE)

    async def run():
        async with boards.serve() as address, boards.client(address, c, 0) as client:
            await client.open()
            async with asyncio.timeout(30):
                await client.post(bytes(10_000))
                return await read(client, 1)

    assert asyncio.run(run()) == [bytes(10_000)]

"""The time to post on a board and to fetch what was posted: what a mix takes that is not cryptography.

A round of a mix is one of two kinds. *Together*: every member posts, and everybody reads what all have posted. *In
turn*: one member posts, and the next one goes on as soon as it has read that.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise
from typing import TYPE_CHECKING

from assets.hashing import keccak
from assets.keys import Address, Digest, SigningKey
from assets.notes import IssuedNote, epa
from assets.transactions import Domain
from mixer.session import MixSession

if TYPE_CHECKING:
    import httpx2

    from mixer.boardservice.client import BoardAddress


async def round_times_s(
    http_client: "Callable[[bytes, str], httpx2.AsyncClient]",
    board: "BoardAddress",
    peers: int,
    rounds: int,
    *,
    in_turn: bool = False,
    message_bytes: int = 1024,
) -> list[float]:
    """Seconds of each round, from when the one before it was read by all (in turn: by anybody) until it was itself.

    A member posts its next message as soon as it has read what comes before; connecting is not counted.
    """
    from mixer.boardservice.client import BoardClient

    keys = {key.address: key for key in (SigningKey.generate() for _ in range(peers))}
    origin = Digest(keccak(b"PETra rounds: no withdrawal"))
    notes = [IssuedNote(epa(owner, 1000, 0, 0), origin, i) for i, owner in enumerate(keys)]
    notes.sort(key=lambda note: note.id)
    session = MixSession(Domain(1337, Address(bytes(20))), 0, tuple(notes), origin)
    ended = [0.0] * (rounds + 1)
    ready = asyncio.Barrier(peers)
    message = bytes(message_bytes)
    posts = 1 if in_turn else peers  # of a round

    async def member(index: int, owner: Address) -> None:
        async with BoardClient(http_client(session.id, f"round {index}"), board, session, keys[owner]) as client:
            await client.open()
            async with aclosing(client.follow()) as stream:  # left open, it would outlive its connection
                first = asyncio.ensure_future(anext(stream))
                await client.open()  # on a second connection, as a mix does
                await ready.wait()
                ended[0] = max(ended[0], time.perf_counter())
                if not in_turn or index == 0:
                    await client.post(message)
                read, records = 0, await first
                while True:
                    before, read = read, read + len(records)
                    now = time.perf_counter()
                    for done in range(before // posts + 1, read // posts + 1):
                        ended[done] = min(ended[done] or now, now) if in_turn else max(ended[done], now)
                    if read // posts >= rounds:
                        return
                    if in_turn:
                        if any(number % peers == index for number in range(before + 1, read + 1)):
                            await client.post(message)
                    elif read // posts > before // posts:
                        await client.post(message)
                    records = await anext(stream)

    async with asyncio.TaskGroup() as group:
        for index, owner in enumerate(session.owners):
            group.create_task(member(index, owner))
    return [b - a for a, b in pairwise(ended)]

"""The time of one round on a board: everybody posts, everybody reads what all have posted."""

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

MESSAGE_BYTES = 1024


async def round_times_s(
    http_client: "Callable[[bytes, str], httpx2.AsyncClient]", board: "BoardAddress", peers: int, rounds: int
) -> list[float]:
    """Seconds of each round, from the first post until the last member has read all.

    A member posts its next message as soon as it has read all of the round before; connecting is not counted.
    """
    from mixer.boardservice.client import BoardClient

    keys = {key.address: key for key in (SigningKey.generate() for _ in range(peers))}
    origin = Digest(keccak(b"PETra rounds: no withdrawal"))
    notes = [IssuedNote(epa(owner, 1000, 0, 0), origin, i) for i, owner in enumerate(keys)]
    notes.sort(key=lambda note: note.id)
    session = MixSession(Domain(1337, Address(bytes(20))), 0, tuple(notes), origin)
    ended = [0.0] * (rounds + 1)
    ready = asyncio.Barrier(peers)

    async def member(index: int, owner: Address) -> None:
        async with BoardClient(http_client(session.id, f"round {index}"), board, session, keys[owner]) as client:
            await client.open()
            await ready.wait()
            ended[0] = max(ended[0], time.perf_counter())
            read = 0
            await client.post(bytes(MESSAGE_BYTES))
            async with aclosing(client.follow()) as stream:  # left open, it would outlive its connection
                async for frames in stream:
                    before, read = read // peers, read + len(frames)
                    if read // peers > before:
                        done = read // peers
                        ended[done] = max(ended[done], time.perf_counter())
                        if done == rounds:
                            return
                        await client.post(bytes(MESSAGE_BYTES))

    async with asyncio.TaskGroup() as group:
        for index, owner in enumerate(session.owners):
            group.create_task(member(index, owner))
    return [b - a for a, b in pairwise(ended)]

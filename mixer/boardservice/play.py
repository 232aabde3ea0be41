"""Plays one peer of a mix over a board: what it posts goes up, what the board shows goes in, and time passes."""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Protocol

from mixer.boardservice.client import BoardClient
from mixer.boardservice.frame import Frame


class Posting(Protocol):
    """What a participant wants posted."""

    @property
    def messages(self) -> tuple[bytes, ...]:
        """Messages for the board, in order."""


class Participant(Protocol):
    """What can be played: a peer of any engine."""

    @property
    def closed(self) -> bool:
        """Whether the run is over for this peer."""

    @property
    def deadline_s(self) -> int | None:
        """When the peer stops waiting."""

    def start(self, now_s: int = 0) -> Posting:
        """Begin the run."""

    def receive(self, message: bytes) -> Posting:
        """Read the next message of the board."""

    def tick(self, now_s: int) -> Posting:
        """Tell the time."""


async def play(participant: Participant, board: BoardClient, clock: Callable[[], float] = time.monotonic) -> None:
    """Play ``participant`` until its run is over. How it ended, the participant says itself.

    Raises what ends a run from outside: a :class:`~mixer.boardservice.errors.BoardRefusal`,
    :class:`~mixer.boardservice.errors.BoardLost` or :class:`~mixer.boardservice.errors.BoardMisbehaved`. No note has
    moved then.
    """
    await board.open()
    arrived: asyncio.Queue[list[Frame] | Exception] = asyncio.Queue()
    reader = asyncio.create_task(_follow(board, arrived))
    try:
        await _post(board, participant.start(int(clock())))
        while not participant.closed:
            deadline_s = participant.deadline_s
            news = await _next(arrived, None if deadline_s is None else deadline_s - clock())
            if news is None:
                await _post(board, participant.tick(int(clock())))
                continue
            if isinstance(news, Exception):
                raise news
            # What has arrived counts, even if this process was too slow to look at it before the deadline.
            now_s = int(clock())
            participant.tick(now_s if deadline_s is None else min(now_s, deadline_s - 1))
            for frame in news:
                await _post(board, participant.receive(frame.message))
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader


async def _next(
    arrived: "asyncio.Queue[list[Frame] | Exception]", wait_s: float | None
) -> "list[Frame] | Exception | None":
    """What arrived, or ``None`` after ``wait_s`` seconds. What is there already counts, however late one looks."""
    with suppress(asyncio.QueueEmpty):
        return arrived.get_nowait()
    with suppress(TimeoutError):
        # Not wait_for: before Python 3.12 it may drop what arrives together with the timeout, or a cancellation.
        async with asyncio.timeout(wait_s):
            return await arrived.get()
    return None


async def _follow(board: BoardClient, arrived: "asyncio.Queue[list[Frame] | Exception]") -> None:
    try:
        async with aclosing(board.follow()) as stream:
            async for frames in stream:
                arrived.put_nowait(frames)
    except Exception as error:  # handed to whoever waits for frames
        arrived.put_nowait(error)


async def _post(board: BoardClient, posting: Posting) -> None:
    for message in posting.messages:
        await board.post(message)

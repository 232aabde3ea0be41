"""Plays one member of a mix over a board: what it posts goes up, what the board shows goes in, and time passes.

Time is the board's and comes with the log alone, so that all who read it find the same. A member that has waited long
enough for what is due therefore puts an empty post on the board, a *mark*: it says nothing, but has the board's time.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

from assets.keys import Digest
from assets.transactions import Signed, Transact
from mixer.boardservice.client import BoardClient
from mixer.boardservice.errors import AlreadyPlayed
from mixer.boardservice.record import Record
from mixer.engine import Engine, Rules
from mixer.follower import Attempt, Follower, LogEntry, Seat
from mixer.session import MixSession

MARK = b""
"""The message of a mark: no engine takes it for one of its own."""

SPREAD_S = 1.0
"""Members wait up to so much longer than they have to, so that the first one's mark spares the others theirs."""


@dataclass(frozen=True, slots=True)
class PlayedSession:
    """How a session went for one member, and what it read."""

    attempts: tuple[Attempt, ...]
    """Its runs."""
    mixed: Signed[Transact] | None
    """The mix transaction; ``None`` if too few members were left, and the notes stay where they are."""
    log: tuple[LogEntry, ...]
    """All messages up to the end, with the board's time: what a judge needs."""
    start_s: int
    """Board time at which the session was opened."""
    ended_s: int
    """Board time up to which the log is complete."""
    opening: Digest
    """First head of the log: which opening of the session this was."""


async def play(
    board: BoardClient,
    engine: Engine,
    session: MixSession,
    rules: Rules,
    seat: Seat,
    *,
    ready: Callable[[], Awaitable[object]] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> PlayedSession:
    """Play the member of ``seat`` until the notes are mixed, or too few members are left.

    ``ready`` gives something to wait for between connecting and the first post. Raises what ends a session from
    outside: a :class:`~mixer.boardservice.errors.BoardRefusal`, :class:`~mixer.boardservice.errors.BoardLost` or
    :class:`~mixer.boardservice.errors.BoardMisbehaved`. No note has moved then.

    Raises :class:`~mixer.boardservice.errors.AlreadyPlayed` if the log has a post of this member's key already: whoever
    restarts within one opening must not play again. A board that hides the post, or that opens the session twice with
    one nonce, defeats this look. A wallet therefore keeps a record of its own of the sessions that it has begun.
    """
    start_s = await board.open()
    arrived: asyncio.Queue[list[Record] | Exception] = asyncio.Queue()
    reader = asyncio.create_task(_follow(board, arrived))
    log: list[LogEntry] = []
    try:
        await _refuse_to_play_twice(board, arrived, session.index_of(seat.key.address))
        if ready is not None:
            await board.open()  # on a second connection beside the stream's, which posts will use
            await ready()
        follower = Follower(engine, session, rules, start_s, seat, board.opening)
        await _post(board, follower.begin())
        patience = _Patience(clock, start_s)
        while not _ended(follower):
            news = await _next(arrived, patience.left_s(follower.deadline_s))
            if news is None:
                await board.post(MARK)
                patience.begin_again()
                continue
            if isinstance(news, Exception):
                raise news
            for record in news:
                patience.heard(record.at_s)
                log.append(LogEntry(record.at_s, record.frame.message))
                await _post(board, follower.read(log[-1]))
                if _ended(follower):
                    break
        return PlayedSession(
            tuple(follower.attempts), follower.mixed, tuple(log), start_s, patience.heard_s, board.opening
        )
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await reader


async def _refuse_to_play_twice(
    board: BoardClient, arrived: "asyncio.Queue[list[Record] | Exception]", member: int
) -> None:
    """Read what stood in the log when it was opened; give it back to be played."""
    read: list[list[Record] | Exception] = []
    while len(board.records) < board.standing and not (read and isinstance(read[-1], Exception)):
        read.append(await arrived.get())
    if any(record.frame.author == member for record in board.records[: board.standing]):
        raise AlreadyPlayed
    for news in [*read, *(arrived.get_nowait() for _ in range(arrived.qsize()))]:
        arrived.put_nowait(news)


def _ended(follower: Follower) -> bool:
    return follower.over or follower.mixed is not None


class _Patience:
    """How long to wait, by one's own clock, until a deadline of the board's clock has passed for sure.

    Whatever was read at some moment, the board had taken before. So as many seconds later as a deadline lies after the
    time of the last record read, the board's clock is past the deadline.
    """

    def __init__(self, clock: Callable[[], float], heard_s: int) -> None:
        self._clock, self.heard_s = clock, heard_s
        self._since, self._spread = clock(), random.uniform(0, SPREAD_S)  # noqa: S311 - chooses who speaks first

    def heard(self, at_s: int) -> None:
        """A record of this time was read."""
        if at_s > self.heard_s:
            self.heard_s, self._since = at_s, self._clock()

    def begin_again(self) -> None:
        """A mark is on its way: wait for it, and post another only if it does not come."""
        self._since = self._clock()

    def left_s(self, deadline_s: int | None) -> float | None:
        """Seconds of waiting left; ``None`` for ever."""
        if deadline_s is None:
            return None
        return max(0.0, self._since + (deadline_s - self.heard_s) + self._spread - self._clock())


async def _next(
    arrived: "asyncio.Queue[list[Record] | Exception]", wait_s: float | None
) -> "list[Record] | Exception | None":
    """What arrived, or ``None`` after ``wait_s`` seconds. What is there already counts, however late one looks."""
    with suppress(asyncio.QueueEmpty):
        return arrived.get_nowait()
    with suppress(TimeoutError):
        # Not wait_for: before Python 3.12 it may drop what arrives together with the timeout, or a cancellation.
        async with asyncio.timeout(wait_s):
            return await arrived.get()
    return None


async def _follow(board: BoardClient, arrived: "asyncio.Queue[list[Record] | Exception]") -> None:
    try:
        async with aclosing(board.follow()) as stream:
            async for records in stream:
                arrived.put_nowait(records)
    except Exception as error:  # handed to whoever waits for records
        arrived.put_nowait(error)


async def _post(board: BoardClient, messages: tuple[bytes, ...]) -> None:
    for message in messages:
        await board.post(message)

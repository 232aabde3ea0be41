"""Playing the mixes of a window: every session with an identity of its own, all at the same time, each at most once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from assets.keys import Address
from assets.transactions import Signed, Transact
from mixer.session import MixSession
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.reach import Reach

OPEN_RETRY_S = 1.0
"""Pause before a board that did not open a session is asked again; nothing has been posted then."""


class Sessions(Protocol):
    """The durable memory of sessions."""

    def begin_session(self, session_id: bytes) -> bool:
        """Note a session as begun; ``False`` if it was before. Durable when it returns."""


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A session with one of the home's notes."""

    session: MixSession
    owner: Address
    """Owner of the home's note."""


@dataclass(frozen=True, slots=True)
class MixRules:
    """The same for all homes."""

    min_peers: int
    timeout_s: int
    """Real seconds that a peer waits for another."""


def own_sessions(sessions: Iterable[MixSession], keychain: Keychain) -> list[OwnSession]:
    """Those of the ``sessions`` that a note of the home is in."""
    found = []
    for session in sessions:
        for owner in session.owners:
            place = keychain.place_of(owner)
            if place is not None and place.purpose is Purpose.WITHDRAWN:
                found.append(OwnSession(session, owner))
                break
    return found


class Mixing:
    """Plays sessions over one board."""

    def __init__(
        self,
        board: str,
        reach: Reach,
        rules: MixRules,
        keychain: Keychain,
        sessions: Sessions,
    ) -> None:
        """Raises ``ValueError`` for what is no board's address."""
        from mixer.boardservice.client import parse_board

        self._board = parse_board(board)
        self._reach, self._rules, self._keychain, self._sessions = reach, rules, keychain, sessions

    async def play(self, own: OwnSession, opened: Callable[[], bool]) -> Signed[Transact] | None:
        """Play one session to its end: the mix transaction, which is to be recorded; ``None`` if there is none.

        A session that was begun before is left alone.

        ``opened`` says whether there still is time to wait for a board that does not answer. Raises what ends a session
        from outside, as :func:`mixer.boardservice.play.play` does; the note is then where it was, or mixed by the
        others.
        """
        from mixer.boardservice.client import BoardClient
        from mixer.boardservice.play import play
        from mixer.choice import engine_for
        from mixer.engine import Rules
        from mixer.follower import Seat

        session, key = own.session, self._keychain.key(own.owner)
        async with BoardClient(self._reach.client(), self._board, session, key) as board:
            await self._open(board.open, opened)
            if not self._sessions.begin_session(session.id):
                return None
            seat = Seat(key, lambda: self._keychain.fresh(Purpose.MIXED, session.window))
            rules = Rules(minimum=self._rules.min_peers, timeout_s=self._rules.timeout_s)
            played = await play(board, engine_for(session.size), session, rules, seat)
        return played.mixed

    async def _open(self, opening: Callable[[], Awaitable[int]], in_time: Callable[[], bool]) -> None:
        """Open the session; a board that is away, or that has not read the newest block yet, is asked again."""
        from mixer.boardservice.errors import BoardLost, Busy, NotAdmitted

        while True:
            try:
                await opening()
                return
            except (BoardLost, Busy, NotAdmitted):
                if not in_time():
                    raise
            await asyncio.sleep(OPEN_RETRY_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads requests only

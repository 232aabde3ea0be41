"""Joining the mixes of a window: all sessions that a note of the home is in, and what they sign handed in."""

import asyncio

from assets.notes import NoteId
from assets.transactions import Signed, Transact
from petra.prosumer.account import Account
from petra.prosumer.carrying import Carrier
from petra.prosumer.desk import Desk
from petra.prosumer.home import Home
from petra.prosumer.keychain import Purpose
from petra.prosumer.members import Members
from petra.prosumer.mixing import OwnSession, own_sessions
from petra.prosumer.way import Way


class Joining:
    """Plays the sessions of each window at the same time, and hands in their mixes until the ledger has them."""

    def __init__(self, home: Home, desk: Desk, way: Way, members: Members, carrier: Carrier) -> None:
        self._home, self._desk, self._way, self._members, self._carrier = home, desk, way, members, carrier
        self._mixes: dict[int, set[asyncio.Task[None]]] = {}
        self._to_record: list[tuple[NoteId, Signed[Transact]]] = []

    def begin(self, window: int) -> None:
        """Play every session of a window that a note of the home is in, all at the same time."""
        h = self._home
        sessions = self._members.sessions(h.domain, window, h.schedule.mix_s(window))
        own = own_sessions(sessions, h.keychain)
        if not own and not h.account.notes(Purpose.WITHDRAWN, window):
            return
        self._desk.say("mix", window, sessions=len(own))
        if own and h.mixing is None:
            self._desk.troubles.failed("board", ValueError("no board is configured"))
            return
        self._mixes[window] = {self._desk.start("board", self._mix(session)) for session in own}

    def end(self, window: int) -> None:
        """Leave the sessions of a window that are still played: a note that goes back is not mixed any more."""
        for task in self._mixes.pop(window, ()):
            task.cancel()

    def look(self) -> None:
        """Hand in again what the ledger does not show yet."""
        self._to_record = [(note, mix) for note, mix in self._to_record if _is_owned(self._home.account, note)]
        for _, mix in self._to_record:
            if self._carrier.wants(mix):
                self._desk.start("relay", self._record(mix))

    async def _mix(self, own: OwnSession) -> None:
        assert self._home.mixing is not None
        window = own.session.window

        def in_time() -> bool:
            now_s = self._desk.now_s
            return now_s is not None and now_s < self._home.schedule.offer_by_s(window)

        while True:
            try:
                await self._way.verify()
                break
            except Exception:  # a machine that is busy, or a tor that starts anew: told once it is too late to mix
                if not in_time():
                    raise
            await asyncio.sleep(self._home.repost_s)
        mixed = await self._home.mixing.play(own, in_time)
        if mixed is not None:
            own_note = next(n.id for n in own.session.inputs if n.note.owner == own.owner)
            self._to_record.append((own_note, mixed))
            await self._record(mixed)
            self._desk.troubles.works("board")

    async def _record(self, mixed: Signed[Transact]) -> None:
        """Hand a mix in, as its other members do."""
        await self._way.verify()
        await self._carrier.carry(mixed)


def _is_owned(account: Account, note: NoteId) -> bool:
    held = account.holding(note)
    return held is not None and held.spent_by is None

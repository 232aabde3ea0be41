"""Carrying out deposits: each note handed in at its own moment, again until the ledger shows it."""

from collections.abc import Iterable
from functools import partial

from assets.notes import IssuedNote, Kind, NoteId
from assets.transactions import Signed, Transact
from petra.prosumer.carrying import Carrier
from petra.prosumer.depositing import Depositing
from petra.prosumer.desk import Desk
from petra.prosumer.way import Way


class Returning:
    """Hands in the deposits that are due, at most one at each look at the ledger."""

    def __init__(self, desk: Desk, way: Way, depositing: Depositing, carrier: Carrier) -> None:
        self._desk, self._way, self._depositing, self._carrier = desk, way, depositing, carrier
        self._going_back: set[NoteId] = set()
        self._late: set[NoteId] = set()
        self._told: set[int] = set()

    def look(self, windows: Iterable[int], now_s: int) -> None:
        """Hand in one of the notes of these windows whose moment has come; the others have other moments then."""
        windows_of: dict[IssuedNote, int] = {}
        for window in windows:
            due = self._depositing.due(window, now_s, partial(self._too_late, window))
            if due and window not in self._told:
                self._told.add(window)
                self._desk.say("deposit", window)
            windows_of |= {note: window for note in due if note.id not in self._going_back}
        note = self._depositing.turn(list(windows_of))
        signed = None if note is None else self._depositing.deposit(note, windows_of[note], now_s)
        if note is not None and signed is not None:
            self._going_back.add(note.id)
            self._desk.start("deposit", self._return(note.id, signed))

    def postpone_missed(self, now_s: int) -> None:
        """After an outage of the ledger: choose other moments for what became due unseen."""
        self._depositing.postpone_missed(now_s)

    async def _return(self, note: NoteId, signed: Signed[Transact]) -> None:
        look = self._desk.looks
        try:
            await self._way.verify()
            if self._desk.looks == look:  # or others may have waited for the way, too
                await self._carrier.carry(signed, "deposit")
        finally:
            self._going_back.discard(note)
            self._depositing.postpone(note)

    def _too_late(self, window: int, note: IssuedNote) -> None:
        if note.id not in self._late:
            self._late.add(note.id)
            self._desk.say("note too late to count", window, note=Kind(note.note.kind).name)

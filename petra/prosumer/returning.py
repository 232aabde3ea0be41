"""Carrying out deposits: each note handed in at its own moment, again until the ledger shows it."""

from collections.abc import Iterable
from functools import partial

from assets.notes import IssuedNote, Kind, NoteId
from assets.transactions import Signed, Transact
from petra.prosumer.carrying import Carrier
from petra.prosumer.depositing import Depositing
from petra.prosumer.desk import Desk
from petra.prosumer.way import Door, Way


class Returning:
    """Hands in the deposits that are due, at most one at each look at the ledger."""

    def __init__(self, desk: Desk, way: Way, depositing: Depositing, carrier: Carrier) -> None:
        self._desk, self._door, self._depositing, self._carrier = desk, Door(way, desk), depositing, carrier
        self._going_back: set[NoteId] = set()
        self._handed: dict[NoteId, Signed[Transact]] = {}
        """Handed in a moment ago: the ledger may show it soon."""
        self._late: set[NoteId] = set()
        self._told: set[int] = set()

    def look(self, windows: Iterable[int], now_s: int) -> None:
        """Hand in one of the notes of these windows whose moment has come; the others have other moments then."""
        self._handed = {note: signed for note, signed in self._handed.items() if not self._carrier.wants(signed)}
        windows_of: dict[IssuedNote, int] = {}
        going = self._going_back | self._handed.keys()
        for window in windows:
            due = self._depositing.due(window, now_s, partial(self._too_late, window))
            if due and window not in self._told:
                self._told.add(window)
                self._desk.say("deposit", window)
            windows_of |= {note: window for note in due if note.id not in going}
        note = self._depositing.turn(windows_of)
        if note is None:
            return
        signed = self._depositing.deposit(note, windows_of[note], now_s)
        if signed is None:
            self._depositing.postpone(note.id)
            return
        self._going_back.add(note.id)
        self._desk.start("deposit", self._return(note.id, signed))

    def postpone_missed(self, now_s: int) -> None:
        """After an outage of the ledger: choose other moments for what became due unseen."""
        self._depositing.postpone_missed(now_s)

    async def _return(self, note: NoteId, signed: Signed[Transact]) -> None:
        try:
            if await self._door.go_through():
                self._handed[note] = signed
                await self._carrier.carry(signed, "deposit")
        finally:
            self._going_back.discard(note)
            self._depositing.postpone(note)

    def _too_late(self, window: int, note: IssuedNote) -> None:
        if note.id not in self._late:
            self._late.add(note.id)
            self._desk.say("note too late to count", window, note=Kind(note.note.kind).name)

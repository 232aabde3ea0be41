"""Carrying out deposits: each note handed in at its own moment, again until the ledger shows it."""

from assets.notes import IssuedNote, Kind, NoteId
from assets.transactions import Signed, Transact
from petra.prosumer.carrying import Carrier
from petra.prosumer.depositing import Depositing
from petra.prosumer.desk import Desk
from petra.prosumer.way import Way


class Returning:
    """Hands in the deposits that are due."""

    def __init__(self, desk: Desk, way: Way, depositing: Depositing, carrier: Carrier) -> None:
        self._desk, self._way, self._depositing, self._carrier = desk, way, depositing, carrier
        self._going_back: set[NoteId] = set()
        self._late: set[NoteId] = set()
        self._told: set[int] = set()

    def look(self, window: int, now_s: int) -> None:
        """Hand in the notes of a window whose moment has come."""
        moves = self._depositing.due(window, now_s, lambda note: self._too_late(note, window))
        if moves and window not in self._told:
            self._told.add(window)
            self._desk.say("deposit", window)
        for signed in moves:
            if signed.tx.inputs[0].id not in self._going_back and self._carrier.wants(signed):
                self._going_back.add(signed.tx.inputs[0].id)
                self._desk.start("deposit", self._return(signed))

    def postpone_missed(self, now_s: int) -> None:
        """After an outage of the ledger: choose other moments for what became due unseen."""
        self._depositing.postpone_missed(now_s)

    async def _return(self, signed: Signed[Transact]) -> None:
        note, taken = signed.tx.inputs[0].id, False
        try:
            await self._way.verify()
            taken = await self._carrier.carry(signed, "deposit")
        finally:
            self._going_back.discard(note)
            if not taken:
                self._depositing.postpone(note)

    def _too_late(self, note: IssuedNote, window: int) -> None:
        if note.id not in self._late:
            self._late.add(note.id)
            self._desk.say("note too late to count", window, note=Kind(note.note.kind).name)

"""Which sessions a board carries: by default those whose every note stands unspent on the ledger.

A note's id is a hash that its owner is part of, and a ticket is the owner's signature. So a session that was admitted
here has no member who does not own an unspent note of the class.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from assets.chainlog import LogReader
from assets.notes import NoteId, issued
from assets.port import NoteStatus
from assets.transactions import Domain, inputs_of, outputs_of
from mixer.session import MixSession


class Admission(Protocol):
    """Asked once for each session, before it is recorded."""

    async def refusal(self, session: MixSession) -> str | None:
        """Why the board does not carry ``session``, in one sentence; ``None`` if it does."""


class Notes(Protocol):
    """What is asked of a ledger: any :class:`assets.port.Ledger` answers."""

    @property
    def domain(self) -> Domain:
        """For which ledger signatures are made."""

    def status(self, note_id: NoteId) -> NoteStatus:
        """Whether a note exists unspent."""


class AnySession:
    """Carries every well-formed session: notes need not exist. For measurements and closed pilots."""

    async def refusal(self, session: MixSession) -> str | None:
        """Nothing speaks against any session."""


class UnspentNotes:
    """Carries sessions of this ledger whose notes all stand there unspent."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._asking = asyncio.Lock()

    async def refusal(self, session: MixSession) -> str | None:
        """Ask the ledger. A ledger that cannot be read admits nobody."""
        async with self._asking:
            try:
                return await asyncio.to_thread(self._refusal, session)
            except Exception as error:  # whatever its node or file does; what it says may name them, so it is not told
                return f"Its ledger cannot be read ({type(error).__name__})."

    def _refusal(self, session: MixSession) -> str | None:
        if session.domain != self._notes.domain:
            return "It serves another ledger than the session's."
        for place, note_id in enumerate(session.input_ids):
            status = self._notes.status(note_id)
            if status is not NoteStatus.UNSPENT:
                return f"Note {place} of the session is {status.name.lower()} on the ledger; only unspent notes mix."
        return None


class NoteLog:
    """The notes of a published ledger log (``ledger.jsonl``), which may grow while it is used.

    The hash chain is verified, the rules of the ledger are not: give a log of one's own, or one that was audited.
    Raises :class:`~assets.errors.LogTampered`, and ``OSError`` as long as there is no file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: LogReader | None = None
        self._notes: dict[NoteId, NoteStatus] = {}

    @property
    def domain(self) -> Domain:
        """That of the log's first line."""
        return self._read().genesis.domain

    def status(self, note_id: NoteId) -> NoteStatus:
        """As of the log's last line."""
        reader = self._read()
        for entry in reader:
            tx = entry.signed.tx
            self._notes |= {note.id: NoteStatus.SPENT for note in inputs_of(tx)}
            outputs = outputs_of(tx, reader.genesis.grid.interval_s)
            self._notes |= {note.id: NoteStatus.UNSPENT for note in issued(outputs, entry.digest)}
        return self._notes.get(note_id, NoteStatus.UNKNOWN)

    def _read(self) -> LogReader:
        if self._reader is None:
            self._reader = LogReader(_WholeLines(self._path))
        return self._reader


class _WholeLines:
    """The lines of a file that grows; a last line that is not yet written to its end waits."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0
        self._lines: deque[bytes] = deque()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._lines:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                self._lines.extend(line for line in file if line.endswith(b"\n"))
            self._offset += sum(map(len, self._lines))
        if not self._lines:
            raise StopIteration
        return self._lines.popleft()

"""Rules that all transactions share: well-formed outputs, unspent inputs, signatures."""

from collections.abc import Collection, Iterable, Sequence

from assets import errors
from assets.domain import Domain
from assets.keys import ZERO_ADDRESS, Address, Digest
from assets.notes import MAX_NOTES, MAX_QUANTITY, MAX_SPAN, IssuedNote, Kind, Note, NoteId, issued
from assets.port import NoteStatus
from assets.rules.state import MAX_INDEX, LedgerState
from assets.units import SECONDS_PER_HOUR


def check_outputs(state: LedgerState, outputs: Sequence[Note]) -> None:
    """Every output is a well-formed note, and there is at least one and not too many."""
    if not outputs:
        raise errors.EmptyTransaction
    if len(outputs) > MAX_NOTES:
        raise errors.TooManyNotes(len(outputs), MAX_NOTES)
    for index, note in enumerate(outputs):
        check_note(state, index, note)


def check_note(state: LedgerState, index: int, note: Note) -> None:
    """Output ``index`` is a well-formed note. Its word leaves nothing else to check."""
    if note.kind not in (Kind.EPA, Kind.ECA, Kind.FA):
        raise errors.BadKind(index, int(note.kind))
    if note.owner == ZERO_ADDRESS:
        raise errors.ZeroOwner(index)
    if not 1 <= note.quantity <= MAX_QUANTITY:
        raise errors.BadQuantity(index, note.quantity)
    if note.kind == Kind.FA:
        return
    if note.end >= min(note.start + MAX_SPAN, MAX_INDEX):
        raise errors.BadSpan(index, note.start, note.end)
    if note.quantity * state.grid.interval_s % SECONDS_PER_HOUR:
        raise errors.FractionalPower(index, note.quantity)


def check_unspent(state: LedgerState, notes: Iterable[IssuedNote], spent: Collection[NoteId] = ()) -> None:
    """Every note stands on the ledger unspent, is not among those ``spent`` just now, and is named once."""
    named: set[NoteId] = set()
    for issued_note in notes:
        note_id = issued_note.id
        status = state.notes.get(note_id, NoteStatus.UNKNOWN)
        if status is NoteStatus.UNKNOWN:
            raise errors.UnknownNote(note_id)
        if status is NoteStatus.SPENT or note_id in spent or note_id in named:
            raise errors.NoteSpent(note_id)
        named.add(note_id)


def check_signatures(domain: Domain, message: Digest, owners: Sequence[Address], signatures: Sequence[bytes]) -> None:
    """Each of ``owners`` signed ``message`` for the ledger ``domain``, in order, and nobody else did."""
    if len(signatures) != len(owners):
        raise errors.SignatureCount(len(owners), len(signatures))
    for owner, signature in zip(owners, signatures, strict=True):
        recovered = domain.recover(message, signature)
        if recovered != owner:
            raise errors.BadSignature(owner, recovered)


def spend(state: LedgerState, notes: Iterable[IssuedNote]) -> None:
    """Mark notes as spent."""
    for issued_note in notes:
        state.notes[issued_note.id] = NoteStatus.SPENT


def create(state: LedgerState, outputs: tuple[Note, ...], origin: Digest) -> None:
    """Put the outputs of the transaction with digest ``origin`` on the ledger."""
    for issued_note in issued(outputs, origin):
        state.notes[issued_note.id] = NoteStatus.UNSPENT

"""Notes: the assets of the ledger. Source: PETra paper, section "Assets"; DESIGN vocabulary in docs/GLOSSARY.md."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from typing import NewType

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import Address, Digest
from assets.words import address_word, exactly, uint, word

NoteId = NewType("NoteId", bytes)
"""32 bytes: the hash of a note's fields and of where it was created."""

ADDRESS_BYTES, MAX_UINT32 = 20, 2**32 - 1

_ENERGY, _MONEY = struct.Struct(">BxIIH"), struct.Struct(">B3xQ")
"""A note's word behind its owner."""

_SIGNED = struct.Struct(">31xB12x20s24xQ28xI28xI")
"""The five words that are signed."""

MAX_QUANTITY = 2**63 - 1
"""Largest amount (nano-units) of one note: sums of a transaction stay far below 2²⁵⁶ and fit SQLite."""

MAX_POWER_W = 2**32 - 1
"""Largest power (W) of one note, and of all notes of a meter or a feeder in one interval: eight sums fill a word."""

MAX_SPAN = 1024
"""Most intervals that one energy note may cover (ten days of quarter-hours): bounds the work of checking limits."""

MAX_NOTES = 256
"""Most inputs, and most outputs, of one transaction: bounds the gas of a mix."""


class Kind(IntEnum):
    """Kind of a note; the numbers are those of the contract."""

    EPA = 1
    """Energy production asset: permits selling ``power_w`` in every interval of its span."""
    ECA = 2
    """Energy consumption asset: permits buying ``power_w`` in every interval of its span."""
    FA = 3
    """Financial asset: ``amount_nano`` of the currency; it has no span."""


ENERGY_KINDS = (Kind.EPA, Kind.ECA)


@dataclass(frozen=True, slots=True)
class Note:
    """One asset and its owner. Make notes with :func:`epa`, :func:`eca` and :func:`fa`.

    Construction checks nothing: a malformed note must be representable to be refused by the ledger.
    """

    kind: Kind | int
    owner: Address
    quantity: int
    """EPA, ECA: power in watts. FA: amount in nano-units."""
    start: int
    """First interval (inclusive); 0 for FA."""
    end: int
    """Last interval (inclusive); 0 for FA."""

    @property
    def power_w(self) -> int:
        """Power in watts of an EPA or ECA note."""
        if self.kind not in ENERGY_KINDS:
            raise ValueError("only EPA and ECA notes have a power")
        return self.quantity

    @property
    def amount_nano(self) -> int:
        """Amount in nano-units of an FA note."""
        if self.kind != Kind.FA:
            raise ValueError("only FA notes have an amount")
        return self.quantity

    @property
    def note_class(self) -> tuple[int, int, int, int]:
        """``(kind, quantity, start, end)``: notes of one class differ in nothing but their owner, so they can mix."""
        return (int(self.kind), self.quantity, self.start, self.end)


def epa(owner: Address, power_w: int, start: int, end: int) -> Note:
    """An energy production asset over the intervals ``start..end`` (inclusive)."""
    return Note(Kind.EPA, owner, power_w, start, end)


def eca(owner: Address, power_w: int, start: int, end: int) -> Note:
    """An energy consumption asset over the intervals ``start..end`` (inclusive)."""
    return Note(Kind.ECA, owner, power_w, start, end)


def fa(owner: Address, amount_nano: int) -> Note:
    """A financial asset."""
    return Note(Kind.FA, owner, amount_nano, 0, 0)


def note_word(note: Note) -> bytes:
    """The note as the ledger keeps it: one 32-byte word, in one way only.

    From the left: owner (160 bits), kind (8), and for FA 24 zeros and the amount (64); for all other kinds 8 zeros,
    power (32), start (32) and the number of further intervals (16). Raises ``EncodingError`` for a note that has no
    such word: more than ``MAX_POWER_W``, an end before the start, an FA note with a span.
    """
    try:
        if len(note.owner) == ADDRESS_BYTES and note.start <= note.end <= MAX_UINT32:
            if note.kind != Kind.FA:
                return note.owner + _ENERGY.pack(note.kind, note.quantity, note.start, note.end - note.start)
            if not note.start and not note.end:
                return note.owner + _MONEY.pack(note.kind, note.quantity)
    except struct.error:
        pass  # what follows says what is wrong
    return _checked_word(note)


def _checked_word(note: Note) -> bytes:
    """The same, field by field."""
    if note.kind == Kind.FA:
        if (note.start, note.end) != (0, 0):
            raise EncodingError(f"an FA note has start = end = 0, this one {note.start} and {note.end}")
        body = bytes(3) + uint(note.quantity, 64)
    else:
        if note.end < note.start:
            raise EncodingError(f"a note ends at or after its start, this one at {note.end} after {note.start}")
        body = bytes(1) + uint(note.quantity, 32) + uint(note.start, 32) + uint(note.end - note.start, 16)
        uint(note.end, 32)
    return exactly(note.owner, 20) + uint(note.kind, 8) + body


def note_of_word(packed: bytes) -> Note:
    """The note whose :func:`note_word` is ``packed``; raises ``EncodingError`` if there is none."""
    owner, kind, body = Address(exactly(packed, 32)[:20]), packed[20], packed[21:]
    if kind == Kind.FA:
        note = Note(Kind.FA, owner, int.from_bytes(body[3:], "big"), 0, 0)
    else:
        power_w, start, further = (int.from_bytes(part, "big") for part in (body[1:5], body[5:9], body[9:]))
        note = Note(Kind(kind) if kind in ENERGY_KINDS else kind, owner, power_w, start, start + further)
    if note_word(note) != packed:
        raise EncodingError(f"0x{packed.hex()} is the word of no note")
    return note


def note_words(note: Note) -> bytes:
    """``(uint8 kind, address owner, uint64 quantity, uint32 start, uint32 end)``: the five words that are signed."""
    note_word(note)  # what cannot be sent is not signed either
    try:
        return _SIGNED.pack(note.kind, note.owner, note.quantity, note.start, note.end)
    except struct.error:
        pass
    return (
        word(note.kind, 8)
        + address_word(note.owner)
        + word(note.quantity, 64)
        + word(note.start, 32)
        + word(note.end, 32)
    )


@dataclass(frozen=True, slots=True)
class IssuedNote:
    """A note as it stands on the ledger: what it is, and which output of which transaction created it."""

    note: Note
    origin: Digest
    """Digest of the transaction that created the note."""
    index: int
    """Place among that transaction's outputs, from 0."""
    _id: NoteId | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def id(self) -> NoteId:
        """Keccak-256 of three words: the note's, its origin, its index. Computed once.

        Raises ``EncodingError`` for fields that the words cannot express.
        """
        if self._id is None:
            computed = keccak(note_word(self.note) + exactly(self.origin, 32) + word(self.index, 16))
            object.__setattr__(self, "_id", NoteId(computed))
            return NoteId(computed)
        return self._id


def owner_runs(notes: Iterable[IssuedNote]) -> tuple[Address, ...]:
    """Who has to sign for ``notes``, in order: one entry for each run of consecutive notes of the same owner.

    A wallet that keeps an owner's notes together thus signs once per distinct owner.
    """
    return tuple(owner for owner, _ in groupby(notes, key=lambda n: n.note.owner))


def issued(outputs: tuple[Note, ...], origin: Digest) -> tuple[IssuedNote, ...]:
    """The notes that a transaction with digest ``origin`` creates."""
    return tuple(IssuedNote(note, origin, index) for index, note in enumerate(outputs))

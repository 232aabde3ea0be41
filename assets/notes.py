"""Notes: the assets of the ledger. Source: PETra paper, section "Assets"; DESIGN vocabulary in docs/GLOSSARY.md."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import Address, Digest

NoteId = NewType("NoteId", bytes)
"""32 bytes: the hash of a note's fields and of where it was created."""

MAX_QUANTITY = 2**63 - 1
"""Largest power (W) or amount (nano-units) of one note: sums of a transaction stay far below 2²⁵⁶ and fit SQLite."""

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


def word(value: int, bits: int = 256) -> bytes:
    """An unsigned integer of at most ``bits`` bits as one big-endian 32-byte word of the EVM ABI.

    Raises :class:`~assets.errors.EncodingError` for any other integer: it has no encoding.
    """
    if not 0 <= value < 1 << bits:
        raise EncodingError(f"expected an integer from 0 to 2**{bits}-1, got {value}")
    return value.to_bytes(32, "big")


def exactly(value: bytes, length: int) -> bytes:
    """``value`` if it has ``length`` bytes; raises :class:`~assets.errors.EncodingError` otherwise.

    Hashed fields have no separators. A length left unchecked would let one field's bytes count as its neighbour's.
    """
    if len(value) != length:
        raise EncodingError(f"expected {length} bytes, got {len(value)}")
    return value


def address_word(address: Address) -> bytes:
    """An address as one 32-byte word of the EVM ABI; raises ``EncodingError`` unless it has 20 bytes."""
    return bytes(12) + exactly(address, 20)


def note_words(note: Note) -> bytes:
    """``(uint8 kind, address owner, uint64 quantity, uint32 start, uint32 end)``: five words of the EVM ABI."""
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

    @property
    def id(self) -> NoteId:
        """Keccak-256 of the ABI encoding of ``(kind, owner, quantity, start, end, origin, index)``.

        Raises ``EncodingError`` for fields that the ABI cannot express.
        """
        return NoteId(keccak(note_words(self.note) + exactly(self.origin, 32) + word(self.index, 32)))


def issued(outputs: tuple[Note, ...], origin: Digest) -> tuple[IssuedNote, ...]:
    """The notes that a transaction with digest ``origin`` creates."""
    return tuple(IssuedNote(note, origin, index) for index, note in enumerate(outputs))

"""Signed offers: a promise to give notes for at least, or at most, a price.

An offer is one order for one whole energy note. Its digest follows EIP-712 over the ledger's own domain, so it is good
on one ledger only, and contains the bid store's challenge, so it is good for one posting only.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from assets.hashing import keccak
from assets.keys import Address, Digest, SigningKey
from assets.notes import IssuedNote, address_word, exactly, word
from assets.transactions import Domain, Transact
from assets.units import energy_wh


class Side(IntEnum):
    """Which way the energy goes; the numbers are those of the EIP-712 encoding."""

    SELL = 1
    """Gives an EPA note; gets an ECA note and money."""
    BUY = 2
    """Gives an ECA note and money; gets an EPA note and change."""


class NoteClass(NamedTuple):
    """What makes energy notes interchangeable in an auction, whichever side they are on."""

    power_w: int
    start: int
    """First delivery interval (inclusive)."""
    end: int
    """Last delivery interval (inclusive)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a wallet offers. Construction checks nothing; the bid store refuses what is wrong."""

    side: Side
    energy: IssuedNote
    """SELL: an EPA note. BUY: an ECA note."""
    money: tuple[IssuedNote, ...]
    """SELL: nothing. BUY: FA notes worth at least the limit times the energy of the whole note."""
    limit_nano_per_wh: int
    """SELL: lowest price that is accepted. BUY: highest. At least 1, so that every trade pays its seller a note."""
    deliver_to: Address
    """SELL: gets the buyer's ECA note. BUY: gets the EPA note."""
    pay_to: Address
    """SELL: gets the proceeds. BUY: gets the change."""
    expires_s: int
    """Ledger time, Unix seconds, from which on the offer is void."""

    @property
    def notes(self) -> tuple[IssuedNote, ...]:
        """All notes that the offer would spend: the energy note, then the money."""
        return (self.energy, *self.money)

    @property
    def owners(self) -> tuple[Address, ...]:
        """Who has to sign, in order: one entry for each run of consecutive notes of the same owner."""
        return Transact(self.notes, ()).owners

    @property
    def note_class(self) -> NoteClass:
        """The class of the energy note; only offers of one class match."""
        note = self.energy.note
        return NoteClass(note.quantity, note.start, note.end)

    def energy_wh(self, interval_s: int) -> int:
        """Energy of the whole note in watt-hours: its power in every interval of its span.

        Raises :class:`~assets.errors.FractionalEnergy` if an interval's energy is not whole.
        """
        power_w, start, end = self.note_class
        return energy_wh(power_w, interval_s) * (end - start + 1)


@dataclass(frozen=True, slots=True)
class SignedOffer:
    """An offer for one posting, with one 65-byte signature for each entry of its ``owners``."""

    offer: Offer
    challenge: bytes
    """32 bytes that the bid store issued for this posting."""
    signatures: tuple[bytes, ...]


_OFFER_TYPE = keccak(
    b"Offer(uint8 side,bytes32 energy,bytes32[] money,uint64 limitNanoPerWh,address deliverTo,address payTo,"
    b"uint64 expiresS,bytes32 challenge)"
)


def offer_digest(domain: Domain, offer: Offer, challenge: bytes) -> Digest:
    """The EIP-712 digest of an offer with its challenge: what is signed, and the offer's id in the book.

    Raises :class:`~assets.errors.EncodingError` for a value that the typed data cannot express.
    """
    body = (
        _OFFER_TYPE
        + word(offer.side, 8)
        + offer.energy.id
        + keccak(b"".join(note.id for note in offer.money))
        + word(offer.limit_nano_per_wh, 64)
        + address_word(offer.deliver_to)
        + address_word(offer.pay_to)
        + word(offer.expires_s, 64)
        + exactly(challenge, 32)
    )
    return Digest(keccak(b"\x19\x01" + domain.separator + keccak(body)))


def sign_offer(domain: Domain, offer: Offer, challenge: bytes, *keys: SigningKey) -> SignedOffer:
    """``offer`` signed by ``keys`` in the order of its ``owners``; the bid store judges whether they are right."""
    message = offer_digest(domain, offer, challenge)
    return SignedOffer(offer, challenge, tuple(key.sign(message) for key in keys))

"""Postings: a signed order, handed to the bid store by whoever owns its energy note now.

An order (:mod:`assets.orders`) is good until it expires, whoever holds it; everybody can read it on the ledger once it
was settled. So posting one proves ownership afresh: the energy note's owner signs the order's digest together with the
store's challenge. A posting is good on one ledger and once; it authorises nothing on the ledger.
"""

from dataclasses import dataclass
from typing import NamedTuple

from assets.domain import Domain
from assets.hashing import keccak
from assets.keys import Digest, SigningKey
from assets.orders import Order, SignedOrder, order_digest
from assets.units import energy_wh
from assets.words import exactly


class NoteClass(NamedTuple):
    """What makes energy notes interchangeable in an auction, whichever side they are on."""

    power_w: int
    start: int
    """First delivery interval (inclusive)."""
    end: int
    """Last delivery interval (inclusive)."""

    def energy_wh(self, interval_s: int) -> int:
        """Energy of a whole note in watt-hours: its power in every interval of its span.

        Raises :class:`~assets.errors.FractionalEnergy` if an interval's energy is not whole.
        """
        return energy_wh(self.power_w, interval_s) * (self.end - self.start + 1)


def class_of(order: Order) -> NoteClass:
    """The class of an order's energy note; only orders of one class match."""
    note = order.energy.note
    return NoteClass(note.quantity, note.start, note.end)


@dataclass(frozen=True, slots=True)
class Posting:
    """A signed order for one posting."""

    signed: SignedOrder
    challenge: bytes
    """32 bytes that the bid store issued for this posting."""
    signature: bytes
    """65 bytes by the energy note's owner under :func:`posting_digest`."""


_POSTING_TYPE = keccak(b"Posting(bytes32 order,bytes32 challenge)")


def posting_digest(domain: Domain, order_id: Digest, challenge: bytes) -> Digest:
    """The EIP-712 digest of a posting: what the energy note's owner signs.

    Raises :class:`~assets.errors.EncodingError` unless both have 32 bytes.
    """
    return domain.seal(keccak(_POSTING_TYPE + exactly(order_id, 32) + exactly(challenge, 32)))


def sign_posting(domain: Domain, signed: SignedOrder, challenge: bytes, key: SigningKey) -> Posting:
    """``signed`` for one posting; ``key`` is that of the energy note. The bid store judges whether it is right."""
    message = posting_digest(domain, order_digest(domain, signed.order), challenge)
    return Posting(signed, challenge, key.sign(message))

"""Pads that each two peers share, and that cancel out when the messages of all are combined: the DC-net.

From the X25519 secret of a pair a key is extracted with BLAKE2b (RFC 7693) and expanded with SHAKE-256 (FIPS 202),
once for each use. In the field the peer with the smaller index adds a pad and the other subtracts it; payloads are
combined with XOR, where both do the same.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b, shake_256

from assets.keys import Address, Digest
from mixer.dicemix.field import BITS, P
from mixer.dicemix.powersums import powers
from mixer.dicemix.protocol import ADDRESS_BYTES

_PERSON = b"PETra DiceMix v1"
_SLOTS = b"slots"
_PAYLOADS = b"payloads"

_LANE_BYTES = 18
"""A field element of a pad, drawn as 127 bits, with room to add up 2^17 of them."""


def pair_key(shared: bytes, context: Digest) -> bytes:
    """Key of a pair's pads. ``context`` is the view after the keys: session, run, and both public keys are in it."""
    return blake2b(context, key=shared, person=_PERSON, digest_size=32).digest()


def masked_powers(element: int, own: int, keys: Mapping[int, bytes], size: int) -> tuple[int, ...]:
    """Peer ``own``'s message of the slots phase: the first ``size`` powers of ``element``, under all its pads."""
    added = sum(_slot_pad(key, size) for peer, key in keys.items() if own < peer)
    taken = sum(_slot_pad(key, size) for peer, key in keys.items() if own > peer)
    lanes = zip(powers(element, size), _lanes(added, size), _lanes(taken, size), strict=True)
    return tuple((power + plus - minus) % P for power, plus, minus in lanes)


def summed(messages: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """What comes out of the slots phase: the power sums, all pads gone."""
    return tuple(sum(column) % P for column in zip(*messages, strict=True))


def masked_payload(address: Address, slot: int, keys: Mapping[int, bytes], size: int) -> bytes:
    """A message of the payload phase: ``address`` at place ``slot`` of ``size``, under all pads."""
    combined = int.from_bytes(address, "big") << 8 * ADDRESS_BYTES * (size - 1 - slot)
    length = size * ADDRESS_BYTES
    for key in keys.values():
        combined ^= int.from_bytes(shake_256(key + _PAYLOADS).digest(length), "big")
    return combined.to_bytes(length, "big")


def combined(messages: Sequence[bytes]) -> tuple[Address, ...]:
    """What comes out of the payload phase: the addresses in the order of their slots, all pads gone."""
    total = 0
    for message in messages:
        total ^= int.from_bytes(message, "big")
    data = total.to_bytes(len(messages[0]), "big")
    return tuple(Address(data[at : at + ADDRESS_BYTES]) for at in range(0, len(data), ADDRESS_BYTES))


def _slot_pad(key: bytes, size: int) -> int:
    """``size`` elements below 2^127 in lanes of one integer, so that pads add up in one operation."""
    drawn = int.from_bytes(shake_256(key + _SLOTS).digest(size * _LANE_BYTES), "little")
    return drawn & _mask(size)


@lru_cache(maxsize=4)
def _mask(size: int) -> int:
    lane = (2**BITS - 1).to_bytes(_LANE_BYTES, "little")
    return int.from_bytes(lane * size, "little")


def _lanes(packed: int, size: int) -> list[int]:
    data = packed.to_bytes(size * _LANE_BYTES, "little")
    return [int.from_bytes(data[at : at + _LANE_BYTES], "little") for at in range(0, len(data), _LANE_BYTES)]

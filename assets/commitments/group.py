"""A group in which commitments live: what the two curves have in common.

A point is 64 bytes, ``x ‖ y`` big-endian, on both curves: the EVM's own form, and five times faster to read than a
compressed point, whose square root would be most of the work of a verification. 64 zero bytes are the neutral element.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from assets.hashing import keccak

POINT_BYTES = 64
"""Length of a point."""

NEUTRAL = bytes(POINT_BYTES)
"""The neutral element, as the EVM writes it. It is no commitment: nobody finds an opening that leads there."""


class NoPoint(ValueError):
    """64 bytes that are no point of the group, or are its neutral element where a commitment is expected."""


class Group(Protocol):
    """A group of prime order with two generators whose discrete logarithm to one another nobody knows."""

    @property
    def name(self) -> str:
        """Name of the curve."""

    @property
    def order(self) -> int:
        """The prime order."""

    def commit(self, value: int, blinding: int) -> bytes:
        """``value * V + blinding * G``; both integers are taken modulo the order."""

    def sum(self, points: Sequence[bytes]) -> bytes:
        """The sum of points. Raises :class:`NoPoint` as :meth:`weighted_sum` does."""

    def weighted_sum(self, terms: Iterable[tuple[int, bytes]]) -> bytes:
        """The sum of ``weight * point`` over all terms (weights may be negative).

        Raises :class:`NoPoint` for bytes that are no point, and for the neutral element.
        """


def group_id(group: Group) -> bytes:
    """32 bytes that name the group in whatever is signed."""
    return keccak(b"PETra commitments v1/" + group.name.encode())


def hash_to_point(label: bytes, p: int, b: int) -> tuple[int, int]:
    """A point of ``y² = x³ + b`` over the integers modulo ``p`` (with ``p % 4 == 3``) from nothing but ``label``.

    Try and increment: the first counter from 0 on for which Keccak-256(label ‖ counter) is below ``p`` and is the x of
    a point; of its two points the one with even y. Nobody can know the point's discrete logarithm to another
    generator, for that would be a discrete logarithm of a random point. Both curves have cofactor 1.
    """
    for counter in range(256):
        x = int.from_bytes(keccak(label + bytes([counter])), "big")
        square = (x * x * x + b) % p
        y = pow(square, (p + 1) // 4, p)
        if x < p and y * y % p == square:
            return x, y if y % 2 == 0 else p - y
    raise AssertionError("256 hashes in a row missed the curve")  # probability 2**-256 on secp256k1


def value_label(name: str) -> bytes:
    """From what the generator of values is hashed."""
    return b"PETra commitments v1/" + name.encode() + b"/generator of values/"


def point_bytes(x: int, y: int) -> bytes:
    """A point as 64 bytes."""
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")

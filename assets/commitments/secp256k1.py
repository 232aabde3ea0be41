"""Commitments on secp256k1 through libsecp256k1: the fast group, for statements that the DSO checks off the chain.

Blindings go with the standard generator, because libsecp256k1 multiplies that one in constant time.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

from coincurve import PrivateKey, PublicKey

from assets.commitments.group import NEUTRAL, NoPoint, hash_to_point, point_bytes, value_label
from assets.keys import ORDER

NAME = "secp256k1"
FIELD = 2**256 - 2**32 - 977
"""Prime of the field (SEC 2, §2.4.1); the curve is y² = x³ + 7."""


class Secp256k1:
    """The group of secp256k1; see :class:`~assets.commitments.group.Group`."""

    name = NAME
    order = ORDER

    def commit(self, value: int, blinding: int) -> bytes:
        """``value * V + blinding * G``."""
        parts = [_times(_value_generator(), value), _blind(blinding % ORDER)]
        return _encode(_sum([part for part in parts if part is not None]))

    def sum(self, points: Sequence[bytes]) -> bytes:
        """The sum of points."""
        return _encode(_sum(_decode_all(points)))

    def weighted_sum(self, terms: Iterable[tuple[int, bytes]]) -> bytes:
        """The sum of ``weight * point``: points of equal weight are added first, then each sum is multiplied once."""
        by_weight: defaultdict[int, list[bytes]] = defaultdict(list)
        for weight, point in terms:
            by_weight[weight].append(point)
        parts = []
        for weight, points in by_weight.items():
            total = _sum(_decode_all(points))
            if total is not None:
                parts.append(_times(total, weight))
        return _encode(_sum([part for part in parts if part is not None]))


@cache
def _value_generator() -> PublicKey:
    return _decode(point_bytes(*hash_to_point(value_label(NAME), FIELD, 7)))


def _decode_all(points: Sequence[bytes]) -> list[PublicKey]:
    """The points, read in one go; one by one only to name the wrong one."""
    try:
        return [PublicKey(b"\x04" + point) for point in points]
    except ValueError:
        return [_decode(point) for point in points]


def _decode(point: bytes) -> PublicKey:
    try:
        return PublicKey(b"\x04" + point)
    except ValueError:
        raise NoPoint(f"0x{point.hex()} is no point of {NAME}: 64 bytes on the curve") from None


def _encode(point: PublicKey | None) -> bytes:
    return NEUTRAL if point is None else point.format(compressed=False)[1:]


def _blind(blinding: int) -> PublicKey | None:
    return PrivateKey(blinding.to_bytes(32, "big")).public_key if blinding else None


def _times(point: PublicKey, weight: int) -> PublicKey | None:
    """``weight * point``; a negative weight negates the point, because short scalars are four times faster."""
    size = abs(weight) % ORDER
    if not size:
        return None
    if weight < 0:
        raw = _encode(point)
        y = FIELD - int.from_bytes(raw[32:], "big")
        point = _decode(raw[:32] + y.to_bytes(32, "big"))
    return point.multiply(size.to_bytes(32, "big"))


def _sum(points: list[PublicKey]) -> PublicKey | None:
    """The sum; ``None`` for the neutral element, which libsecp256k1 reports as an invalid key."""
    if not points:
        return None
    try:
        return PublicKey.combine_keys(points)
    except ValueError:
        return None

"""Commitments on alt_bn128 in whole numbers: the group that the EVM adds and multiplies in (EIP-196).

py-ecc has the same curve; its general field classes are some thirty times slower, so it serves as the oracle of the
tests. Nothing here runs in constant time: a meter that must hide from whoever measures its own processor should
commit on secp256k1.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

from assets.commitments.group import NEUTRAL, POINT_BYTES, NoPoint, hash_to_point, point_bytes, value_label

NAME = "alt_bn128"
FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Prime of the field (EIP-196); the curve is y² = x³ + 3."""
ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order of the group (EIP-196)."""

_GENERATOR = (1, 2)
_WINDOW_BITS = 4

Affine = tuple[int, int]
Jacobian = tuple[int, int, int]
_ZERO: Jacobian = (1, 1, 0)


class Bn128:
    """The group of alt_bn128; see :class:`~assets.commitments.group.Group`."""

    name = NAME
    order = ORDER

    def commit(self, value: int, blinding: int) -> bytes:
        """``value * V + blinding * G``."""
        total = _fixed_base(_ZERO, _table(value_generator()), value % ORDER)
        return _encode(_fixed_base(total, _table(_GENERATOR), blinding % ORDER))

    def sum(self, points: Sequence[bytes]) -> bytes:
        """The sum of points."""
        return self.weighted_sum((1, point) for point in points)

    def weighted_sum(self, terms: Iterable[tuple[int, bytes]]) -> bytes:
        """The sum of ``weight * point``: points of equal weight are added first, then each sum is multiplied once."""
        sums: defaultdict[int, Jacobian] = defaultdict(lambda: _ZERO)
        for weight, point in terms:
            sums[weight] = _add_affine(sums[weight], _decode(point))
        total = _ZERO
        for weight, point_sum in sums.items():
            affine = _affine(point_sum)
            if affine is None:
                continue
            x, y = affine
            total = _add_jacobian(total, _times((x, y if weight >= 0 else FIELD - y), abs(weight) % ORDER))
        return _encode(total)


@cache
def value_generator() -> Affine:
    """V, the generator of values; the contract StatementVerifier has the same constant."""
    return hash_to_point(value_label(NAME), FIELD, 3)


def _decode(point: bytes) -> Affine:
    if len(point) != POINT_BYTES:
        raise NoPoint(f"a point has {POINT_BYTES} bytes, this one {len(point)}")
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    if x >= FIELD or y >= FIELD or (y * y - x * x * x - 3) % FIELD:
        raise NoPoint(f"0x{point.hex()} is no point of {NAME}")
    return x, y


def _encode(point: Jacobian) -> bytes:
    affine = _affine(point)
    return NEUTRAL if affine is None else point_bytes(*affine)


def _affine(point: Jacobian) -> Affine | None:
    x, y, z = point
    if not z:
        return None
    inverse = pow(z, -1, FIELD)
    square = inverse * inverse % FIELD
    return x * square % FIELD, y * square * inverse % FIELD


def _double(point: Jacobian) -> Jacobian:
    """Formula dbl-2009-l of the Explicit-Formulas Database, for a = 0."""
    x, y, z = point
    a, b = x * x % FIELD, y * y % FIELD
    c = b * b % FIELD
    d = 2 * ((x + b) * (x + b) - a - c) % FIELD
    e = 3 * a
    x3 = (e * e - 2 * d) % FIELD
    return x3, (e * (d - x3) - 8 * c) % FIELD, 2 * y * z % FIELD


def _add_affine(point: Jacobian, other: Affine) -> Jacobian:
    """Formula madd-2007-bl of the Explicit-Formulas Database."""
    x1, y1, z1 = point
    x2, y2 = other
    if not z1:
        return x2, y2, 1
    zz = z1 * z1 % FIELD
    h = (x2 * zz - x1) % FIELD
    r = (y2 * z1 * zz - y1) % FIELD
    if not h:
        return _double(point) if not r else _ZERO
    hh = h * h % FIELD
    i = 4 * hh
    j, v = h * i % FIELD, x1 * i % FIELD
    r *= 2
    x3 = (r * r - j - 2 * v) % FIELD
    return x3, (r * (v - x3) - 2 * y1 * j) % FIELD, ((z1 + h) * (z1 + h) - zz - hh) % FIELD


def _add_jacobian(point: Jacobian, other: Jacobian) -> Jacobian:
    affine = _affine(other)
    return point if affine is None else _add_affine(point, affine)


def _times(point: Affine, weight: int) -> Jacobian:
    """``weight * point`` by doubling and adding."""
    total = _ZERO
    for bit in bin(weight)[2:]:
        total = _double(total)
        if bit == "1":
            total = _add_affine(total, point)
    return total


@cache
def _table(generator: Affine) -> tuple[tuple[Affine, ...], ...]:
    """For each window of four bits, the multiples 1 to 15 of the generator shifted there."""
    windows = []
    base = generator
    for _ in range(0, ORDER.bit_length(), _WINDOW_BITS):
        multiples = [_affine(_times(base, digit)) for digit in range(1, 2**_WINDOW_BITS + 1)]
        whole = tuple(point for point in multiples if point is not None)
        windows.append(whole[:-1])
        base = whole[-1]
    return tuple(windows)


def _fixed_base(total: Jacobian, table: tuple[tuple[Affine, ...], ...], scalar: int) -> Jacobian:
    """``total`` plus ``scalar`` times the generator of the table."""
    for window in table:
        if digit := scalar & (2**_WINDOW_BITS - 1):
            total = _add_affine(total, window[digit - 1])
        scalar >>= _WINDOW_BITS
    return total

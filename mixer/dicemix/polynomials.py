"""Polynomials over the field in pure Python, whole ones packed into single integers.

A polynomial is a list of coefficients, the constant one first, the leading one not zero; ``[]`` is zero. Where it
matters a polynomial is *packed*: its coefficients lie in lanes of one big integer, so that a product of polynomials is
one product of integers (Kronecker substitution), and all lanes are reduced at once, since 2^127 ≡ 1.
"""

from collections.abc import Sequence

from assets.notes import MAX_NOTES
from mixer.dicemix.field import BITS, P

Polynomial = list[int]

_LANE_BYTES = 34
"""Room for a sum of products: :data:`MAX_NOTES` of less than 2^128 times less than 2^128, and one such term more."""
_LANE_BITS = 8 * _LANE_BYTES
assert MAX_NOTES * 2**256 + 2**128 < 2**_LANE_BITS


def trimmed(polynomial: Sequence[int]) -> Polynomial:
    """The polynomial without leading zeros."""
    end = len(polynomial)
    while end and not polynomial[end - 1]:
        end -= 1
    return list(polynomial[:end])


def monic(polynomial: Polynomial) -> Polynomial:
    """The multiple with leading coefficient 1 of a polynomial that is not zero."""
    scale = pow(polynomial[-1], -1, P)
    return [coefficient * scale % P for coefficient in polynomial]


def divide(dividend: Sequence[int], divisor: Sequence[int]) -> tuple[Polynomial, Polynomial]:
    """Quotient and remainder; the divisor is monic."""
    rest, degree = list(dividend), len(divisor) - 1
    low = divisor[:-1]
    quotient = [0] * max(len(rest) - degree, 0)
    for at in range(len(rest) - 1 - degree, -1, -1):
        factor = quotient[at] = rest.pop()
        if factor:
            rest[at:] = [(r - factor * d) % P for r, d in zip(rest[at:], low, strict=True)]
    return trimmed(quotient), trimmed(rest)


def gcd(a: Polynomial, b: Polynomial) -> Polynomial:
    """The monic greatest common divisor of two polynomials that are not both zero."""
    while b:
        b = monic(b)
        a, b = b, divide(a, b)[1]
    return monic(a)


class Modulus:
    """A monic polynomial of degree n ≥ 1, modulo which is reckoned (Barrett reduction, exact for polynomials)."""

    def __init__(self, polynomial: Sequence[int]) -> None:
        self._degree = len(polynomial) - 1
        if self._degree < 1 or polynomial[-1] != 1:
            raise ValueError("a modulus is monic and not constant")
        reciprocal, _ = divide([0] * (2 * self._degree) + [1], polynomial)
        self._reciprocal = _pack(reciprocal)
        self._negative = _pack([-coefficient % P for coefficient in polynomial])
        self._shift = self._degree * _LANE_BITS
        self._low = (1 << self._shift) - 1
        ones = _pack([1] * (2 * self._degree + 1))
        self._mask = ones * P
        self._carries = ones * (2 ** (_LANE_BITS - BITS) - 1)

    def square_repeatedly(self, polynomial: Sequence[int], times: int) -> Polynomial:
        """``polynomial`` (of a degree less than the modulus's) to the power of 2^``times``."""
        packed = _pack(polynomial)
        for _ in range(times):
            product = self._reduced(packed * packed)
            quotient = self._reduced((product >> self._shift) * self._reciprocal) >> self._shift
            packed = self._reduced((product + quotient * self._negative) & self._low)
        return trimmed(_unpack(packed, self._degree))

    def _reduced(self, packed: int) -> int:
        """Every lane, which holds less than 2^265, brought below 2^128."""
        for _ in range(2):
            packed = (packed & self._mask) + ((packed >> BITS) & self._carries)
        return packed


def _pack(polynomial: Sequence[int]) -> int:
    return int.from_bytes(b"".join(c.to_bytes(_LANE_BYTES, "little") for c in polynomial), "little")


def _unpack(packed: int, count: int) -> Polynomial:
    data = packed.to_bytes(count * _LANE_BYTES, "little")
    return [int.from_bytes(data[at : at + _LANE_BYTES], "little") % P for at in range(0, len(data), _LANE_BYTES)]

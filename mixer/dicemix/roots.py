"""Roots of a polynomial that should be a product of distinct linear factors; anything else is told apart.

With python-flint installed its arithmetic is used, else pure Python; both give the same.
Source: Cantor, Zassenhaus, "A new algorithm for factoring polynomials over finite fields", Math. Comp. 36, 1981.
"""

import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec

from mixer.dicemix.field import BITS, P
from mixer.dicemix.polynomials import Modulus, Polynomial, divide, gcd, trimmed
from mixer.dicemix.powersums import polynomial


class NoDistinctRoots(Exception):
    """The polynomial has a factor that is not linear, or one root twice."""


RootFinder = Callable[[Sequence[int]], tuple[int, ...]]
"""The roots of a monic polynomial, ascending. Raises :class:`NoDistinctRoots` unless they are as many as its degree."""


def pure_roots(coefficients: Sequence[int]) -> tuple[int, ...]:
    """A :data:`RootFinder` that needs nothing but Python."""
    return _checked(_split(trimmed(coefficients), checked=False), coefficients)


def flint_roots(coefficients: Sequence[int]) -> tuple[int, ...]:
    """A :data:`RootFinder` on python-flint's polynomials. Raises ``ImportError`` where that is not installed."""
    try:
        from flint import fmpz_mod_ctx, fmpz_mod_poly_ctx
    except ImportError:
        raise ImportError("fast root finding needs python-flint: pip install 'petra[dicemix]'") from None
    ring = fmpz_mod_poly_ctx(fmpz_mod_ctx(P))
    return _checked([int(root) for root, _ in ring(list(coefficients)).roots()], coefficients)


HAS_FLINT = find_spec("flint") is not None
"""Whether python-flint is installed."""

find_roots: RootFinder = flint_roots if HAS_FLINT else pure_roots
"""The faster of the two that is there."""


@lru_cache(maxsize=8)
def numbers(sums: tuple[int, ...]) -> tuple[int, ...]:
    """The N distinct numbers, ascending, whose power sums are ``sums``; raises :class:`NoDistinctRoots` if none are.

    A function of public data only. That the last few results are kept spares the peers that share a process the work
    of each other; a peer alone does it once a run.
    """
    return find_roots(polynomial(sums))


def _checked(roots: list[int], coefficients: Sequence[int]) -> tuple[int, ...]:
    if len(set(roots)) != len(coefficients) - 1:
        raise NoDistinctRoots
    return tuple(sorted(roots))


def _split(f: Polynomial, *, checked: bool) -> list[int]:
    """The roots of a monic ``f``. ``checked``: it is known to be a product of linear factors.

    For X = x + a and random a, X^(p−1) = 1 at every root of f but −a, so X^((p−1)/2) = ±1, either for about half of
    them. Since (p−1)/2 = 2^126 − 1, squaring X 126 times gives ±X, and once more gives X² at every root: where it
    does not, f is no product of distinct linear factors.
    """
    if len(f) <= 3:
        return _few_roots(f)
    while True:
        shifted = [secrets.randbelow(P), 1]
        modulus = Modulus(f)
        power = modulus.square_repeatedly(shifted, BITS - 1)
        if not checked:
            square = divide(_square(shifted), f)[1]
            if modulus.square_repeatedly(power, 1) != square:
                raise NoDistinctRoots
            checked = True
        difference = [*power, *[0] * (2 - len(power))]
        difference[0], difference[1] = (difference[0] - shifted[0]) % P, (difference[1] - 1) % P
        factor = gcd(f, trimmed(difference))
        if 1 < len(factor) < len(f):
            rest, _ = divide(f, factor)
            return _split(factor, checked=True) + _split(rest, checked=True)


def _square(linear: Polynomial) -> Polynomial:
    """The square of x + a."""
    return [linear[0] ** 2 % P, 2 * linear[0] % P, 1]


def _few_roots(f: Polynomial) -> list[int]:
    """The roots of a monic polynomial of degree 2 or less, by the formula. p ≡ 3 modulo 4 makes square roots easy."""
    if len(f) == 1:
        return []
    if len(f) == 2:
        return [-f[0] % P]
    half = f[1] * pow(-2, -1, P)
    discriminant = (half * half - f[0]) % P
    root = pow(discriminant, (P + 1) // 4, P)
    if root * root % P != discriminant:
        raise NoDistinctRoots
    return [(half + root) % P, (half - root) % P]

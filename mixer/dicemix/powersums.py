"""Power sums of N numbers, and the polynomial whose roots the numbers are, by Newton's identities.

N peers that each add the powers of one number tell the N numbers to everybody, and to nobody whose each of them is.
Source: Ruffing, Moreno-Sanchez, Kate, "P2P Mixing and Unlinkable Bitcoin Transactions", NDSS 2017, §V-B.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, repeat

from assets.notes import MAX_NOTES
from mixer.dicemix.field import P


def powers(element: int, count: int) -> tuple[int, ...]:
    """``element``, its square, …, its ``count``-th power."""
    return tuple(accumulate(repeat(element, count), lambda power, x: power * x % P))


def polynomial(sums: Sequence[int]) -> tuple[int, ...]:
    """Coefficients, constant one first, of the monic polynomial whose N roots have the power sums ``sums``.

    ``sums[k - 1]`` is Σ rᵏ for k = 1 … N. With the elementary symmetric polynomials e, Newton's identities say
    k·e_k = Σ (−1)^(i−1)·e_(k−i)·sums[i − 1] over i = 1 … k, and the coefficient of x^(N−k) is (−1)^k·e_k.
    """
    # With a_k = (−1)^k·e_k, the coefficient itself, the signs vanish: k·a_k = −Σ a_(k−i)·sums[i − 1].
    coefficients = [1]
    for k in range(1, len(sums) + 1):
        total = sum(coefficients[k - i] * sums[i - 1] for i in range(1, k + 1))
        coefficients.append(-total * _inverse(k) % P)
    return tuple(reversed(coefficients))


@lru_cache(maxsize=MAX_NOTES)
def _inverse(number: int) -> int:
    inverse: int = pow(number, -1, P)
    return inverse

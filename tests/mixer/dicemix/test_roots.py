"""From power sums to the numbers, in pure Python and with python-flint, which have to agree."""

import random
from functools import reduce

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mixer.dicemix import roots
from mixer.dicemix.field import P
from mixer.dicemix.polynomials import Modulus, divide, gcd, trimmed
from mixer.dicemix.powersums import polynomial, powers
from mixer.dicemix.roots import NoDistinctRoots, flint_roots, numbers, pure_roots

ELEMENTS = st.integers(0, P - 1)
SMALL = st.integers(0, 5)
FINDERS = [
    pure_roots,
    pytest.param(
        flint_roots,
        marks=pytest.mark.skipif(not roots.HAS_FLINT, reason="needs python-flint: pip install 'petra[dicemix]'"),
    ),
]


def times(a, b):
    product = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            product[i + j] = (product[i + j] + x * y) % P
    return product


def with_roots(numbers):
    return reduce(times, ([-n % P, 1] for n in numbers), [1])


def sums_of(numbers):
    return tuple(sum(column) % P for column in zip(*(powers(n, len(numbers)) for n in numbers), strict=True))


def found(finder, f):
    try:
        return finder(f)
    except NoDistinctRoots:
        return None


@given(ELEMENTS, st.integers(1, 20))
def test_powers_are_powers(element, count):
    assert powers(element, count) == tuple(pow(element, k, P) for k in range(1, count + 1))


@given(st.lists(ELEMENTS | SMALL, min_size=1, max_size=12))
def test_newtons_identities_give_the_polynomial_with_these_roots(numbers):
    assert list(polynomial(sums_of(numbers))) == with_roots(numbers)


@pytest.mark.parametrize("finder", FINDERS)
@given(st.lists(ELEMENTS | SMALL, min_size=1, max_size=9, unique=True))
@example([0])
@example([0, 1, P - 1])
def test_distinct_roots_are_found_in_ascending_order(finder, numbers):
    assert finder(with_roots(numbers)) == tuple(sorted(numbers))


@pytest.mark.parametrize("finder", FINDERS)
@given(st.lists(ELEMENTS | SMALL, min_size=1, max_size=7), st.data())
def test_a_root_twice_is_told_apart(finder, numbers, data):
    numbers.append(data.draw(st.sampled_from(numbers)))
    with pytest.raises(NoDistinctRoots):
        finder(with_roots(numbers))


@pytest.mark.skipif(not roots.HAS_FLINT, reason="needs python-flint: pip install 'petra[dicemix]'")
@given(st.lists(ELEMENTS | SMALL, min_size=1, max_size=8))
def test_pure_python_and_flint_agree_on_any_polynomial(coefficients):
    f = [*coefficients, 1]
    assert found(pure_roots, f) == found(flint_roots, f)


@pytest.mark.parametrize("finder", FINDERS)
def test_irreducible_factors_are_told_apart(finder):
    square_free = times([1, 0, 1], with_roots([3, 4, 5]))  # x² + 1 has no root modulo a prime that leaves 3 modulo 4
    with pytest.raises(NoDistinctRoots):
        finder(square_free)
    with pytest.raises(NoDistinctRoots):
        finder([1, 0, 1])


@pytest.mark.parametrize("finder", FINDERS)
@pytest.mark.parametrize("size", [64, 120])
def test_many_roots_are_found(finder, size):
    wanted = [random.Random(f"{size} {number}").randrange(P) for number in range(size)]
    assert finder(polynomial(sums_of(wanted))) == tuple(sorted(wanted))


@given(st.lists(ELEMENTS, min_size=1, max_size=20, unique=True))
def test_power_sums_tell_the_numbers_whatever_their_order(wanted):
    assert numbers(sums_of(wanted)) == tuple(sorted(wanted)) == numbers(sums_of(wanted[::-1]))


@given(st.lists(ELEMENTS | SMALL, max_size=9), st.lists(ELEMENTS | SMALL, max_size=5))
def test_quotient_and_remainder_give_the_dividend_back(dividend, low):
    divisor = [*low, 1]
    quotient, rest = divide(dividend, divisor)
    assert len(rest) < len(divisor)
    product = times(quotient, divisor) if quotient else []
    size = max(len(product), len(rest), len(dividend))
    padded = [p + [0] * (size - len(p)) for p in (product, rest, list(dividend))]
    assert [(a + b) % P for a, b in zip(*padded[:2], strict=True)] == padded[2]


@given(st.sets(SMALL), st.sets(SMALL))
def test_the_common_divisor_has_the_common_roots(a, b):
    assert gcd(with_roots(a), with_roots(b)) == with_roots(sorted(a & b))


@given(st.lists(ELEMENTS, min_size=1, max_size=9), st.lists(ELEMENTS, max_size=8), st.integers(0, 5))
def test_squaring_packed_is_squaring(low, polynomial, times_squared):
    modulus = [*low, 1]
    expected = divide(trimmed(polynomial), modulus)[1]
    start = expected
    for _ in range(times_squared):
        expected = divide(times(expected, expected), modulus)[1] if expected else []
    assert Modulus(modulus).square_repeatedly(start, times_squared) == expected


@pytest.mark.parametrize("size", [2, 100, 256])
def test_lanes_have_room_for_the_largest_coefficients(size):
    """Every coefficient as large as can be, in the largest session there is."""
    modulus = [P - 1] * size + [1]
    f = [P - 1] * size
    once = divide(times(f, f), modulus)[1]
    assert Modulus(modulus).square_repeatedly(f, 2) == divide(times(once, once), modulus)[1]


@pytest.mark.parametrize("modulus", [[], [1], [1, 2]])
def test_a_modulus_is_monic_and_not_constant(modulus):
    with pytest.raises(ValueError, match="monic"):
        Modulus(modulus)


def test_without_flint_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "flint", None)
    with pytest.raises(ImportError, match=r"pip install 'petra\[dicemix\]'"):
        flint_roots([1, 1])

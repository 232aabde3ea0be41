"""Elements of the field on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from mixer.dicemix.field import ELEMENT_BYTES, P, decode_elements, encode_elements

ELEMENTS = st.integers(0, P - 1)


def test_the_modulus_is_prime_and_leaves_three_modulo_four():
    assert P % 4 == 3
    # Lucas and Lehmer: 2^n − 1 is prime iff the sequence s → s² − 2 from 4 is 0 after n − 2 steps.
    s = 4
    for _ in range(125):
        s = (s * s - 2) % P
    assert s == 0


@given(st.lists(ELEMENTS, max_size=9))
def test_elements_survive_the_wire(elements):
    assert decode_elements(encode_elements(elements)) == tuple(elements)


@given(st.binary(max_size=5 * ELEMENT_BYTES))
def test_any_bytes_are_refused_or_the_only_encoding_of_what_they_say(data):
    try:
        elements = decode_elements(data)
    except EncodingError:
        return
    assert encode_elements(elements) == data


@pytest.mark.parametrize("data", [P.to_bytes(16, "big"), b"\xff" * 16, bytes(15), bytes(17)])
def test_what_is_not_reduced_or_not_whole_is_refused(data):
    with pytest.raises(EncodingError):
        decode_elements(data)


@pytest.mark.parametrize("element", [-1, P, 2**128])
def test_what_is_not_reduced_is_not_encoded(element):
    with pytest.raises(ValueError, match="element of the field"):
        encode_elements([element])

"""The prime field in which slots are reserved: integers modulo the Mersenne prime 2^127 − 1.

127 bits, so that nobody finds a second address for a slot, and two honest peers never meet in one: among 100 peers the
chance is 3·10⁻³⁵ a run. A Mersenne prime, so that reducing is shifting and adding.
"""

from collections.abc import Sequence

from assets.errors import EncodingError
from mixer.memo import public

BITS = 127
P: int = 2**BITS - 1
"""The modulus. Greater than any number of peers, so that Newton's identities may divide by every 1 … N."""

ELEMENT_BYTES = 16
"""An element on the wire: big-endian, less than :data:`P`."""


def encode_elements(elements: Sequence[int]) -> bytes:
    """The elements one behind the other. Raises ``ValueError`` if one is not reduced."""
    if not all(0 <= element < P for element in elements):
        raise ValueError("an element of the field is at least 0 and less than 2^127 - 1")
    return b"".join(element.to_bytes(ELEMENT_BYTES, "big") for element in elements)


@public
def decode_elements(data: bytes) -> tuple[int, ...]:
    """The elements that ``data`` encodes. Raises :class:`~assets.errors.EncodingError` if it is no such encoding."""
    if len(data) % ELEMENT_BYTES:
        raise EncodingError(f"elements have {ELEMENT_BYTES} bytes each; {len(data)} bytes are no number of them")
    elements = tuple(int.from_bytes(data[at : at + ELEMENT_BYTES], "big") for at in range(0, len(data), ELEMENT_BYTES))
    if not all(element < P for element in elements):
        raise EncodingError("an element of the field is not reduced")
    return elements

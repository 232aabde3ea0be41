"""Words of the EVM: integers, addresses and byte strings as they are hashed and sent."""

from assets.errors import EncodingError
from assets.keys import Address


def uint(value: int, bits: int) -> bytes:
    """An unsigned integer as ``bits // 8`` big-endian bytes.

    Raises :class:`~assets.errors.EncodingError` for any other integer: it has no encoding.
    """
    if not 0 <= value < 1 << bits:
        raise EncodingError(f"expected an integer from 0 to 2**{bits}-1, got {value}")
    return value.to_bytes(bits // 8, "big")


def word(value: int, bits: int = 256) -> bytes:
    """An unsigned integer of at most ``bits`` bits as one big-endian 32-byte word of the EVM ABI.

    Raises :class:`~assets.errors.EncodingError` for any other integer: it has no encoding.
    """
    if not 0 <= value < 1 << bits:
        raise EncodingError(f"expected an integer from 0 to 2**{bits}-1, got {value}")
    return value.to_bytes(32, "big")


def exactly(value: bytes, length: int) -> bytes:
    """``value`` if it has ``length`` bytes; raises :class:`~assets.errors.EncodingError` otherwise.

    Hashed fields have no separators. A length left unchecked would let one field's bytes count as its neighbour's.
    """
    if len(value) != length:
        raise EncodingError(f"expected {length} bytes, got {len(value)}")
    return value


def address_word(address: Address) -> bytes:
    """An address as one 32-byte word of the EVM ABI; raises ``EncodingError`` unless it has 20 bytes."""
    return bytes(12) + exactly(address, 20)

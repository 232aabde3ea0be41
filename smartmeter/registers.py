"""Decoding and encoding Modbus registers exactly: a counter's value is a fraction, never a float that drifts."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite


class RegisterError(ValueError):
    """Registers that hold no value: too few, not a number, or what the device says for "not available"."""


@dataclass(frozen=True, slots=True)
class NumberType:
    """How a number lies in 16-bit registers."""

    words: int
    code: str
    """Format of :mod:`struct` for the big-endian bytes."""
    absent: int | None = None
    """Pattern of bits that means "not implemented" (SunSpec), if there is one."""


TYPES = {
    "int16": NumberType(1, "h"),
    "uint16": NumberType(1, "H"),
    "int32": NumberType(2, "i"),
    "uint32": NumberType(2, "I"),
    "uint64": NumberType(4, "Q"),
    "float32": NumberType(2, "f"),
    "acc32": NumberType(2, "I"),
    "sunssf": NumberType(1, "h", 0x8000),
    "sunspec_int16": NumberType(1, "h", 0x8000),
    "sunspec_uint64": NumberType(4, "Q", 0xFFFF_FFFF_FFFF_FFFF),
}
"""All types that a profile may name."""

WORD_ORDERS = ("big", "little")
"""``big``: the high word first, as Modbus has it; ``little``: the low word first (Carlo Gavazzi)."""


def decode(words: Sequence[int], kind: str, word_order: str) -> Fraction:
    """The number in ``words``, exactly; raises :class:`RegisterError` if they hold none."""
    number = TYPES[kind]
    if len(words) != number.words:
        raise RegisterError(f"{kind} has {number.words} registers, got {len(words)}")
    ordered = words if word_order == "big" else words[::-1]
    raw = b"".join(word.to_bytes(2, "big") for word in ordered)
    if number.absent is not None and int.from_bytes(raw, "big") == number.absent:
        raise RegisterError("the device does not implement this register")
    (value,) = struct.unpack(">" + number.code, raw)
    if not isfinite(value):
        raise RegisterError("the register holds no finite number")
    return Fraction(value)


def encode(value: Fraction, kind: str, word_order: str) -> list[int]:
    """The registers of ``value``, rounded to what the type can hold; integers wrap as counters do.

    The inverse of :func:`decode`, for the simulator.
    """
    number = TYPES[kind]
    if number.code == "f":
        raw = struct.pack(">f", float(value))
    else:
        raw = (int(value) % (1 << 16 * number.words)).to_bytes(2 * number.words, "big")
    words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]
    return words if word_order == "big" else words[::-1]

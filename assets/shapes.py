"""Shapes of JSON values: how a Python value is written, and exactly what is accepted when it is read back.

A shape writes and reads with the same rules, so nothing can be written that would not be read. Whatever does not fit
raises :class:`~assets.errors.EncodingError` with the path of the field (``entry.signed.tx.outputs[0].owner``) and what
is expected there.
"""

import re
from collections.abc import Mapping
from typing import Generic, NoReturn, Protocol, TypeVar

from assets.errors import EncodingError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Shape(Protocol[T_co]):
    """How one Python value looks in JSON."""

    def encode(self, value: object, path: str) -> object:
        """The JSON value of ``value``; raises ``EncodingError`` naming ``path``."""

    def decode(self, value: object, path: str) -> T_co:
        """The Python value that ``value`` encodes; raises ``EncodingError`` naming ``path``."""


def refuse(path: str, expected: str, got: object) -> NoReturn:
    """Raise ``EncodingError`` for ``path``."""
    shown = repr(got)
    raise EncodingError(f"{path}: expected {expected}, got {shown if len(shown) <= 80 else shown[:77] + '...'}")


class Uint:
    """An unsigned integer of at most ``bits`` bits, as a JSON integer; a boolean is none."""

    def __init__(self, bits: int) -> None:
        self._end = 2**bits
        self._expected = f"an integer from 0 to 2**{bits}-1"

    def encode(self, value: object, path: str) -> int:
        """``value`` itself."""
        return self.decode(value, path)

    def decode(self, value: object, path: str) -> int:
        """``value`` itself."""
        if type(value) is not int or not 0 <= value < self._end:
            refuse(path, self._expected, value)
        return value


class Hex:
    """Exactly ``length`` bytes as ``0x`` and lower-case hexadecimal digits."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._pattern = re.compile(f"0x[0-9a-f]{{{2 * length}}}")
        self._expected = f"0x and {2 * length} lower-case hexadecimal digits"

    def encode(self, value: object, path: str) -> str:
        """``value`` in hexadecimal."""
        if not isinstance(value, bytes) or len(value) != self._length:
            refuse(path, f"{self._length} bytes", value)
        return "0x" + value.hex()

    def decode(self, value: object, path: str) -> bytes:
        """The bytes written as ``value``."""
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            refuse(path, self._expected, value)
        return bytes.fromhex(value[2:])


class Names(Generic[T]):
    """One of a few Python values, each written as its name."""

    def __init__(self, values: Mapping[str, T]) -> None:
        self._by_name = dict(values)
        self._names: dict[object, str] = {value: name for name, value in values.items()}
        self._expected = "one of " + ", ".join(f'"{name}"' for name in values)

    def encode(self, value: object, path: str) -> str:
        """The name of ``value``."""
        if value not in self._names:
            refuse(path, self._expected, value)
        return self._names[value]

    def decode(self, value: object, path: str) -> T:
        """The value called ``value``."""
        if not isinstance(value, str) or value not in self._by_name:
            refuse(path, self._expected, value)
        return self._by_name[value]


class TupleOf(Generic[T]):
    """A tuple of values of one shape, as a JSON array."""

    def __init__(self, item: Shape[T]) -> None:
        self._item = item

    def encode(self, value: object, path: str) -> list[object]:
        """A list of the encoded items."""
        if not isinstance(value, tuple):
            refuse(path, "a tuple", value)
        return [self._item.encode(item, f"{path}[{i}]") for i, item in enumerate(value)]

    def decode(self, value: object, path: str) -> tuple[T, ...]:
        """A tuple of the decoded items."""
        if not isinstance(value, list):
            refuse(path, "an array", value)
        return tuple(self._item.decode(item, f"{path}[{i}]") for i, item in enumerate(value))


class Record(Generic[T_co]):
    """A dataclass as a JSON object with exactly the fields given, and a ``type`` when it has a ``tag``."""

    def __init__(self, cls: type[T_co], fields: Mapping[str, Shape[object]], tag: str | None = None) -> None:
        self.cls, self.tag = cls, tag
        self._fields = dict(fields)
        self._keys = self._fields.keys() | ({"type"} if tag else set())

    def encode(self, value: object, path: str) -> dict[str, object]:
        """The fields of ``value``, encoded."""
        if not isinstance(value, self.cls):
            refuse(path, f"a {self.cls.__name__}", value)
        obj = {name: shape.encode(getattr(value, name), f"{path}.{name}") for name, shape in self._fields.items()}
        return {"type": self.tag, **obj} if self.tag else obj

    def decode(self, value: object, path: str) -> T_co:
        """The dataclass, from exactly its fields."""
        if not isinstance(value, dict):
            refuse(path, "an object", value)
        if value.keys() != self._keys:
            for name in sorted(self._keys - value.keys()):
                raise EncodingError(f"{path}.{name}: missing; expected exactly the fields {_list(self._keys)}")
            for name in sorted(value.keys() - self._keys, key=repr):
                raise EncodingError(f"{path}.{name}: unknown; expected exactly the fields {_list(self._keys)}")
        if self.tag and value["type"] != self.tag:
            refuse(f"{path}.type", f'"{self.tag}"', value["type"])
        return self.cls(**{name: shape.decode(value[name], f"{path}.{name}") for name, shape in self._fields.items()})


class OneOf(Generic[T]):
    """One of several tagged records, told apart by their ``type``."""

    def __init__(self, *records: Record[T]) -> None:
        self._records = records
        self._by_tag = {record.tag: record for record in records}
        self._expected = "one of " + ", ".join(f'"{record.tag}"' for record in records)

    def encode(self, value: object, path: str) -> dict[str, object]:
        """The record of ``value``, with its ``type``."""
        for record in self._records:
            if isinstance(value, record.cls):
                return record.encode(value, path)
        refuse(path, self._expected, value)

    def decode(self, value: object, path: str) -> T:
        """The record whose ``type`` is named."""
        if not isinstance(value, dict):
            refuse(path, "an object", value)
        tag = value.get("type")
        if not isinstance(tag, str) or tag not in self._by_tag:
            refuse(f"{path}.type", self._expected, tag)
        return self._by_tag[tag].decode(value, path)


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names))

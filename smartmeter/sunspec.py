"""SunSpec: the standard's own model definitions, from pysunspec2, and the walk over a device's models."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

BASES = (40_000, 50_000, 0)
"""Where a SunSpec map may start (SunSpec Device Information Model Specification)."""

MARK = (0x5375, 0x6E53)
"""``SunS``: what stands at the start of the map."""

END = 0xFFFF
"""Model ID that ends the map."""

MAX_MODELS = 64

ReadWords = Callable[[int, int], Awaitable[Sequence[int] | None]]
"""Reads ``count`` holding registers at ``address``; ``None`` if the device refuses or is silent."""


@dataclass(frozen=True, slots=True)
class Point:
    """A number of a SunSpec model."""

    address: int
    """Registers after the model's ID register."""
    kind: str
    unit: str
    scale_address: int | None


_KINDS = {"int16": "sunspec_int16", "uint64": "sunspec_uint64"}


def find_point(model: int, name: str) -> Point:
    """A point of a model; raises ``ValueError`` if there is none, ``ImportError`` without pysunspec2."""
    try:
        from sunspec2 import device, mdef
    except ImportError:
        raise ImportError("SunSpec profiles need the model definitions; run: pip install 'petra[meter]'") from None
    try:
        points = device.get_model_def(model)["group"]["points"]
    except mdef.ModelDefinitionError:
        raise ValueError(f"SunSpec has no model {model}") from None
    addresses, address = {}, 0
    for point in points:
        addresses[point["name"]] = address
        address += point["size"]
    found = next((p for p in points if p["name"] == name), None)
    if found is None:
        raise ValueError(f"SunSpec model {model} has no point {name!r}")
    factor = found.get("sf")
    scale_address = addresses[factor] if isinstance(factor, str) else None
    kind = found["type"]
    return Point(addresses[name], _KINDS.get(kind, kind), found.get("units") or "", scale_address)


async def discover(read: ReadWords) -> dict[int, int]:
    """The address of each model's ID register, by model number; empty if the device speaks no SunSpec."""
    for base in BASES:
        mark = await read(base, 2)
        if mark is None or tuple(mark) != MARK:
            continue
        found: dict[int, int] = {}
        address = base + 2
        for _ in range(MAX_MODELS):
            head = await read(address, 2)
            if head is None or head[0] == END:
                break
            found.setdefault(head[0], address)
            address += 2 + head[1]
            if address > 65_533:
                break
        return found
    return {}


async def identify(read: ReadWords) -> str | None:
    """What a SunSpec device says of itself in its common model (1); ``None`` if it speaks no SunSpec."""
    models = await discover(read)
    if not models:
        return None
    words = await read(models[1] + 2, 32) if 1 in models else None
    names = "" if words is None else " ".join(filter(None, (_text(words[:16]), _text(words[16:]))))
    return f"SunSpec device {names or 'without a name'}, models {', '.join(map(str, models))}"


def _text(words: Sequence[int]) -> str:
    raw = b"".join(word.to_bytes(2, "big") for word in words)
    return "".join(c for c in raw.split(b"\0")[0].decode("utf-8", errors="replace") if c.isprintable()).strip()

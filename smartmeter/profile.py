"""Meter profiles: which registers of a model hold what. One TOML file per model, no Python.

docs/meter.md describes the format. Register addresses count from 0, as they travel on the wire.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from importlib.resources import files
from math import frexp
from pathlib import Path

from smartmeter.registers import TYPES, WORD_ORDERS, RegisterError, decode

UNITS = {"Wh": 1, "kWh": 1000, "W": 1, "kW": 1000, "Hz": 1, "V": 1, "": 1}
"""Units that a profile may name, as multiples of Wh, W, Hz and V."""

COUNTERS = ("import_energy", "export_energy")
"""Registers that every profile has: energy drawn and energy delivered, cumulative."""

_REGISTER_KEYS = {"address", "type", "unit", "scale", "obis", "point", "wraps_at", "minimum", "maximum"}
_PROFILE_KEYS = {"vendor", "model", "function", "word_order", "source", "sunspec_model", "registers"}


class ProfileError(ValueError):
    """A profile file that breaks the format: ``file: what; what to do``."""


@dataclass(frozen=True, slots=True)
class Register:
    """One number of a device."""

    name: str
    address: int
    """First register, from 0 (SunSpec: from the model's ID register)."""
    kind: str
    """One of :data:`smartmeter.registers.TYPES`."""
    unit: str
    scale: Fraction
    """What one count is worth, in ``unit``."""
    obis: str
    """OBIS name (IEC 62056-61), such as ``1-0:1.8.0``."""
    wraps_at: int | None
    """Count at which an energy counter starts again from 0; ``None`` if it has no documented end."""
    scale_address: int | None = None
    """SunSpec: where the power of ten stands."""
    minimum: Fraction | None = None
    maximum: Fraction | None = None
    """Plausible values: what tells one model from another."""

    @property
    def words(self) -> int:
        """Number of 16-bit registers."""
        return TYPES[self.kind].words


@dataclass(frozen=True, slots=True)
class Profile:
    """A model of meter."""

    name: str
    vendor: str
    model: str
    function: int
    """Modbus function code that reads it: 3 or 4."""
    word_order: str
    registers: Mapping[str, Register]
    sunspec_model: int | None = None

    def value(self, name: str, memory: Mapping[int, int], base: int = 0) -> Fraction:
        """The value of a register in Wh, W or Hz; ``memory`` holds words by address, ``base`` is the model's start.

        Raises :class:`~smartmeter.registers.RegisterError` if the device did not answer it or holds no number there.
        """
        value = self._raw(name, memory, base) * self._scale(name, memory, base)
        if name in COUNTERS and value < 0:
            raise RegisterError(f"{name} is negative")
        return value

    def step(self, name: str, memory: Mapping[int, int], base: int = 0) -> Fraction:
        """Resolution of a register now: its scale factor may be large, and floats grow coarser as they grow."""
        scale = self._scale(name, memory, base)
        if self.registers[name].kind != "float32":
            return scale
        _, exponent = frexp(float(self._raw(name, memory, base)))
        return scale * Fraction(2) ** (exponent - 24)

    def _raw(self, name: str, memory: Mapping[int, int], base: int) -> Fraction:
        register = self.registers[name]
        return decode(_words(memory, base + register.address, register.words), register.kind, self.word_order)

    def _scale(self, name: str, memory: Mapping[int, int], base: int) -> Fraction:
        register = self.registers[name]
        scale = register.scale * UNITS[register.unit]
        if register.scale_address is not None:
            power = int(decode(_words(memory, base + register.scale_address, 1), "sunssf", "big"))
            if not -10 <= power <= 10:
                raise RegisterError(f"the scale factor of {name} is {power}; SunSpec allows -10 to 10")
            scale *= Fraction(10) ** power
        return scale

    def fits(self, memory: Mapping[int, int], base: int = 0) -> bool:
        """Whether every register answers and holds a plausible value."""
        try:
            for register in self.registers.values():
                value = self.value(register.name, memory, base)
                low, high = register.minimum, register.maximum
                if (low is not None and value < low) or (high is not None and value > high):
                    return False
        except RegisterError:
            return False
        return True

    def reads(self, base: int = 0) -> list[tuple[int, int]]:
        """The ``(address, count)`` of each read that the profile needs; neighbouring registers share one."""
        spans = [(base + r.address, r.words) for r in self.registers.values()]
        spans += [(base + r.scale_address, 1) for r in self.registers.values() if r.scale_address is not None]
        reach = 100 if self.sunspec_model else 0  # a SunSpec model has no holes; other devices refuse to read across
        merged: list[tuple[int, int]] = []
        for address, count in sorted(set(spans)):
            if merged and address <= sum(merged[-1]) + reach and address + count - merged[-1][0] <= 120:
                merged[-1] = (merged[-1][0], max(sum(merged[-1]), address + count) - merged[-1][0])
            else:
                merged.append((address, count))
        return merged


def _words(memory: Mapping[int, int], address: int, count: int) -> Sequence[int]:
    try:
        return [memory[address + i] for i in range(count)]
    except KeyError:
        raise RegisterError(f"register {address} did not answer") from None


def built_in() -> dict[str, Profile]:
    """The profiles that come with PETra, by name."""
    folder = files("smartmeter") / "profiles"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {f.name[:-5]: parse(f.name[:-5], f.read_text(encoding="utf-8"), f.name) for f in found}


def load(path: Path) -> Profile:
    """The profile in a TOML file; its name is the file's. Raises :class:`ProfileError`."""
    try:
        return parse(path.stem, path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: cannot be read as text ({error}); check the path") from None


def load_all(folder: Path | None = None) -> dict[str, Profile]:
    """The built-in profiles and those of ``folder``, which win."""
    return built_in() | ({} if folder is None else {p.stem: load(p) for p in sorted(folder.glob("*.toml"))})


def parse(name: str, text: str, where: str) -> Profile:
    """The profile in ``text``; raises :class:`ProfileError` that starts with ``where``."""
    try:
        table = tomllib.loads(text, parse_float=Decimal)
        return _profile(name, table)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise ProfileError(f"{where}: {error}; see docs/meter.md for the format") from None


def _profile(name: str, table: dict[str, object]) -> Profile:
    _known(table, _PROFILE_KEYS, "profile")
    function, order, entries = table.get("function", 3), table.get("word_order", "big"), table.get("registers")
    sunspec = table.get("sunspec_model")
    if function not in (3, 4) or type(function) is not int:
        raise ValueError(f"function is {function}; give 3 or 4")
    if not isinstance(order, str) or order not in WORD_ORDERS:
        raise ValueError(f"word_order is {order}; give big or little")
    if sunspec is not None and type(sunspec) is not int:
        raise ValueError("sunspec_model is the number of a SunSpec model")
    if not isinstance(entries, dict) or not set(COUNTERS) <= set(entries):
        raise ValueError(f"registers need {' and '.join(COUNTERS)}")
    registers = {key: _register(key, entry, sunspec) for key, entry in entries.items()}
    vendor, model = table.get("vendor"), table.get("model")
    if not isinstance(vendor, str) or not isinstance(model, str):
        raise ValueError("vendor and model are text")
    return Profile(name, vendor, model, function, order, registers, sunspec)


def _register(name: str, entry: object, sunspec: int | None) -> Register:
    if not isinstance(entry, dict):
        raise ValueError(f"registers.{name} is a table")
    _known(entry, _REGISTER_KEYS, f"registers.{name}")
    obis = entry.get("obis", "")
    if not isinstance(obis, str):
        raise ValueError(f"registers.{name}.obis is text")
    scale_address = None
    if sunspec is not None:
        from smartmeter.sunspec import find_point

        point = find_point(sunspec, str(entry.get("point")))
        scale_address = point.scale_address
        place: tuple[object, object, object] = (point.address, point.kind, point.unit)
    else:
        place = (entry.get("address"), entry.get("type"), entry.get("unit"))
    address, kind, unit = place
    if type(address) is not int or not 0 <= address <= 65_535:
        raise ValueError(f"registers.{name}.address is 0 to 65535")
    if not isinstance(kind, str) or kind not in TYPES:
        raise ValueError(f"registers.{name}.type is one of {', '.join(TYPES)}")
    if not isinstance(unit, str) or unit not in UNITS:
        raise ValueError(f"registers.{name}.unit is one of {', '.join(u for u in UNITS if u)}")
    if name in COUNTERS and unit not in ("Wh", "kWh"):
        raise ValueError(f"registers.{name} counts Wh or kWh")
    given = _fraction(entry, "scale", name)
    scale = Fraction(1) if given is None else given
    if scale <= 0:
        raise ValueError(f"registers.{name}.scale is above 0")
    wraps_at = entry.get("wraps_at")
    if wraps_at is not None and (type(wraps_at) is not int or wraps_at < 1):
        raise ValueError(f"registers.{name}.wraps_at is a count above 0")
    if wraps_at is None and name in COUNTERS and TYPES[kind].code in "IQ":
        wraps_at = 1 << 16 * TYPES[kind].words
    low, high = _fraction(entry, "minimum", name), _fraction(entry, "maximum", name)
    return Register(name, address, kind, unit, scale, obis, wraps_at, scale_address, low, high)


def _fraction(entry: dict[str, object], key: str, name: str) -> Fraction | None:
    value = entry.get(key)
    if value is None:
        return None
    if type(value) is not int and not isinstance(value, Decimal):
        raise ValueError(f"registers.{name}.{key} is a number")
    return Fraction(value)


def _known(table: dict[str, object], keys: set[str], what: str) -> None:
    for key in table.keys() - keys:
        raise ValueError(f"{what} has the unknown key {key!r}")

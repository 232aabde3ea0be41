"""A Modbus device that plays a home: what tests and demos read instead of hardware."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from smartmeter.profile import UNITS, Profile
from smartmeter.registers import encode
from smartmeter.sunspec import END, MARK

if TYPE_CHECKING:
    from pymodbus.constants import ExcCodes
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import SimDevice

Counters = Callable[[], tuple[int, int]]
"""What the device has counted by now: Wh imported, Wh exported."""

SUNSPEC_BASE = 40_000
COMMON_WORDS = 66
"""Length of the common model, which every SunSpec map begins with."""
FREQUENCY_HZ = 50


def played(net_wh: Sequence[int], interval_s: int, elapsed_s: float) -> tuple[int, int]:
    """Wh imported and exported after ``elapsed_s`` of a home's net consumption, at constant power in an interval."""
    length_ms = interval_s * 1000
    done, rest_ms = divmod(min(int(elapsed_s * 1000), len(net_wh) * length_ms), length_ms)
    imported, exported = ([max(0, sign * wh) for wh in net_wh[: done + 1]] for sign in (1, -1))
    now_wh = [sum(p[:done]) + (p[done] * rest_ms // length_ms if rest_ms else 0) for p in (imported, exported)]
    return now_wh[0], now_wh[1]


def registers(profile: Profile, imported_wh: int, exported_wh: int) -> dict[int, int]:
    """The device's words by address, a SunSpec map included, for what it has counted."""
    base, words = 0, {}
    if profile.sunspec_model is not None:
        length, common = 160, SUNSPEC_BASE + 2
        base = common + 2 + COMMON_WORDS
        words = dict.fromkeys(range(common, base + 2 + length), 0)
        words |= {SUNSPEC_BASE: MARK[0], SUNSPEC_BASE + 1: MARK[1], common: 1, common + 1: COMMON_WORDS}
        words |= {common + 2 + i: word for i, word in enumerate(_text("PETra", 16) + _text("simulator", 16))}
        words |= {base: profile.sunspec_model, base + 1: length, base + 2 + length: END, base + 3 + length: 0}
    values = {"import_energy": imported_wh, "export_energy": exported_wh, "frequency": FREQUENCY_HZ}
    for register in profile.registers.values():
        value = Fraction(values.get(register.name, 0)) / UNITS[register.unit] / register.scale
        for i, word in enumerate(encode(value, register.kind, profile.word_order)):
            words[base + register.address + i] = word
    return words


def _text(text: str, count: int) -> list[int]:
    raw = text.encode().ljust(2 * count, b"\0")
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]


def device(profile: Profile, counters: Counters, device_id: int = 1) -> "SimDevice":
    """The device for a pymodbus server; it counts on whenever it is asked."""
    from pymodbus.simulator import DataType, SimData, SimDevice

    function = profile.function

    async def refresh(
        code: int, start: int, address: int, count: int, current: list[int], written: list[int] | list[bool] | None
    ) -> "ExcCodes | None":
        if code == function:
            for at, word in registers(profile, *counters()).items():
                current[at - start] = word
        return None

    now = sorted(registers(profile, *counters()).items())
    block = [SimData(at, values=word, datatype=DataType.REGISTERS) for at, word in now]
    unused = SimData(0, values=0, datatype=DataType.REGISTERS)
    bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    holding, inputs = (block, [unused]) if function == 3 else ([unused], block)
    return SimDevice(device_id, simdata=(bits, list(bits), holding, inputs), action=refresh)


def server(devices: "list[SimDevice]", host: str, port: int) -> "ModbusTcpServer":
    """A Modbus TCP server of the devices; ``await serve_forever()`` runs it."""
    from pymodbus.server import ModbusTcpServer

    return ModbusTcpServer(devices, address=(host, port))

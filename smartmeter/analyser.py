"""Reading a real device: a Modbus client over TCP or a serial line, and finding out what answers."""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Protocol

from smartmeter.counter import MAX_WH
from smartmeter.profile import COUNTERS, Profile
from smartmeter.registers import RegisterError
from smartmeter.sunspec import discover

if TYPE_CHECKING:
    from pymodbus.client.base import ModbusBaseClient

TIMEOUT_S = 1.0
"""How long a device may take to answer. There is no retry: the next poll is one."""


_NO_DEVICE = (10, 11)
"""Exceptions by which a gateway says that nothing answers behind it (Modbus Application Protocol, section 7)."""


class Unreachable(ConnectionError):
    """A device that does not answer, or refuses a register that its profile names; the meter goes on without it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one poll of a device gave."""

    words: bytes
    """All registers that were read, in ascending order of their address."""
    import_wh: int
    export_wh: int
    import_step_wh: int
    """Resolution of the counter now, at least 1 Wh."""
    export_step_wh: int


class Registers(Protocol):
    """Where registers are read: a :class:`Link`, or what was recorded from one."""

    async def read(self, function: int, address: int, count: int, device_id: int) -> list[int] | None:
        """``count`` registers; ``None`` if the device is silent or refuses."""


class Presence(Enum):
    """What is found at an address."""

    NOBODY = "nobody listens"
    SILENT = "no device answers"
    ANSWERS = "a device answers"
    """With registers, or with a refusal."""


class Link:
    """A connection to the devices of one TCP address or one serial line."""

    def __init__(self, client: "ModbusBaseClient") -> None:
        self._client = client

    @classmethod
    def tcp(cls, host: str, port: int = 502) -> "Link":
        """Modbus over TCP."""
        from pymodbus.client import AsyncModbusTcpClient

        return cls(AsyncModbusTcpClient(host, port=port, timeout=TIMEOUT_S, retries=0))

    @classmethod
    def rtu(cls, device: str, baudrate: int = 9600, parity: str = "N") -> "Link":
        """Modbus RTU on a serial device such as ``/dev/ttyUSB0``."""
        from pymodbus.client import AsyncModbusSerialClient

        return cls(AsyncModbusSerialClient(device, baudrate=baudrate, parity=parity, timeout=TIMEOUT_S, retries=0))

    async def presence(self, device_id: int) -> Presence:
        """Whether a device answers at all; asks for its first holding register."""
        from pymodbus.exceptions import ModbusException

        try:
            if not self._client.connected and not await self._client.connect():
                return Presence.NOBODY
            answer = await self._client.read_holding_registers(0, count=1, device_id=device_id)
        except (ModbusException, OSError):
            return Presence.SILENT
        return Presence.SILENT if answer.isError() and answer.exception_code in _NO_DEVICE else Presence.ANSWERS

    async def read(self, function: int, address: int, count: int, device_id: int) -> list[int] | None:
        """``count`` registers; ``None`` if the device is silent or refuses."""
        from pymodbus.exceptions import ModbusException

        try:
            if not self._client.connected and not await self._client.connect():
                return None
            call = self._client.read_input_registers if function == 4 else self._client.read_holding_registers
            answer = await call(address, count=count, device_id=device_id)
        except (ModbusException, OSError):
            return None
        return None if answer.isError() or len(answer.registers) != count else list(answer.registers)

    def close(self) -> None:
        """Hang up."""
        self._client.close()


class Analyser:
    """One device on a link."""

    def __init__(self, link: Registers, profile: Profile, device_id: int = 1) -> None:
        self._link, self.profile, self._device_id = link, profile, device_id
        self._base: int | None = None if profile.sunspec_model else 0

    async def memory(self) -> dict[int, int]:
        """The words of every register of the profile, by address; raises :class:`Unreachable`."""
        try:
            return await self._memory()
        except Unreachable:
            if self.profile.sunspec_model:
                self._base = None  # what answers next may be another device, with its models elsewhere
            raise

    async def _memory(self) -> dict[int, int]:
        if self._base is None:
            models = await discover(lambda address, count: self._link.read(3, address, count, self._device_id))
            if self.profile.sunspec_model not in models:
                raise Unreachable(f"no SunSpec model {self.profile.sunspec_model} answers; try petra meter probe")
            self._base = models[self.profile.sunspec_model]
        memory: dict[int, int] = {}
        for address, count in self.profile.reads(self._base):
            words = await self._link.read(self.profile.function, address, count, self._device_id)
            if words is None:
                raise Unreachable(
                    f"registers {address} to {address + count - 1} do not answer; check cable and profile"
                )
            memory |= {address + i: word for i, word in enumerate(words)}
        return memory

    async def sample(self) -> Sample:
        """Read the device. Raises :class:`Unreachable`, or ``RegisterError`` for registers without a number."""
        memory = await self.memory()
        base = self._base or 0
        imported, exported = (_whole(self.profile.value(name, memory, base)) for name in COUNTERS)
        steps = (max(1, ceil(self.profile.step(name, memory, base))) for name in COUNTERS)
        return Sample(b"".join(memory[a].to_bytes(2, "big") for a in sorted(memory)), imported, exported, *steps)

    async def fits(self) -> bool:
        """Whether the device answers every register of the profile with a plausible value."""
        try:
            memory = await self.memory()
        except Unreachable:
            return False
        return self.profile.fits(memory, self._base or 0)


async def probe(link: Registers, profiles: dict[str, Profile], device_id: int = 1) -> list[str]:
    """The names of all profiles that the device's registers fit."""
    return [name for name, profile in profiles.items() if await Analyser(link, profile, device_id).fits()]


def _whole(value: Fraction) -> int:
    """Nearest whole Wh, halves upwards: a float32 of kWh is a hair off the Wh that it stands for."""
    whole = int(value + Fraction(1, 2))
    if whole >= MAX_WH:
        raise RegisterError("a counter shows more than any counter can; check the profile and its word order")
    return whole

"""Register dumps: what a device answered once, in a TOML file, so that its profile is tested without the device."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smartmeter.analyser import Registers, Sample

WORDS_A_LINE = 8


class DumpError(ValueError):
    """A file that is no register dump: ``file: what``."""


@dataclass(frozen=True, slots=True)
class Dump:
    """What was read of a device, and what its counters showed on its display then. Reads like a device."""

    profile: str
    """Name of the profile that fits."""
    import_wh: int
    export_wh: int
    words: Mapping[tuple[int, int], int]
    """By function code and address."""
    source: str = ""
    """From which device, and how."""

    async def read(self, function: int, address: int, count: int, device_id: int) -> list[int] | None:
        """As the device answered; it refuses what was not recorded."""
        words = [self.words.get((function, address + i)) for i in range(count)]
        return None if None in words else [word for word in words if word is not None]


@dataclass(slots=True)
class Recorder:
    """Passes reads on to a device, and remembers its answers."""

    link: Registers
    words: dict[tuple[int, int], int] = field(default_factory=dict)

    async def read(self, function: int, address: int, count: int, device_id: int) -> list[int] | None:
        """What the device answers."""
        words = await self.link.read(function, address, count, device_id)
        self.words |= {(function, address + i): word for i, word in enumerate(words or ())}
        return words

    def dump(self, profile: str, sample: Sample, source: str) -> Dump:
        """What was remembered, as a dump."""
        return Dump(profile, sample.import_wh, sample.export_wh, dict(self.words), source)


def to_toml(dump: Dump) -> str:
    """The dump as text."""
    source = dump.source.translate({ord(c): None for c in '"\\\n\r'})
    lines = [f'source = "{source}"', f'profile = "{dump.profile}"']
    lines += [f"import_wh = {dump.import_wh}", f"export_wh = {dump.export_wh}"]
    for function in sorted({f for f, _ in dump.words}):
        lines += ["", f"[function_{function}]"]
        run: list[int] = []
        for address in sorted(a for f, a in dump.words if f == function):
            if run and (address != run[-1] + 1 or len(run) == WORDS_A_LINE):
                lines.append(_line(dump, function, run))
                run = []
            run.append(address)
        lines.append(_line(dump, function, run))
    return "\n".join(lines) + "\n"


def _line(dump: Dump, function: int, run: list[int]) -> str:
    words = " ".join(f"{dump.words[function, a]:04x}" for a in run)
    return f'{run[0]} = "{words}"'


def load(path: Path) -> Dump:
    """The dump in a file. Raises :class:`DumpError`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        words = {
            (int(name.removeprefix("function_")), int(first) + i): int(word, 16)
            for name, lines in table.items()
            if name.startswith("function_")
            for first, text in lines.items()
            for i, word in enumerate(text.split())
        }
        if not all(0 <= word < 2**16 for word in words.values()):
            raise ValueError("a register is four hexadecimal digits")
        return Dump(
            str(table["profile"]), int(table["import_wh"]), int(table["export_wh"]), words, str(table["source"])
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DumpError(f"{path}: is no register dump ({error}); make one with petra meter probe --record") from None

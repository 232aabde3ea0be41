"""What a village is like: the options of ``petra village up``."""

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

TRANSPORTS = ("http", "tor")
DATABASES = ("sqlite", "postgres")
ANVIL = "anvil"
"""``chain`` of a village that runs its own development node."""

MAX_HOMES = 200
MAX_REPLICAS = 9
MAX_SPEED = 3600


@dataclass(frozen=True, slots=True)
class Options:
    """Raises ``ValueError`` for what is no village, in one sentence that says what to give."""

    homes: int = 18
    intervals: int = 6
    """Delivery intervals with trading. Interval 0 comes before them: there the homes measure and nobody trades."""
    speed: int = 30
    """Simulated seconds per real second."""
    transport: str = "http"
    chain: str = ANVIL
    """``anvil``, or the URL of a node whose clock is nobody's: then ``speed`` is 1."""
    db: str = "sqlite"
    """Of the bid store."""
    replicas: int = 1
    """Of the bid store."""
    seed: int = 1
    """Of the homes' energy, and of what their strategies draw; never of a key."""
    profiles: str | None = None
    """File with measured homes; a generated community without."""
    start: str | None = None
    """First interval, local standard time without a zone."""
    interval_s: int = 3600
    tariff: str = "0.24/0.09"
    """What the DSO sells and buys at, USD per kWh."""
    notes: int = 2
    """Notes of each kind in the standard set."""
    strategy: str = "price-taker"
    replace: Mapping[str, str] = field(default_factory=dict)
    """Commands, by the name of the process that they run as; the folder is appended."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("homes", 2, MAX_HOMES),
            ("intervals", 1, 10_000),
            ("speed", 1, MAX_SPEED),
            ("replicas", 1, MAX_REPLICAS),
            ("interval_s", 60, 86_400),
            ("notes", 1, 4),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"--{name.replace('_', '-')} is {value}; give {least} to {most}")
        for name, known in (("transport", TRANSPORTS), ("db", DATABASES)):
            if getattr(self, name) not in known:
                raise ValueError(f"--{name} is {getattr(self, name)!r}; give {' or '.join(known)}")
        if self.replicas > 1 and self.db != "postgres":
            raise ValueError("several replicas of the bid store share a database server; add --db postgres")
        if self.chain != ANVIL and not self.chain.startswith(("http://", "https://")):
            raise ValueError(f"--chain is {self.chain!r}; give anvil, or a node's URL such as http://127.0.0.1:8545")
        if self.chain != ANVIL and self.speed != 1:
            raise ValueError("on a node that is not the village's own, time is the world's; give --speed 1")

    def to_json(self) -> dict[str, object]:
        """The options as JSON values."""
        return {**asdict(self), "replace": dict(self.replace)}

    @classmethod
    def from_json(cls, values: Any) -> "Options":  # noqa: ANN401 - JSON
        """What :meth:`to_json` gave. Raises ``ValueError`` for anything else."""
        names = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise ValueError("these are not a village's options")
        return cls(**values)

    @property
    def real_interval_s(self) -> float:
        """How long an interval takes in real seconds."""
        return self.interval_s / self.speed


def parse_replace(texts: list[str]) -> dict[str, str]:
    """``NAME=COMMAND`` options as a mapping, with absolute paths: a process has a folder of its own.

    Raises ``ValueError``, also for a program that is not there.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, command = text.partition("=")
        if not equals or not name or not command.strip() or name in found:
            raise ValueError(f"--replace {text!r} is no NAME=COMMAND; write meter3='python mine.py', each name once")
        try:
            program, *arguments = shlex.split(command)
        except ValueError as error:
            raise ValueError(f"--replace {text!r}: {error}; close the quotation") from None
        path = shutil.which(program)
        if path is None:
            raise ValueError(f"--replace {text!r}: there is no program {program!r} here or in the PATH; give its path")
        words = [path, *arguments]
        found[name] = shlex.join(str(Path(word).absolute()) if Path(word).is_file() else word for word in words)
    return found

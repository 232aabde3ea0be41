"""How sure a bill is, and what happened: stands on the bill beside the energy."""

from enum import IntEnum, IntFlag


class Quality(IntEnum):
    """How sure the energy of an interval is; the worst of its parts counts."""

    MEASURED = 0
    ESTIMATED = 1
    """The energy was counted, but its division between intervals, its sign, or a part of it, is inferred."""
    MISSING = 2
    """Some of the energy was not counted by any reading."""


class Flag(IntFlag):
    """What happened in an interval. docs/meter.md has the rule behind each."""

    GAP = 1
    """The readings around one of its borders lie far apart: the energy was divided on the straight line."""
    ROLLOVER = 2
    RESET = 4
    EXCHANGE = 8
    JUMP = 16
    """An impossible reading was left out."""
    LATE = 32
    """A reading came out of order, or twice, and was left out."""
    STUCK = 64
    """A counter has stood still for longer than a home can be without power."""
    SWAPPED = 128
    """The direction cannot be right: a current transformer is likely to sit the wrong way round."""
    CLOCK = 256
    """The clock of the machine was set by more than it may drift."""
    CARRIED = 512
    """It has the energy of earlier intervals too, which were billed before they could be read."""
    ECA_KEPT = 1024
    """The prosumer brought in more EPA than it gave up ECA: the excess is not credited."""
    FIRST = 2048
    """Reading began in this interval; what flowed before is unknown."""


ALL_FLAGS = sum(Flag)


def names(flags: int) -> list[str]:
    """The flags' names, in lower case."""
    return [(flag.name or "").lower() for flag in Flag if flags & flag]

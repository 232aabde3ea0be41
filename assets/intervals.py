"""Delivery intervals: time slots of fixed length, counted from the ledger's genesis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntervalGrid:
    """The time grid of one ledger.

    Interval ``t`` covers the seconds ``genesis_s + t * interval_s`` (inclusive) to the start of ``t + 1`` (exclusive).
    """

    genesis_s: int
    """Unix time at which interval 0 starts."""
    interval_s: int
    """Length of an interval in seconds: 3600, 900, … 4."""

    def __post_init__(self) -> None:
        if self.genesis_s < 0:
            raise ValueError(f"genesis_s is {self.genesis_s}; give a Unix time >= 0")
        if not 1 <= self.interval_s <= 86_400:
            raise ValueError(f"interval_s is {self.interval_s}; give 1 to 86400 seconds")

    def index(self, unix_s: int) -> int:
        """Interval that contains ``unix_s``; raises ``ValueError`` before genesis."""
        if unix_s < self.genesis_s:
            raise ValueError(f"{unix_s} lies before the ledger's genesis {self.genesis_s}")
        return (unix_s - self.genesis_s) // self.interval_s

    def start_s(self, t: int) -> int:
        """Unix time at which interval ``t`` starts."""
        return self.genesis_s + t * self.interval_s

    def end_s(self, t: int) -> int:
        """Unix time at which interval ``t`` has ended: the start of ``t + 1``."""
        return self.start_s(t + 1)

"""When a home acts for a delivery interval: pure functions of ledger time and of what is known, without I/O.

For interval ``t`` that starts at ``S`` and lasts ``L`` seconds, all in ledger time:

    S - L + mix_after_s          members are fixed by the ledger; all sessions are played
    then, until S - gate_s       orders, as soon as the notes are mixed, in the last third at the latest
    S + deposit_after_s          whatever is still the home's goes to its meter, until none is left

A wallet that was away does what is still in time, and leaves out the rest: its notes then go back unmixed or unsold,
and the home deals with the DSO for that interval. Nothing of it is decided by whether the home trades.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from random import Random
from typing import NamedTuple

from assets.intervals import IntervalGrid
from assets.statement import deposit_deadline_s


class Stage(IntEnum):
    """What is done for an interval, in this order."""

    MIX = 1
    OFFER = 2
    DEPOSIT = 3


class Step(NamedTuple):
    """One stage of one interval."""

    stage: Stage
    window: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the due steps depend on besides the time."""

    begun: Collection[Step] = ()
    """Mixes and offers that this process has begun. Those before it: see sessions and orders, noted one by one."""
    unmixed: Collection[int] = ()
    """Windows with notes that the ledger shows where the meter issued them."""
    owned: Collection[int] = ()
    """Windows with notes that are still the home's, mixed or not."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of one microgrid, the same for all its homes. Seconds of ledger time."""

    grid: IntervalGrid
    mix_after_s: int
    """From the start of the interval before, when the members of the mixes are fixed."""
    gate_s: int
    """Before the start, when the bid store holds the auction."""
    deposit_after_s: int
    """After the start, when what was not traded goes back."""
    deadline_s: int
    """After the end: later deposits do not count."""

    def __post_init__(self) -> None:
        mixing_s = self.grid.interval_s - self.gate_s - self.mix_after_s
        if min(self.mix_after_s, self.gate_s, self.deposit_after_s, self.deadline_s) < 0 or mixing_s < 1:
            raise ValueError(
                f"between mix_after_s {self.mix_after_s} and gate_s {self.gate_s} no time is left in an interval of "
                f"{self.grid.interval_s} s; make them smaller, and none below 0"
            )
        if self.deposit_after_s >= self.grid.interval_s + self.deadline_s:
            raise ValueError(
                f"deposit_after_s is {self.deposit_after_s}, and no deposit counts later than "
                f"{self.grid.interval_s + self.deadline_s} s after the interval's start; make it smaller"
            )

    def mix_s(self, t: int) -> int:
        """When the members of ``t`` are fixed: withdrawals recorded later are not among them."""
        return self.grid.start_s(t) - self.grid.interval_s + self.mix_after_s

    def gate_closes_s(self, t: int) -> int:
        """From when on no order for ``t`` is taken."""
        return self.grid.start_s(t) - self.gate_s

    def offer_by_s(self, t: int) -> int:
        """When orders for ``t`` are decided on though not all notes are mixed: a third of the time is left."""
        return self.gate_closes_s(t) - (self.gate_closes_s(t) - self.mix_s(t)) // 3

    def deposit_s(self, t: int) -> int:
        """From when on notes of ``t`` go back; no order for them can settle any more."""
        return self.grid.start_s(t) + self.deposit_after_s

    def overdue_s(self, t: int) -> int:
        """From when on a deposit for ``t`` does not count."""
        return deposit_deadline_s(self.grid, t, self.deadline_s)

    def next_window(self, now_s: int) -> int:
        """The interval that starts next: the one whose notes are mixed and traded now."""
        return 0 if now_s < self.grid.genesis_s else self.grid.index(now_s) + 1

    def order_moment_s(self, t: int, now_s: int, rng: Random) -> int:
        """A random moment for posting an order for ``t``: nine tenths of what is left can be it."""
        left_s = max(0, self.gate_closes_s(t) - now_s)
        return now_s + rng.randint(0, left_s * 9 // 10)

    def retry_moment_s(self, t: int, now_s: int, rng: Random) -> int:
        """A random moment for posting again what could not be posted: in a quarter of what is left."""
        return now_s + rng.randint(0, max(0, self.gate_closes_s(t) - now_s) // 4)

    def deposit_moment_s(self, t: int, now_s: int, rng: Random) -> int:
        """A random moment for returning a note of ``t``: in a quarter of what is left of the time in which it counts.

        If that is over already, within a quarter of an interval: a home that comes back does not return all at once.
        """
        from_s = max(now_s, self.deposit_s(t))
        left_s = self.overdue_s(t) - from_s
        return from_s + rng.randint(0, (left_s if left_s > 0 else self.grid.interval_s) // 4)


def due(schedule: Schedule, now_s: int, known: Known) -> tuple[Step, ...]:
    """What is to be begun at ledger time ``now_s``, earliest interval first.

    Members are fixed once time is past :meth:`Schedule.mix_s`: then every block up to it has been read.
    """
    steps = [Step(Stage.DEPOSIT, t) for t in sorted(known.owned) if schedule.deposit_s(t) <= now_s]
    t = schedule.next_window(now_s)
    if schedule.mix_s(t) < now_s < schedule.gate_closes_s(t):
        steps.append(Step(Stage.MIX, t))
        if t in known.owned and (t not in known.unmixed or schedule.offer_by_s(t) <= now_s):
            steps.append(Step(Stage.OFFER, t))
    return tuple(step for step in steps if step not in known.begun)

"""Several analysers of one home combined: what the home drew from the grid, made and used.

    net         = Σ grid (import - export)            with grid analysers
                = Σ load - Σ generation               without: every analyser counts import - export
    generation  = Σ generation (export - import)
    consumption = net + generation                    so generation and feed-in give consumption

Source: the usual metering concepts of photovoltaic homes (VDE-AR-N 4105); docs/meter.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from smartmeter.flags import Flag, Quality
from smartmeter.journal import Journal
from smartmeter.profile import COUNTERS

STANDBY_W = 50
"""What an inverter may draw at night without being taken for one that is wired the wrong way round."""

SECONDS_PER_HOUR = 3600


class Role(Enum):
    """What an analyser measures."""

    GRID = "grid"
    """The connection to the grid: import is drawn, export is fed in."""
    LOAD = "load"
    """Consumers behind the connection."""
    GENERATION = "generation"
    """Panels, a battery's inverter: export is what they give."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """One analyser where it is mounted."""

    name: str
    role: Role
    step_wh: int = 1
    """Resolution of its counters."""
    reverse: bool = False
    """The current transformers are known to sit the wrong way round: import and export change places."""
    max_export_w: int | None = None
    """Most power that can flow out there; 0 where nothing can."""
    stuck_after_s: int = 0
    """How long both counters may stand still; 0 for as long as they like."""

    @property
    def import_counter(self) -> str:
        """Name in the journal of the counter of what is drawn."""
        return f"{self.name}/{COUNTERS[1 if self.reverse else 0]}"

    @property
    def export_counter(self) -> str:
        """Name in the journal of the counter of what is delivered."""
        return f"{self.name}/{COUNTERS[0 if self.reverse else 1]}"


@dataclass(frozen=True, slots=True)
class HomeEnergy:
    """One interval of a home."""

    net_wh: int
    """Drawn minus fed in (signed)."""
    generation_wh: int | None
    """Made in the home; ``None`` without a generation analyser."""
    quality: Quality
    flags: Flag

    @property
    def consumption_wh(self) -> int | None:
        """Used in the home; ``None`` without a generation analyser."""
        return None if self.generation_wh is None else self.net_wh + self.generation_wh


class Wiring:
    """A home's analysers; reads interval energies from the journal."""

    def __init__(self, analysers: Sequence[Mounted], interval_s: int) -> None:
        """Raises ``ValueError`` for no analyser, or two of one name."""
        if not analysers:
            raise ValueError("a meter has at least one analyser; name one in the configuration")
        if len({a.name for a in analysers}) != len(analysers):
            raise ValueError("two analysers have one name; give each its own")
        self.analysers, self._interval_s = tuple(analysers), interval_s
        grid = [a for a in analysers if a.role is Role.GRID]
        self._billed = tuple(grid or analysers)
        self._generation = tuple(a for a in analysers if a.role is Role.GENERATION)
        self._checks_generation = bool(grid) and bool(self._generation)

    @property
    def counters(self) -> tuple[str, ...]:
        """Names of all counters in the journal."""
        return tuple(c for a in self.analysers for c in (a.import_counter, a.export_counter))

    def net_total_wh(self, journal: Journal, t: int) -> int | None:
        """Net energy from the first readings to the start of interval ``t``; ``None`` if nobody can tell yet."""
        return _sum(self._total(journal, a, t) for a in self._billed)

    def begins_after(self, journal: Journal, end_s: int) -> bool:
        """Whether an analyser that is billed was first read at ``end_s`` or later: nothing before will be known."""
        firsts = [journal.first_ms(c) for a in self._billed for c in (a.import_counter, a.export_counter)]
        return any(first_ms is not None and first_ms >= end_s * 1000 for first_ms in firsts)

    def energy(self, journal: Journal, t: int, *, billed_only: bool = False) -> HomeEnergy | None:
        """Interval ``t``; ``None`` until readings of all analysers reach its end.

        The interval in which reading began counts from the first readings. ``billed_only``: from the analysers that the
        bill depends on, whatever the others do; it says so by the flag ``GAP``.
        """
        asked = self._billed if billed_only else self.analysers
        after = _sum(self._total(journal, a, t + 1) for a in asked)
        if after is None:
            return None
        each = {a.name: self._delta(journal, a, t) for a in asked}
        net_wh = sum(each[a.name][0] - each[a.name][1] for a in self._billed)
        generated = [each[a.name][1] - each[a.name][0] for a in self._generation if a.name in each]
        generation_wh = sum(generated) if generated else None
        counters = [c for a in asked for c in (a.import_counter, a.export_counter)]
        quality = max(journal.edges(c, t) for c in counters)
        flags = Flag(0) if len(asked) == len(self.analysers) else Flag.GAP
        for counter in counters:
            flags |= journal.flags(counter, t)
        if self._is_swapped(each, net_wh, generation_wh):
            flags |= Flag.SWAPPED
        if any(self._is_stuck(journal, a, t) for a in asked):
            flags |= Flag.STUCK
        if flags & (Flag.SWAPPED | Flag.STUCK):
            quality = max(quality, Quality.ESTIMATED)
        return HomeEnergy(net_wh, generation_wh, quality, flags)

    def _total(self, journal: Journal, a: Mounted, t: int) -> int | None:
        drawn, delivered = journal.total_wh(a.import_counter, t), journal.total_wh(a.export_counter, t)
        return None if drawn is None or delivered is None else drawn - delivered

    def _delta(self, journal: Journal, a: Mounted, t: int) -> tuple[int, int]:
        """Energy drawn and delivered at one analyser in ``t``; its end is known."""
        ends = [journal.total_wh(c, t + 1) or 0 for c in (a.import_counter, a.export_counter)]
        starts = [journal.total_wh(c, t) or 0 for c in (a.import_counter, a.export_counter)]
        return ends[0] - starts[0], ends[1] - starts[1]

    def _is_swapped(self, each: dict[str, tuple[int, int]], net_wh: int, generation_wh: int | None) -> bool:
        standby_wh = STANDBY_W * self._interval_s // SECONDS_PER_HOUR
        for a in (a for a in self.analysers if a.name in each):
            drawn_wh, delivered_wh = each[a.name]
            slack_wh = 2 * a.step_wh
            if a.role is Role.GENERATION and drawn_wh - delivered_wh > standby_wh + slack_wh:
                return True
            if a.max_export_w is not None and delivered_wh > a.max_export_w * self._interval_s // 3600 + slack_wh:
                return True
        if not self._checks_generation or generation_wh is None:
            return False
        slack_wh = 2 * sum(2 * a.step_wh for a in self.analysers)
        return net_wh + generation_wh < -slack_wh

    def _is_stuck(self, journal: Journal, a: Mounted, t: int) -> bool:
        """Whether both counters have stood still since at least ``stuck_after_s`` before the end of ``t``."""
        if a.stuck_after_s <= 0:
            return False
        since = t + 1 - -(-a.stuck_after_s // self._interval_s)
        for counter in (a.import_counter, a.export_counter):
            before, after = journal.total_wh(counter, since), journal.total_wh(counter, t + 1)
            if before is None or after is None or before != after:
                return False
        return True


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    known = [v for v in found if v is not None]
    return sum(known) if len(known) == len(found) else None

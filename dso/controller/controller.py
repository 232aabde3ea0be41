"""The control signal of each interval, and the prices and limits that follow from it, within bounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from assets.transactions import PriceChange
from dso.controller.forecast import Forecast

PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far and how fast the controller may move. Raises ``ValueError`` for bounds that contradict one another."""

    enter_permille: int = 200
    """A price level moves only if the load is this far from the target, in thousandths of the target."""
    leave_permille: int = 80
    """And returns only once it is this near: the gap is the hysteresis."""
    max_level: int = 4
    """Most steps of price, up and down."""
    step_permille: int = 100
    """One step of price, in thousandths of the base price."""
    min_limit_permille: int = 500
    """The least share of the notes' limits that remains when load must be shed."""

    def __post_init__(self) -> None:
        if not 0 <= self.leave_permille < self.enter_permille:
            raise ValueError("leave_permille lies from 0 to below enter_permille; otherwise prices oscillate")
        if self.max_level < 0 or self.step_permille < 0 or self.max_level * self.step_permille >= PERMILLE:
            raise ValueError("max_level steps of step_permille stay below 1000, so that no price becomes 0 or negative")
        if not 0 <= self.min_limit_permille <= PERMILLE:
            raise ValueError("min_limit_permille is between 0 and 1000")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the controller decided for one interval, and why."""

    t: int
    forecast_w: int
    target_w: int
    signal_w: int
    """Load to attract (positive) or to shed (negative)."""
    level: int
    consumption_nano_per_wh: int
    production_nano_per_wh: int
    limit_permille: int
    """Share of the ECA limits that may be issued."""
    reason: str

    def price_change(self, start_s: int) -> PriceChange:
        """The prices as the ledger records them."""
        return PriceChange(start_s, self.consumption_nano_per_wh, self.production_nano_per_wh)


@dataclass
class Controller:
    """One price level for each time of day; it moves by at most one step a day, so that homes and prices settle."""

    per_day: int
    """Intervals of a day."""
    bounds: Bounds = field(default_factory=Bounds)
    levels: dict[int, int] = field(default_factory=dict)
    """Price level by time of day: positive is dearer."""

    def decide(self, day: Sequence[Forecast], base: Sequence[PriceChange]) -> tuple[Decision, ...]:
        """Decisions for a whole day ahead. ``base``: the tariff's prices of the same intervals.

        The target is the day's mean: shedding above it, attracting below. Raises ``ValueError`` unless there is one
        forecast and one price for each interval of the day.
        """
        if len(day) != self.per_day or len(base) != self.per_day:
            raise ValueError(f"the controller decides for whole days of {self.per_day} intervals")
        target_w = sum(f.load_w for f in day) // len(day)
        scale_w = max(1, abs(target_w))
        return tuple(self._decide(f, price, target_w, scale_w) for f, price in zip(day, base, strict=True))

    def _decide(self, f: Forecast, base: PriceChange, target_w: int, scale_w: int) -> Decision:
        bounds, slot = self.bounds, f.t % self.per_day
        old = self.levels.get(slot, 0)
        deviation = (f.load_w - target_w) * PERMILLE // scale_w
        level, reason = old, "within the hysteresis band: unchanged"
        if abs(deviation) >= bounds.enter_permille:
            step = 1 if deviation > 0 else -1
            level = max(-bounds.max_level, min(bounds.max_level, old + step))
            reason = f"forecast {abs(deviation) / 10:.0f} % {'above' if step > 0 else 'below'} target: " + (
                "at its bound" if level == old else "one step dearer" if step > 0 else "one step cheaper"
            )
        elif abs(deviation) <= bounds.leave_permille and old:
            level, reason = old - (1 if old > 0 else -1), "near the target: one step back to the tariff"
        self.levels[slot] = level
        factor = PERMILLE + level * bounds.step_permille
        consumption = max(
            base.consumption_nano_per_wh * factor // PERMILLE,
            base.production_nano_per_wh,  # the DSO never buys dearer than it sells
        )
        excess_w = max(0, f.highest_w - target_w)
        limit = PERMILLE
        if level == bounds.max_level and excess_w:
            limit = max(bounds.min_limit_permille, max(0, target_w) * PERMILLE // max(1, f.highest_w))
        return Decision(
            f.t, f.load_w, target_w, target_w - f.load_w, level, consumption, base.production_nano_per_wh, limit, reason
        )

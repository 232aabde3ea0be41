"""The grid check under stress: the generated community with every home's power multiplied."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from assets.units import SECONDS_PER_HOUR
from dso.grid.check import Cut, GridCheck, Request
from dso.grid.cigre import NODE_BUS, residential
from petra.homes.battery import net_after_battery
from petra.homes.profile import Profiles
from petra.operated import Options, play
from petra.tables import Table


@dataclass(frozen=True, slots=True)
class Stress:
    """What one scale did to the grid. Energy in watt-hours."""

    scale: int
    notes_w: int
    """ECA power, and EPA power, that the homes ask for together in every interval."""
    cut: Cut
    unchecked: int
    """Intervals in which a limit is violated without the grid check."""
    checked: int
    """The same with it."""
    wanted_wh: int
    """Energy exchanged without the check, imports and exports alike."""
    withheld_wh: int
    """Energy of that which the check's capacities did not permit."""


def stress(profiles: Profiles, scale: int) -> Stress:
    """Homes that exchange only what their notes permit, every number of theirs multiplied by ``scale``.

    Each home asks for the same notes in every interval (constant behaviour hides who needs them): as much as the
    largest home's largest exchange. Without the check the homes exchange what they want; with it each feeder stays
    within its capacities.
    """
    feeders = tuple(NODE_BUS)
    unknown = {p.node for p in profiles.homes} - set(feeders)
    if unknown:
        raise ValueError(f"homes are at the nodes {sorted(unknown)}; the CIGRE network has homes at {list(feeders)}")
    check = GridCheck(residential(), feeders)
    net_w = np.zeros((profiles.intervals, len(feeders)), dtype=np.int64)
    homes, peak_w = np.zeros(len(feeders), dtype=np.int64), 0
    for profile in profiles.homes:
        own_wh = np.array(net_after_battery(profile, profiles.interval_s), dtype=np.int64)
        own_w = own_wh * SECONDS_PER_HOUR // profiles.interval_s * scale
        net_w[:, feeders.index(profile.node)] += own_w
        homes[feeders.index(profile.node)] += 1
        peak_w = max(peak_w, int(np.abs(own_w).max()))
    asked = tuple((homes * peak_w).tolist())
    (cut,) = check.decide([Request(0, (0,) * len(feeders), asked, asked)])
    permitted_w = np.clip(net_w, [-c.export_w for c in cut.capacities], [c.import_w for c in cut.capacities])
    return Stress(
        scale,
        sum(asked),
        cut,
        check.violations(net_w),
        check.violations(permitted_w),
        _energy_wh(net_w, profiles.interval_s),
        _energy_wh(net_w - permitted_w, profiles.interval_s),
    )


def _energy_wh(power_w: npt.NDArray[np.int64], interval_s: int) -> int:
    return int(np.abs(power_w).sum()) * interval_s // SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class MarketStress:
    """What one scale did on the real market and ledger, without and with the grid check. Energy in watt-hours."""

    scale: int
    unchecked: int
    """Intervals in which a limit of the network is violated without the grid check."""
    checked: int
    """The same with it."""
    unchecked_traded_wh: int
    checked_traded_wh: int
    exchanged_wh: int
    """What the homes exchange with the grid without the check."""
    withheld_wh: int
    """What the limits did not permit of it."""
    explanations: tuple[str, ...]
    """Of the grid check, one for each time that it set limits."""


def market_stress(profiles: Profiles, options: Options) -> MarketStress:
    """Play ``profiles`` at ``options.scale`` twice. The first day only gives history."""
    check = GridCheck(residential(), tuple(NODE_BUS))
    free = play(profiles, replace(options, check=False), check)
    held = play(profiles, replace(options, check=True), check)
    return MarketStress(
        options.scale,
        check.violations(free.feeder_w),
        check.violations(held.feeder_w),
        free.traded_wh,
        held.traded_wh,
        sum(abs(wh) for net in free.net_wh for wh in net),
        held.withheld_wh,
        tuple(g.cut.explanation for g in held.guarded),
    )


def market_stress_table(results: list[MarketStress], source: str) -> Table:
    """The results beside one another."""
    return Table(
        "Market under stress",
        ("scale", "violations without", "with", "traded kWh without", "with", "exchanged kWh", "withheld kWh"),
        [
            (
                f"x{r.scale}",
                str(r.unchecked),
                str(r.checked),
                f"{r.unchecked_traded_wh / 1000:.1f}",
                f"{r.checked_traded_wh / 1000:.1f}",
                f"{r.exchanged_wh / 1000:.0f}",
                f"{r.withheld_wh / 1000:.1f} ({100 * r.withheld_wh / max(1, r.exchanged_wh):.2f} %)",
            )
            for r in results
        ],
        source,
    )


def stress_table(results: list[Stress], source: str) -> Table:
    """The results beside one another."""
    return Table(
        "Grid check under stress",
        ("scale", "notes asked kW", "notes cut to", "violations without", "with", "trade kWh", "withheld kWh", "worst"),
        [
            (
                f"x{r.scale}",
                f"{r.notes_w / 1000:.1f}",
                f"{r.cut.permille / 10:.1f} %",
                str(r.unchecked),
                str(r.checked),
                f"{r.wanted_wh / 1000:.0f}",
                f"{r.withheld_wh / 1000:.1f} ({100 * r.withheld_wh / max(1, r.wanted_wh):.2f} %)",
                "-" if r.cut.worst is None else f"{r.cut.worst.element} {r.cut.worst.value:.3f}",
            )
            for r in results
        ],
        source,
    )

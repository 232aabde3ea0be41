"""The worst case within what notes permit, and how far they must be cut so that no limit is violated.

Voltages, loadings and margins are physics, in floating point. Permits are whole watts, cut by whole thousandths; what
reaches the ledger is computed in integers from these alone.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from assets.transactions import FeederCapacity
from dso.grid.flow import Flows, PowerFlow

MAX_CORNER_FEEDERS = 6
"""Up to this many feeders, every combination of importing and exporting feeders is checked."""

WHOLE = 1000
"""Permits are cut in thousandths."""

Margins = npt.NDArray[np.float64]
Watts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the network must keep to."""

    lowest_pu: float = 0.95
    """Half of EN 50160's ±10 %: the other half is left to the medium voltage."""
    highest_pu: float = 1.05
    loading: float = 1.0
    """Share of a line's ampacity and of a transformer's rated power that may be used."""
    tan_phi: float = 0.329
    """Reactive power of the homes per power drawn (a power factor of 0.95); what they feed in carries none."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The worst that was found in one interval."""

    element: str
    value: float
    limit: float
    """The limit that ``value`` breaks: p.u. of a voltage, or share of an ampacity or of a rated power."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What the check decided for one interval."""

    t: int
    permille: int
    """How much of the notes asked for may be issued, in thousandths."""
    capacities: tuple[FeederCapacity, ...]
    """The feeders' capacities for this interval."""
    worst: Violation | None
    """What the notes asked for would have violated worst; ``None`` if nothing."""
    margin: float
    """Distance to the nearest limit at the capacities decided: p.u. or share; negative if load alone violates one."""
    binding: str
    """The element with that margin."""

    @property
    def explanation(self) -> str:
        """One sentence for the operator."""
        if self.worst is None:
            nearest = f"nearest limit {self.binding}, margin {self.margin:.3f}"
            return f"interval {self.t}: all notes asked for are safe; {nearest}"
        found = f"{self.worst.element} would reach {self.worst.value:.3f} (limit {self.worst.limit:.3f})"
        if self.margin < 0:
            return f"interval {self.t}: {found} even without notes, margin {self.margin:.3f}; no notes, shed load"
        return (
            f"interval {self.t}: {found}; notes cut to {self.permille / 10:.1f} %, "
            f"which leaves {self.binding} a margin of {self.margin:.3f}"
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one interval, by feeder, in the order of the check's feeders. Watts."""

    t: int
    base_w: tuple[int, ...]
    """Forecast net load that needs no notes (positive = import)."""
    eca_w: tuple[int, ...]
    """ECA power issued or asked for."""
    epa_w: tuple[int, ...]
    """EPA power issued or asked for."""


class GridCheck:
    """Checks a network whose feeders each draw at one bus. ``feeder_bus``: feeder number to bus place."""

    def __init__(self, flow: PowerFlow, feeders: tuple[int, ...], limits: Limits | None = None) -> None:
        """``feeders`` are the numbers behind the columns of ``flow``. Raises ``ValueError`` if they do not match."""
        if len(feeders) != len(flow.buses):
            raise ValueError(f"{len(feeders)} feeders for {len(flow.buses)} buses; give one bus for each feeder")
        self.flow, self.feeders, self.limits = flow, feeders, limits or Limits()
        self._corners = _corners(len(feeders))
        network = flow.network
        buses = [bus.name for bus in network.buses]
        lines, transformers = [x.name for x in network.lines], [x.name for x in network.transformers]
        self._names = [
            *(f"{b} (low voltage)" for b in buses),
            *(f"{b} (high voltage)" for b in buses),
            *lines,
            *transformers,
        ]

    def run(self, power_w: npt.ArrayLike) -> Flows:
        """Flows for the cases ``power_w[case, feeder]`` (net import), with the homes' reactive power."""
        power = np.atleast_2d(np.asarray(power_w, dtype=np.float64))
        return self.flow.run(power, np.maximum(power, 0) * self.limits.tan_phi)

    def margins(self, flows: Flows) -> Margins:
        """Distance of every element to its limit by case: lower voltage, upper voltage, lines, transformers."""
        low, high = flows.u_pu - self.limits.lowest_pu, self.limits.highest_pu - flows.u_pu
        return np.hstack([low, high, self.limits.loading - flows.line, self.limits.loading - flows.transformer])

    def violations(self, power_w: npt.ArrayLike) -> int:
        """In how many of the cases ``power_w[case, feeder]`` (net import) a limit is violated."""
        return int(np.count_nonzero(self.margins(self.run(power_w)).min(axis=1) < 0))

    def decide(self, requests: list[Request]) -> list[Cut]:
        """The largest share of the notes asked for that keeps every corner of each interval within the limits."""
        if not requests:
            return []
        base = np.array([r.base_w for r in requests], dtype=np.int64)
        eca = np.array([r.eca_w for r in requests], dtype=np.int64)
        epa = np.array([r.epa_w for r in requests], dtype=np.int64)
        if base.shape != (len(requests), len(self.feeders)) or base.shape != eca.shape or base.shape != epa.shape:
            raise ValueError(f"a request names base, ECA and EPA power for each of the {len(self.feeders)} feeders")
        if eca.size and min(eca.min(), epa.min()) < 0:
            raise ValueError("ECA and EPA power are not negative")
        safe = np.zeros(len(requests), dtype=np.int64)
        full = self._worst(base, eca, epa)
        safe[full.min(axis=1) >= 0] = WHOLE
        low, high = safe.copy(), np.full(len(requests), WHOLE, dtype=np.int64)
        # Halving needs that less power is never less safe, which holds on a network that is fed from one side.
        while np.any(high - low > 1):
            middle = (low + high) // 2
            good = self._worst(base, _scaled(eca, middle), _scaled(epa, middle)).min(axis=1) >= 0
            low, high = np.where(good, middle, low), np.where(good | (high - low <= 1), high, middle)
            high = np.where(low == WHOLE, WHOLE, high)
        eca_safe, epa_safe = _scaled(eca, low), _scaled(epa, low)
        left = self._worst(base, eca_safe, epa_safe)
        return [self._cut(r, int(low[i]), eca_safe[i], epa_safe[i], full[i], left[i]) for i, r in enumerate(requests)]

    def _cut(
        self,
        request: Request,
        permille: int,
        eca: Watts,
        epa: Watts,
        full: Margins,
        left: Margins,
    ) -> Cut:
        capacities = tuple(
            FeederCapacity(feeder, int(export), int(imported))
            for feeder, export, imported in zip(self.feeders, epa, eca, strict=True)
        )
        worst, nearest = int(full.argmin()), int(left.argmin())
        found = None if full[worst] >= 0 else self._violation(worst, float(full[worst]))
        return Cut(request.t, permille, capacities, found, float(left[nearest]), self._names[nearest])

    def _violation(self, element: int, margin: float) -> Violation:
        buses = len(self.flow.network.buses)
        if element < buses:
            return Violation(self._names[element], self.limits.lowest_pu + margin, self.limits.lowest_pu)
        limit = self.limits.highest_pu if element < 2 * buses else self.limits.loading
        return Violation(self._names[element], limit - margin, limit)

    def _worst(self, base: Watts, eca: Watts, epa: Watts) -> Margins:
        """The smallest margin of every element over the corners, by interval."""
        imports = self._corners[None, :, :]
        cases = np.where(imports, (base + eca)[:, None, :], (base - epa)[:, None, :])
        margins = self.margins(self.run(cases.reshape(-1, cases.shape[2])))
        worst: Margins = margins.reshape(len(base), len(self._corners), -1).min(axis=1)
        return worst


def lowest_capacities(cuts: list[Cut]) -> tuple[FeederCapacity, ...]:
    """Capacities that are safe in all of ``cuts``: the ledger has one capacity for a feeder, not one per interval."""
    found: dict[int, FeederCapacity] = {}
    for capacity in (c for cut in cuts for c in cut.capacities):
        old = found.get(capacity.feeder, capacity)
        found[capacity.feeder] = FeederCapacity(
            capacity.feeder, min(old.export_w, capacity.export_w), min(old.import_w, capacity.import_w)
        )
    return tuple(found[feeder] for feeder in sorted(found))


def _scaled(power_w: Watts, permille: Watts) -> Watts:
    scaled: Watts = power_w * permille[:, None] // WHOLE
    return scaled


def _corners(feeders: int) -> npt.NDArray[np.bool_]:
    """Which feeders import at once, by corner; with many feeders: all, none, and all but or only one."""
    if feeders <= MAX_CORNER_FEEDERS:
        return np.array(list(product((True, False), repeat=feeders)), dtype=np.bool_)
    one = np.eye(feeders, dtype=np.bool_)
    return np.vstack([np.ones((1, feeders), dtype=np.bool_), np.zeros((1, feeders), dtype=np.bool_), one, ~one])

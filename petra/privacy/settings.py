"""Gas and notes of each privacy setting, beside what the adversary then gets: one interval of a real microgrid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petra import simulation, stages
from petra.ledgers import gas_total
from petra.microgrid import Microgrid
from petra.scenario import Scenario
from petra.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class SettingCost:
    """One setting; gas is per home and interval."""

    name: str
    homes: int
    notes: int
    """Per home and interval."""
    gas: int
    mix_gas: int
    """Part of it spent on mixing."""
    mix_s: float
    """Per home and interval, all peers in one process."""
    adversary: float
    """Probability that the owner of a mixed note is named by whoever only counts who took part."""


def settings(scenario: Scenario, notes: Sequence[int] = (1, 2, 4)) -> list[SettingCost]:
    """No mix, a mix of traders only, and everybody with a standard set of 1, 2 and 4 notes of each kind."""
    found = []
    for count in notes:
        full = _with_notes(scenario, count)
        gas, seconds, active, homes = _interval(full)
        total = sum(gas.values()) // homes
        size = full.standard_set.count
        mixing = gas["mix"] // homes
        if count == notes[0]:
            found.append(SettingCost("no mix", homes, size, total - mixing, 0, 0.0, 1.0))
        found.append(
            SettingCost(f"everybody, {count} of a kind", homes, size, total, mixing, seconds / homes, 1 / homes)
        )
        if count == notes[0] and active:
            share = active / homes
            cover = gas["withdraw"] + gas["mix"] + gas["deposit"]
            fewer = round((gas["trade"] + cover * share) / homes)
            found.append(
                SettingCost(
                    "mix of traders only (computed)",
                    homes,
                    size,
                    fewer,
                    round(mixing * share),
                    seconds * share / homes,
                    1 / active,
                )
            )
    return found


def _with_notes(scenario: Scenario, count: int) -> Scenario:
    notes = replace(scenario.standard_set, epa_notes=count, eca_notes=count, fa_notes=count)
    return replace(scenario, standard_set=notes)


def _interval(scenario: Scenario) -> tuple[dict[str, int], float, int, int]:
    """Gas by stage, seconds of mixing, homes that traded, homes: of the second interval, when strategies know one."""
    grid = simulation.build(scenario)
    watch = Stopwatch()
    gas: dict[str, int] = {}
    active = 0
    for t in range(2):
        grid.advance_to(grid.ledger.grid.start_s(t) - scenario.lead_s)
        prices = grid.ledger.price_at(t)
        assert prices is not None
        before = gas_total(grid.ledger)
        watch = Stopwatch()

        def spent(stage: str, since: int) -> int:
            gas[stage] = gas_total(grid.ledger) - since
            return gas_total(grid.ledger)

        grid.submit(stages.withdrawals(grid, t))
        before = spent("withdraw", before)
        with watch("mix"):
            grid.submit(stages.mixes(grid, t))
        before = spent("mix", before)
        stages.post_orders(grid, t, prices)
        trades = stages.settle(grid, grid.bidstore.clear(t, stages.tie_break(grid, t)))
        before = spent("trade", before)
        grid.submit(stages.deposits(grid, t))
        spent("deposit", before)
        active = _active(grid, t) if trades else 0
    return gas, watch.seconds["mix"], active, len(grid.homes)


def _active(grid: Microgrid, t: int) -> int:
    """Homes with a settled order in interval ``t``."""
    from petra.privacy.view import View

    view = View(grid.ledger.entries())
    traded = {note.note.owner for order in view.orders if order.energy.note.start == t for note in order.notes}
    return sum(any(a in traded for a in home.wallet.uses) for home in grid.homes)

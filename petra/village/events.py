"""What happens in a village, one line for each event."""

import time
from collections.abc import Iterator
from pathlib import Path

from petra.village.facts import Facts, Watcher
from petra.village.state import Condition

TOLD = (Condition.RESTARTING, Condition.PAUSED, Condition.FAILED)


class Events:
    """Compares what is with what was."""

    def __init__(self, folder: Path) -> None:
        self._watcher = Watcher(folder)
        self._before: Facts | None = None
        self._began_s = time.time()

    def fresh(self) -> Iterator[str]:
        """What happened since the last time."""
        try:
            facts = self._watcher.look()
        except ValueError:  # nothing is written yet
            return
        before, self._before = self._before, facts
        for line in between(before, facts):
            yield f"{time.time() - self._began_s:7.1f} s  {line}"


def between(before: Facts | None, now: Facts) -> Iterator[str]:
    """What happened between two looks."""
    if before is None or (before.state.phase, before.state.message) != (now.state.phase, now.state.message):
        yield f"{now.state.phase.value}{': ' + now.state.message if now.state.message else ''}"
    yield from _processes(before, now)
    if now.stage and (before is None or before.stage != now.stage):
        yield f"interval {now.t}: {now.stage}"
    yield from _market(before, now)
    if now.bills.count != (0 if before is None else before.bills.count):
        yield f"{now.bills.count} bills made"
    for fault in now.faults[0 if before is None else len(before.faults) :]:
        yield f"fault: {fault.get('text') or fault.get('fault')}"


def _processes(before: Facts | None, now: Facts) -> Iterator[str]:
    known = {} if before is None else {p.name: p for p in before.state.processes}
    for p in now.state.processes:
        old = known.get(p.name)
        if p.state in TOLD and (old is None or (old.state, old.restarts) != (p.state, p.restarts)):
            yield f"{p.name} is {p.state.value}"
        elif old is not None and p.restarts > old.restarts:
            yield f"{p.name} was started again, {p.restarts} times so far"


def _market(before: Facts | None, now: Facts) -> Iterator[str]:
    for t, window in sorted(now.windows.items()):
        old = before.windows.get(t) if before is not None else None
        mixes, trades = (0, 0) if old is None else (len(old.mixes), len(old.trades))
        if len(window.mixes) > mixes:
            yield f"window {t}: mixes of {', '.join(map(str, window.mixes[mixes:]))} notes"
        if len(window.trades) > trades:
            fresh = window.trades[trades:]
            wh = sum(trade.energy_wh for trade in fresh)
            yield f"window {t}: {len(fresh)} trades, {wh} Wh at {fresh[0].price_nano_per_wh} nano per Wh"

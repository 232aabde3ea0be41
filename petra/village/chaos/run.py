"""Doing a plan to a running village, and measuring how long everybody needs to get over it."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from petra.village.audit.recovery import Happened
from petra.village.audit.village import CHAOS
from petra.village.chaos import cheat, processes
from petra.village.chaos.faults import fault_of
from petra.village.chaos.kinds import Kind, Planned
from petra.village.chaos.plan import Cast
from petra.village.chaos.recovery import Mark, is_further, mark_of
from petra.village.layout import Layout
from petra.village.links import read_links
from petra.village.state import Phase, VillageState, read_state, write_json

LOOK_S = 0.2
"""How often a victim is looked at."""

PATIENCE_S = 120.0
"""How long after a fault was taken back its victim may need."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The village's clock: what it shows when the real one shows what."""

    real_s: float
    simulated_s: float
    speed: float

    @classmethod
    def of(cls, folder: Path) -> "Pace":
        """The village's own clock."""
        values = json.loads(Layout(folder).clock.read_text(encoding="utf-8"))
        return cls(float(values["real_s"]), float(values["simulated_s"]), float(values["speed"]))

    def simulated_ms(self, real_s: float) -> int:
        """What it shows, in milliseconds."""
        return int((self.simulated_s + (real_s - self.real_s) * self.speed) * 1000)

    def real_at(self, simulated_s: int) -> float:
        """When it shows so."""
        return self.real_s + (simulated_s - self.simulated_s) / self.speed


def cast_of(folder: Path, state: VillageState) -> Cast:
    """Whom faults can hit in a village."""
    roles: dict[str, list[str]] = {}
    for process in state.processes:
        roles.setdefault(process.role, []).append(process.name)
    tor_relays: list[str] = []
    if state.options.transport == "tor":
        from petra.onion.layout import Role
        from petra.onion.network import load

        tor_relays = [node.name for node in load(folder / "tor" / "network").layout.of(Role.RELAY)]
    cheats = [name for name, command in state.options.replace.items() if cheat.COMMAND in command]
    links = [link.name for link in read_links(folder)]
    return Cast(roles, links, tor_relays, sorted(cheats), stores_files=state.options.db == "sqlite")


class Chaos:
    """A plan, being done."""

    def __init__(self, folder: Path, plan: Sequence[Planned], seed: int, say: Callable[[str], None]) -> None:
        self._folder, self._plan, self._seed, self._say = folder, plan, seed, say
        self._pace = Pace.of(folder)
        self._began_s = time.time()
        self.happened: list[Happened] = []

    async def run(self) -> list[Happened]:
        """Do everything, and wait until everybody recovered or had its time; writes ``chaos.json`` as it goes."""
        self._began_s = time.time()
        self._write()
        async with asyncio.TaskGroup() as group:
            for planned in self._plan:
                group.create_task(self._one(planned))
        return self.happened

    async def _one(self, planned: Planned) -> None:
        due_s = self._began_s + planned.at_ms / 1000
        await asyncio.sleep(max(0.0, due_s - time.time()))
        fault = fault_of(self._folder, planned)
        before, well = processes.find(self._folder, planned.process), None
        restarts = 0 if before is None else before.restarts
        if planned.kind is Kind.CHAIN:  # the blocks it forgets do not count as new when they are made again
            well = await mark_of(self._folder, planned)
        while not (was_there := fault.inject()) and time.time() < due_s + PATIENCE_S:
            await asyncio.sleep(LOOK_S)  # it is being started again after something else
        injected_s = time.time()
        until_s = injected_s + planned.lasts_ms / 1000 * was_there
        try:
            self._tell(planned, injected_s, until_s)
            while time.time() < until_s:
                await asyncio.sleep(min(LOOK_S, max(0.0, until_s - time.time())))
                fault.keep()
        finally:
            fault.heal()
        healed_s = time.time()
        recovered_s = await self._recovered(planned, healed_s, well) if was_there else None
        now = processes.find(self._folder, planned.process)
        self.happened.append(
            Happened(
                fault=planned.kind.value,
                victim=planned.process if planned.kind is not Kind.TOR else planned.victim,
                role=_role(planned, before.role if before is not None else ""),
                at_s=round(injected_s - self._began_s, 2),
                healed_s=round(healed_s - self._began_s, 2),
                recovered_s=None if recovered_s is None else round(recovered_s - self._began_s, 2),
                restarts=(now.restarts if now is not None else restarts) - restarts,
                text=planned.text if was_there else f"{planned.text}, for which it was not there",
                simulated_ms=(self._pace.simulated_ms(injected_s), self._pace.simulated_ms(healed_s)),
                skew_ms=planned.amount * 1000 if planned.kind is Kind.SKEW else 0,
            )
        )
        self._write()

    async def _recovered(self, planned: Planned, healed_s: float, well: Mark | None) -> float | None:
        """When the victim had come further than when the fault was taken back, and further than ``well``."""
        began = await mark_of(self._folder, planned) if well is None else well
        if planned.kind in (Kind.KILL, Kind.CHAIN, Kind.REPLICA) and began is not None:
            await asyncio.sleep(LOOK_S)  # the supervisor has to see it first
        while time.time() - healed_s < PATIENCE_S:
            if is_further(await mark_of(self._folder, planned), began):
                return time.time()
            await asyncio.sleep(LOOK_S)
        return None

    def _tell(self, planned: Planned, now_s: float, until_s: float) -> None:
        """Show it to whoever watches the village."""
        self._say(f"{now_s - self._began_s:7.1f} s  {planned.text}")
        line = {"real_s": round(now_s, 3), "simulated_s": self._pace.simulated_ms(now_s) // 1000}
        row = {**line, "fault": planned.kind.value, "target": planned.victim, "text": planned.text}
        with Layout(self._folder).faults.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "until_s": round(until_s, 3) if planned.lasts_ms else None}) + "\n")

    def _write(self) -> None:
        done = sorted(self.happened, key=lambda h: h.at_s)
        plan = [{**asdict(p), "kind": p.kind.value} for p in self._plan]
        write_json(self._folder / CHAOS, {"seed": self._seed, "plan": plan, "faults": [asdict(h) for h in done]})


def _role(planned: Planned, role: str) -> str:
    return "tor relay" if planned.kind is Kind.TOR else role


def time_left_ms(folder: Path, state: VillageState, intervals: int | None) -> int:
    """Real milliseconds until faults have to end: with the last interval but one, so that the last one is calm.

    ``intervals``: so many from now on, if there are as many.
    """
    pace, options = Pace.of(folder), state.options
    now_s = time.time()
    last_s = pace.real_at(int(state.facts["genesis_s"]) + options.intervals * options.interval_s)
    if intervals is not None:
        last_s = min(last_s, now_s + intervals * options.real_interval_s)
    return int((last_s - now_s) * 1000)


async def until_delivered(folder: Path) -> bool:
    """Wait until the village has ended; whether its last interval was billed, within three intervals and a while.

    One that is delivered is about to end, and its node with it: whoever reports reads what the node kept.
    """
    options = read_state(folder).options
    end_s = time.monotonic() + 3 * options.real_interval_s + 2 * PATIENCE_S
    while time.monotonic() < end_s:
        state = read_state(folder)
        if state.phase in (Phase.STOPPED, Phase.FAILED):
            return state.delivered
        await asyncio.sleep(1)
    return False

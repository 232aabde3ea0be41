"""The poller: reads all analysers, again and again, and stores what they show before anybody uses it."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Sequence

from smartmeter.analyser import Analyser, Link, Unreachable
from smartmeter.clock import SteadyClock
from smartmeter.config import AnalyserConfig
from smartmeter.journal import Journal, Reading
from smartmeter.profile import COUNTERS, Profile
from smartmeter.registers import RegisterError

log = logging.getLogger("petra.meter")

STALE_S = 3.0
"""A reading that took so long is none: the process hung meanwhile, and nobody knows when the device showed it."""


class Poller:
    """The analysers of one meter, by the connections that lead to them."""

    def __init__(
        self,
        analysers: Sequence[AnalyserConfig],
        profiles: dict[str, Profile],
        journal: Journal,
        poll_ms: int,
        clock: SteadyClock,
    ) -> None:
        self._journal, self._poll_ms, self._clock = journal, poll_ms, clock
        self._links: dict[tuple[object, ...], Link] = {}
        self._on: defaultdict[tuple[object, ...], list[tuple[str, Analyser]]] = defaultdict(list)
        for a in analysers:
            where = _place(a)
            if where not in self._links:
                self._links[where] = _open(a)
            self._on[where].append((a.name, Analyser(self._links[where], profiles[a.name], a.device_id)))
        self._arrived: list[Reading] = []
        self._news = asyncio.Event()
        self.silent: set[str] = set()
        """Names of the analysers that did not answer when they were last asked."""

    async def run(self) -> None:
        """Poll until cancelled. A connection that hangs delays its own analysers only."""
        try:
            async with asyncio.TaskGroup() as group:
                for where in self._links:
                    group.create_task(self._poll(where))
                group.create_task(self._keep())
        finally:
            self.close()

    def close(self) -> None:
        """Hang up everywhere."""
        for link in self._links.values():
            link.close()

    async def once(self) -> None:
        """Read every analyser once, and store what they show."""
        await asyncio.gather(*(self._sweep(where) for where in self._links))
        self._store()

    async def _poll(self, where: tuple[object, ...]) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        due_s = loop.time()
        while task is not None and not task.cancelling():  # asyncio.wait_for of Python 3.11 may swallow a cancellation
            await self._sweep(where)
            due_s = max(due_s + self._poll_ms / 1000, loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def _sweep(self, where: tuple[object, ...]) -> None:
        for name, analyser in self._on[where]:
            self._arrived += await self._read(name, analyser)
        self._news.set()

    async def _keep(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            self._store()

    def _store(self) -> None:
        """Store all that arrived while the disk was busy together: it commits some hundred times a second at most."""
        readings, self._arrived = self._arrived, []
        while self._clock.steps:
            step = self._clock.steps.pop(0)
            log.warning("the clock was set by %d ms; intervals around it are flagged", step.by_ms)
            self._journal.note_clock(step.time_ms, step.by_ms)
        if readings:
            self._journal.append(readings)
            self._journal.use()

    async def _read(self, name: str, analyser: Analyser) -> list[Reading]:
        time_ms, began_s = self._clock.now_ms(), time.monotonic()
        try:
            sample = await analyser.sample()
        except (Unreachable, RegisterError) as failure:
            if name not in self.silent:
                log.warning("analyser %s: %s; the meter goes on without it", name, failure)
            self.silent.add(name)
            return []
        if name in self.silent:
            log.info("analyser %s answers again", name)
            self.silent.discard(name)
        if time.monotonic() - began_s > STALE_S:
            log.warning("analyser %s: reading it took longer than %.0f s; it is read again", name, STALE_S)
            return []
        values = ((sample.import_wh, sample.import_step_wh), (sample.export_wh, sample.export_step_wh))
        return [
            Reading(f"{name}/{counter}", time_ms, sample.words, raw_wh, step_wh)
            for counter, (raw_wh, step_wh) in zip(COUNTERS, values, strict=True)
        ]


def _place(a: AnalyserConfig) -> tuple[object, ...]:
    return ("serial", a.serial) if a.serial else (a.host, a.port)


def _open(a: AnalyserConfig) -> Link:
    if a.serial:
        return Link.rtu(a.serial, a.baudrate, a.parity)
    if a.host is None:
        raise ValueError(f"analyser {a.name} has neither host nor serial; give one in the configuration")
    return Link.tcp(a.host, a.port)

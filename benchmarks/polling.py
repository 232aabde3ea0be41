"""The meter's poller: analysers over Modbus TCP on loopback, and the journal of what they say, in one process."""

import asyncio
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from assets.intervals import IntervalGrid
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from smartmeter.clock import SteadyClock
from smartmeter.config import AnalyserConfig
from smartmeter.journal import CounterLimits, Journal
from smartmeter.poller import Poller
from smartmeter.profile import COUNTERS, built_in
from smartmeter.simulator import device, server

POLL = Reference("a poll every second", 1000)


def rows(sizes: Sizes) -> list[Row]:
    """One sweep: every analyser read once, all readings stored durably and used. The simulators share the process."""
    found = []
    for count in sizes.polled:
        seconds = asyncio.run(sweep_s(count, sizes.runs))
        found.append(Row(f"poll and journal {count} meters, one sweep", seconds * 1000, "ms", sizes.runs, POLL))
    return found


async def sweep_s(count: int, runs: int) -> float:
    """Median seconds of a sweep over ``count`` meters, each with an address and a connection of its own."""
    profile = built_in()["sdm630"]
    ports = _free_ports(count)
    running = [server([device(profile, lambda: (10_000, 500))], "127.0.0.1", port) for port in ports]
    for one in running:
        await one.serve_forever(background=True)
    analysers = [
        AnalyserConfig.model_validate({"name": f"meter{i}", "profile": "sdm630", "host": "127.0.0.1", "port": port})
        for i, port in enumerate(ports)
    ]
    limits = {f"{a.name}/{counter}": CounterLimits(50_000) for a in analysers for counter in COUNTERS}
    times = []
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db", IntervalGrid(0, 900), limits)
        poller = Poller(analysers, {a.name: profile for a in analysers}, journal, 1000, SteadyClock())
        await poller.once()  # connects
        for _ in range(runs):
            start = time.perf_counter()
            await poller.once()
            times.append(time.perf_counter() - start)
        if poller.silent or len(journal.raw()) != 2 * count * (runs + 1):
            raise AssertionError("a meter was not read")
        poller.close()
        journal.close()
    for one in running:
        await one.shutdown()  # type: ignore[no-untyped-call] # pymodbus leaves it untyped
    return median(times)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:  # all at once, or two might be the same
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]

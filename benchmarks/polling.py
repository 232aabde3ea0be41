"""Polling analysers over Modbus TCP on loopback and journalling what they say, all in one process."""

import asyncio
import socket
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from assets.intervals import IntervalGrid
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from smartmeter.analyser import Analyser, Link
from smartmeter.journal import CounterLimits, Journal, Reading
from smartmeter.profile import built_in
from smartmeter.simulator import device, server

DEVICES = 90
"""Devices behind one server: a listening socket of asyncio lets 100 connections wait."""

POLL = Reference("a poll every second", 1000)


def rows(sizes: Sizes) -> list[Row]:
    """One sweep: every analyser read once, all readings stored durably and used. The simulators share the process."""
    found = []
    for count in sizes.polled:
        seconds = asyncio.run(sweep_s(count, sizes.runs))
        found.append(Row(f"poll and journal {count} meters, one sweep", seconds * 1000, "ms", sizes.runs, POLL))
    return found


async def sweep_s(count: int, runs: int) -> float:
    """Median seconds of a sweep over ``count`` meters, each with a connection of its own."""
    profile = built_in()["sdm630"]
    ports = [_free_port() for _ in range(-(-count // DEVICES))]
    devices = [device(profile, lambda: (10_000, 500), i + 1) for i in range(DEVICES)]
    running = [server(devices, "127.0.0.1", port) for port in ports]
    for one in running:
        await one.serve_forever(background=True)
    links = [Link.tcp("127.0.0.1", ports[i // DEVICES]) for i in range(count)]
    analysers = [Analyser(link, profile, i % DEVICES + 1) for i, link in enumerate(links)]
    names = [f"meter {i}/{kind}" for i in range(count) for kind in ("import", "export")]
    times = []
    with TemporaryDirectory() as folder:
        limits = dict.fromkeys(names, CounterLimits(50_000))
        journal = Journal(Path(folder) / "journal.db", IntervalGrid(0, 900), limits)
        for run in range(runs + 1):
            start = time.perf_counter()
            samples = await asyncio.gather(*(analyser.sample() for analyser in analysers))
            now_ms = 1000 * (run + 1)
            values = [(wh, sample.words) for sample in samples for wh in (sample.import_wh, sample.export_wh)]
            journal.append(Reading(name, now_ms, words, wh) for name, (wh, words) in zip(names, values, strict=True))
            journal.use()
            times.append(time.perf_counter() - start)
        journal.close()
    for link in links:
        link.close()
    for one in running:
        await one.shutdown()  # type: ignore[no-untyped-call]
    return median(times[1:])  # the first sweep also connects


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

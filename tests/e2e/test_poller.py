"""The poller over real sockets: what answers is stored, and nothing else stops or delays it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

from pymodbus.simulator import SimDevice

from assets.intervals import IntervalGrid
from smartmeter.analyser import Link
from smartmeter.clock import SteadyClock
from smartmeter.config import AnalyserConfig
from smartmeter.journal import CounterLimits, Journal, Reading
from smartmeter.poller import Poller
from smartmeter.profile import COUNTERS, built_in
from smartmeter.simulator import device, server

PROFILES = built_in()


class CountingJournal(Journal):
    """Counts its transactions."""

    appended = 0

    def append(self, readings: Iterable[Reading]) -> None:
        self.appended += 1
        super().append(readings)


def poller(path: Path, where: dict[str, tuple[str, int]]) -> tuple[CountingJournal, Poller]:
    analysers = [
        AnalyserConfig(name=name, profile=profile, host="127.0.0.1", port=port)
        for name, (profile, port) in where.items()
    ]
    limits = {f"{name}/{counter}": CounterLimits(10**6) for name in where for counter in COUNTERS}
    journal = CountingJournal(path / "journal.db", IntervalGrid(0, 900), limits)
    profiles = {a.name: PROFILES[a.profile] for a in analysers}
    return journal, Poller(analysers, profiles, journal, 20, SteadyClock())


@asynccontextmanager
async def playing(*devices: SimDevice) -> AsyncIterator[list[int]]:
    """Each device at a port of its own."""
    with ExitStack() as held:  # all at once, or two might get the same
        sockets = [held.enter_context(socket.socket()) for _ in devices]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    running = []
    try:
        for one, port in zip(devices, ports, strict=True):
            running.append(server([one], "127.0.0.1", port))
            await running[-1].serve_forever(background=True)
        yield ports
    finally:
        for one in running:
            await one.shutdown()


def test_a_dead_and_a_mad_analyser_stop_neither_the_others_nor_the_meter(tmp_path: Path) -> None:
    async def run() -> None:
        good, mad = (
            device(PROFILES["sunspec-701"], lambda: (10**6, 500)),
            device(PROFILES["sdm630"], lambda: (10**30, 0)),
        )
        async with playing(good, mad) as ports:
            where = {"good": ("sunspec-701", ports[0]), "mad": ("sdm630", ports[1]), "dead": ("em24", 1)}
            journal, polls = poller(tmp_path, where)
            polling = asyncio.create_task(polls.run())
            for _ in range(500):
                if len(journal.raw()) >= 10 and polls.silent == {"mad", "dead"}:
                    break
                await asyncio.sleep(0.02)
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
            assert polls.silent == {"mad", "dead"}
            read = {(r.counter, r.raw_wh) for r in journal.raw()}
            assert read == {("good/import_energy", 10**6), ("good/export_energy", 500)}
            assert journal.use() == 0, "what is stored is used"

    asyncio.run(run())


def test_what_many_analysers_show_is_stored_together(tmp_path: Path) -> None:
    async def run() -> None:
        async with playing(*(device(PROFILES["cvm-c5"], lambda: (700, 30)) for _ in range(8))) as ports:
            journal, polls = poller(tmp_path, {f"m{i}": ("cvm-c5", port) for i, port in enumerate(ports)})
            await polls.once()
            polls.close()
            assert polls.silent == set()
            assert len(journal.raw()) == 2 * len(ports)
            assert journal.appended == 1

    asyncio.run(run())


def test_polling_ends_even_if_the_client_swallows_that_it_is_cancelled(tmp_path: Path, monkeypatch) -> None:
    """As ``asyncio.wait_for`` of Python 3.11 does when a connection fails at the same moment."""

    async def run() -> None:
        asked = asyncio.Event()

        async def read(*_: object) -> None:
            asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)

        monkeypatch.setattr(Link, "read", read)
        _, polls = poller(tmp_path, {"m": ("cvm-c5", 1)})
        polling = asyncio.create_task(polls.run())
        await asked.wait()
        polling.cancel()
        done, _ = await asyncio.wait([polling], timeout=5)
        monkeypatch.undo()
        assert done == {polling}

    asyncio.run(run())


def test_what_was_read_while_the_process_hung_is_not_taken_for_a_reading_of_before(tmp_path, monkeypatch) -> None:
    """Its time was noted, then the machine stood still: nobody can say any more when the device showed this."""
    monkeypatch.setattr("smartmeter.poller.STALE_S", 0.2)
    counted = iter(range(1, 1_000_000))

    async def body() -> None:
        async with playing(device(PROFILES["sdm630"], lambda: (next(counted), 0))) as (port,):
            journal, reading = poller(tmp_path, {"grid": ("sdm630", port)})
            await reading.once()
            assert len(journal.raw()) == 2
            (_, analyser), *_ = next(iter(reading._on.values()))
            sample = analyser.sample

            async def hangs():
                time.sleep(0.3)
                return await sample()

            monkeypatch.setattr(analyser, "sample", hangs)
            await reading.once()
            assert len(journal.raw()) == 2
            assert reading.silent == set()
            monkeypatch.setattr(analyser, "sample", sample)
            await reading.once()
            assert len(journal.raw()) == 4
            reading.close()
            journal.close()

    asyncio.run(body())

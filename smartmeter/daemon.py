"""The meter as a process: polls its analysers, and keeps its books with the ledger, until told to stop.

It may be killed at any instant: every reading is durable before it is used, every withdrawal before it is sent, and
what was counted from the ledger is stored together with the bills made of it.
"""

import asyncio
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from contracts.errors import NodeError
from smartmeter.bookkeeper import Bookkeeper
from smartmeter.clock import SteadyClock, world_clock
from smartmeter.config import ReportConfig
from smartmeter.folder import MeterFolder, Secrets
from smartmeter.poller import Poller
from smartmeter.reporting import LONGEST_PAUSE_S, HttpDelivery, NotAcknowledged, Reporter

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger

log = logging.getLogger("petra.meter")


def open_ledger(folder: MeterFolder) -> "EvmLedger":
    """The ledger of a meter's configuration; what is read of it is kept in the folder.

    Raises ``ConnectionError`` or :class:`~contracts.errors.NodeError` with what to do.
    """
    from contracts import nodes
    from contracts.ledger import EvmLedger
    from contracts.relayer import Patience
    from contracts.sync.file import FileStore

    config = folder.config.ledger
    w3 = nodes.connect(config.url)
    if w3.eth.chain_id != config.chain_id:
        raise NodeError(f"{config.url} is chain {w3.eth.chain_id}, the meter's ledger is on {config.chain_id}")
    store = FileStore(folder.path / "ledger.db", config.domain)
    patience = Patience(nodes.confirmations(w3))
    ledger = EvmLedger.at(w3, config.domain.contract, None, config.since_block, patience, store)
    if ledger.grid != config.grid:
        raise NodeError("the ledger has another time grid than the configuration; run petra meter init anew")
    return ledger


def bookkeeper(folder: MeterFolder, secrets: Secrets) -> Bookkeeper:
    """The bookkeeper of a folder. Use it in the thread that made it."""
    config = folder.config
    return Bookkeeper(
        number=config.number,
        key=secrets.key,
        seed=secrets.seed,
        domain=config.ledger.domain,
        grid=config.ledger.grid,
        notes=config.notes,
        gate_s=config.gate_s,
        lead=config.standard_set.lead,
        missing_after_s=config.missing_after_s,
        wiring=folder.wiring,
        journal=folder.journal(),
        book=folder.book(),
        open_ledger=lambda: open_ledger(folder),
    )


async def run(folder: MeterFolder, secrets: Secrets) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    journal = folder.journal()
    journal.use()  # what was stored and not used when the process before this one ended
    config = folder.config
    poller = Poller(config.analysers, folder.profiles, journal, config.poll_ms, SteadyClock(world=world_clock()))
    log.info("meter running: %d analysers, reading every %d ms", len(config.analysers), config.poll_ms)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(poller.run()), group.create_task(_keep_books(folder, secrets))]
            if config.report is not None:
                tasks.append(group.create_task(_report(folder, secrets, config.report)))
            await _first(stop, tasks)
            for task in tasks:
                task.cancel()
    finally:
        journal.close()
    log.info("meter stopped")


async def _first(stop: asyncio.Event, tasks: "list[asyncio.Task[None]]") -> None:
    """Wait until told to stop, or until a task fails."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()


async def _keep_books(folder: MeterFolder, secrets: Secrets) -> None:
    """Step the bookkeeper in a thread of its own, so that a slow ledger never holds up a reading."""
    loop, clock = asyncio.get_running_loop(), world_clock()
    with ThreadPoolExecutor(1, "books") as thread:
        books = await loop.run_in_executor(thread, bookkeeper, folder, secrets)
        silent = False
        while True:
            try:
                made = await loop.run_in_executor(thread, books.step, clock.now_ms() // 1000)
                if silent:
                    log.info("the ledger answers again")
                silent = False
                if made:
                    log.info("%d bills made, up to interval %d", len(made), made[-1].t)
            except (NodeError, ConnectionError) as failure:
                if not silent:
                    log.warning("ledger: %s; reading goes on, and the ledger is asked again", failure)
                silent = True
            await asyncio.sleep(folder.config.ledger.poll_ms / 1000)


def reporter(folder: MeterFolder, secrets: Secrets, report: ReportConfig) -> Reporter:
    """The reporter of a folder. Use it in the thread that made it."""
    deliver = HttpDelivery(report.url, folder.path / report.token_file)
    return Reporter(folder.book(), folder.config.number, secrets.key, report.every, deliver)


async def _report(folder: MeterFolder, secrets: Secrets, report: ReportConfig) -> None:
    """State finished periods to the DSO, in a thread of its own, so that a slow DSO holds up nothing."""
    loop, poll_s = asyncio.get_running_loop(), folder.config.ledger.poll_ms / 1000
    with ThreadPoolExecutor(1, "report") as thread:
        reports = await loop.run_in_executor(thread, reporter, folder, secrets, report)
        pause_s, said = poll_s, ""
        while True:
            try:
                if await loop.run_in_executor(thread, reports.step):
                    log.info("the DSO acknowledged the statement of a period")
                pause_s, said = poll_s, ""
            except NotAcknowledged as why:
                if str(why) != said:
                    log.warning("the DSO did not book a statement: %s; it is delivered again", why)
                pause_s, said = min(2 * pause_s, LONGEST_PAUSE_S), str(why)
            await asyncio.sleep(pause_s)

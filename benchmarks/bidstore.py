"""``python -m benchmarks.bidstore``: the bid store beside a bare reference measured in the same run.

PETRA_BENCH_POSTGRES=postgresql://… adds the row of a PostgreSQL server; it needs an empty database.
"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from assets.domain import Domain
from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import epa, issued
from assets.orders import Order, Side, sign_order
from assets.transactions import Authorisation, FeederCapacity, Regulate, Withdraw, digest, sign
from bidstore.auction import Order as Unit
from bidstore.auction import clear
from bidstore.matching.certificate import verify
from bidstore.matching.plan import Feeder, Market, Offer
from bidstore.matching.program import program_of
from bidstore.matching.solver import _model, run, solve
from bidstore.matching.uniform import Limits, clear_limits
from bidstore.posting import Posting, sign_posting
from bidstore.service.database import engine_of
from bidstore.service.exchange import Exchange
from bidstore.service.store import Store

ORDERS = 600
CLIENTS = 32
HOMES, QUARTERS, FEEDERS = 102, 96, 11


def median_s(work: Callable[[], object], repeats: int = 5) -> float:
    """Median seconds of ``repeats`` calls."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def sales(count: int) -> tuple[SpecLedger, list[tuple[Order, SigningKey]]]:
    """A ledger with ``count`` EPA notes, and an order for each."""
    source = ThrowAwayKeys(1, "bid store benchmark")
    dso, meter = source.fresh(), source.fresh()
    grid = IntervalGrid(1_000_000, 900)
    ledger = SpecLedger(Domain(31, Address(bytes(19) + b"\x01")), grid, dso.address)
    big = 10**9
    grant = Authorisation(1, meter.address, 1, big, big, 2**62)
    regulation = Regulate(0, feeders=(FeederCapacity(1, big, big),), authorise=(grant,))
    ledger.submit([sign(ledger.domain, regulation, dso)])[0].require()
    made: list[tuple[Order, SigningKey]] = []
    while len(made) < count:
        keys = [source.fresh() for _ in range(100)]
        notes = tuple(epa(key.address, 400, 50, 50) for key in keys)
        tx = Withdraw(1, ledger.meter_nonce(1), 5, notes)
        ledger.submit([sign(ledger.domain, tx, meter)])[0].require()
        for note, key in zip(issued(notes, digest(ledger.domain, tx)), keys, strict=True):
            to = key.address
            made.append((Order(Side.SELL, note, (), 100_000, to, to, grid.end_s(50), 400), key))
    return ledger, made[:count]


async def posting_rate(database: str) -> float:
    """Orders per second that one process verifies and writes, ``CLIENTS`` at a time."""
    ledger, orders = sales(ORDERS)
    exchange = Exchange(Store(engine_of(database)), ledger)
    await exchange.prepare()
    postings: list[Posting] = []
    for order, key in orders:
        signed = sign_order(ledger.domain, order, key)
        postings.append(sign_posting(ledger.domain, signed, await exchange.challenge(), key))

    async def client(mine: list[Posting]) -> None:
        for posting in mine:
            await exchange.post(posting)

    began = time.perf_counter()
    await asyncio.gather(*(client(postings[i::CLIENTS]) for i in range(CLIENTS)))
    seconds = time.perf_counter() - began
    await exchange.store.close()
    return ORDERS / seconds


def sort_and_sum(asks: Limits, bids: Limits) -> int:
    """The reference: cumulated supply and demand by price, and where they cross."""
    rising, falling = np.sort(asks), np.sort(bids)[::-1]
    supply, demand = np.cumsum(np.ones(len(rising), np.int64)), np.cumsum(np.ones(len(falling), np.int64))
    most = min(len(rising), len(falling))
    crossing = (rising[:most] <= falling[:most]) & (supply[:most] == demand[:most])
    return int(np.count_nonzero(crossing))


def neighbourhood(seed: int) -> Market:
    """102 homes on 11 feeders over a day of quarter-hours: a third sells sun, the rest buys, batteries shift."""
    draw = random.Random(seed)
    offers = []
    for home in range(HOMES):
        feeder = home % FEEDERS
        sun = home % 3 == 0
        for t in range(QUARTERS):
            noon = max(0, 1 - abs(t - 48) / 20)
            wh = int(1500 * noon * draw.uniform(0.6, 1)) if sun else int(draw.uniform(50, 500))
            side = Side.SELL if sun else Side.BUY
            limit = draw.randrange(90, 200) if sun else draw.randrange(100, 240)
            if wh:
                offers.append(Offer(side, t, t, wh, wh, limit * 1000, feeder))
        if home % 5 == 0:
            offers.append(Offer(Side.SELL, 60, 90, 800, 6000, 150_000, feeder))
    return Market(tuple(offers), {n: Feeder(5000, 2500) for n in range(FEEDERS)})


def main() -> None:
    """Measure and print."""
    table = Table("what", "PETra", "reference", "ratio")
    with tempfile.TemporaryDirectory() as folder:
        rate = asyncio.run(posting_rate(str(Path(folder) / "bids.db")))
    table.add_row("orders verified and written, one process, SQLite", f"{rate:.0f} /s", "-", "-")
    if url := os.environ.get("PETRA_BENCH_POSTGRES"):
        table.add_row("the same, PostgreSQL", f"{asyncio.run(posting_rate(url)):.0f} /s", "-", "-")
    for count in (10**3, 10**5, 10**6):
        drawn = np.random.default_rng(1).integers(50_000, 250_000, (2, count // 2), dtype=np.int64)
        asks, bids = drawn
        keys = [i.to_bytes(20, "big") for i in range(count // 2)]
        ours = median_s(lambda a=asks, b=bids, k=keys: clear_limits(a, b, k, k, b"seed"))  # type: ignore[misc]
        bare = median_s(lambda a=asks, b=bids: sort_and_sum(a, b))  # type: ignore[misc]
        table.add_row(
            f"auction of {count} orders: price, volume, who trades",
            f"{ours * 1e3:.2f} ms",
            f"{bare * 1e3:.2f} ms numpy sort and cumsum",
            f"{ours / bare:.1f}",
        )
        if count <= 10**5:
            units = [
                [Unit(int(x), key, side + key) for x, key in zip(limits, keys, strict=True)]
                for side, limits in ((b"a", asks), (b"b", bids))
            ]
            full = median_s(lambda u=units: clear(u[0], u[1], b"seed"), 3)  # type: ignore[misc]
            table.add_row(
                f"auction of {count} orders with pairs and reasons",
                f"{full * 1e3:.1f} ms",
                f"{bare * 1e3:.2f} ms numpy sort and cumsum",
                f"{full / bare:.0f}",
            )
    market = neighbourhood(1)
    program = program_of(market)
    bare = median_s(lambda: run(_model(program)), 1)
    model = _model(program)
    alone = median_s(lambda: run(model), 1)
    began = time.perf_counter()
    solution = solve(market)
    whole = time.perf_counter() - began
    checked = median_s(lambda: verify(market, solution.plan, solution.certificate), 1)
    size = f"{len(program.uppers)} variables, {len(program.rows)} rows"
    table.add_row(
        f"plan for {HOMES} homes × {QUARTERS} quarter-hours, {FEEDERS} feeders ({size})",
        f"{whole:.2f} s",
        f"{alone:.2f} s HiGHS alone, {bare:.2f} s with the model's transfer",
        f"{whole / alone:.1f}",
    )
    verdict = solution.verdict
    table.add_row(
        f"its certificate checked: {verdict.energy_wh} of at most {verdict.bound_wh} Wh",
        f"{checked:.2f} s",
        "-",
        "optimal" if verdict.optimal else "bound not met",
    )
    console = Console()
    console.width = max(console.width, 150)
    console.print(table)


if __name__ == "__main__":
    main()

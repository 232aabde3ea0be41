"""Orders that one process of the bid store verifies and writes, beside recovering their signatures alone."""

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from assets.domain import Domain
from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import epa, issued
from assets.orders import Order, Side, order_digest, sign_order
from assets.transactions import Authorisation, FeederCapacity, Regulate, Withdraw, digest, sign
from benchmarks import postgres
from benchmarks.bare import recover_all, recoverable
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from bidstore.posting import Posting, posting_digest, sign_posting
from bidstore.service.database import engine_of
from bidstore.service.exchange import Exchange
from bidstore.service.store import Store
from contracts.processes import ProgramMissing

CLIENTS = 200
"""How many post at a time; each waits for its answer before it posts again."""


def rows(sizes: Sizes) -> list[Row]:
    """SQLite in a file, and a PostgreSQL server of our own, which both write to the disk before they answer."""
    with tempfile.TemporaryDirectory() as folder:
        urls = [str(Path(folder) / f"{run}.db") for run in range(sizes.post_runs)]
        measured = [_row("SQLite", urls, sizes.posted)]
    try:
        with postgres.running() as url:
            measured.append(_row("PostgreSQL", [_database(url, run) for run in range(sizes.post_runs)], sizes.posted))
    except ProgramMissing:
        pass
    return measured


def _database(url: str, run: int) -> str:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE run_{run}".encode())
    return url.rsplit("/", 1)[0] + f"/run_{run}"


def _row(name: str, urls: list[str], count: int) -> Row:
    taken = [asyncio.run(_post(url, count)) for url in urls]
    seconds, alone = (median(times) for times in zip(*taken, strict=True))
    reference = Reference("coincurve, their 2 signatures each", count / alone)
    return Row(f"orders verified and written, {name}", count / seconds, "orders/s", len(urls), reference)


async def _post(url: str, count: int) -> tuple[float, float]:
    """Seconds for all orders, and for recovering their signatures alone."""
    ledger, orders = sales(count)
    exchange = Exchange(Store(engine_of(url)), ledger)
    await exchange.prepare()
    postings: list[Posting] = []
    for order, key in orders:
        signed = sign_order(ledger.domain, order, key)
        postings.append(sign_posting(ledger.domain, signed, await exchange.challenge(), key))

    async def client(mine: list[Posting]) -> None:
        for posting in mine:
            await exchange.post(posting)

    began = perf_counter()
    await asyncio.gather(*(client(postings[i::CLIENTS]) for i in range(CLIENTS)))
    seconds = perf_counter() - began
    assert await exchange.store.counts() == {"open": count}
    await exchange.store.close()
    signatures = []
    for posting in postings:
        order_id = order_digest(ledger.domain, posting.signed.order)
        signatures.append(recoverable(order_id, posting.signed.signatures[0]))
        message = posting_digest(ledger.domain, order_id, posting.challenge)
        signatures.append(recoverable(message, posting.signature))
    return seconds, medians_s(1, again(recover_all, signatures))[0]


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

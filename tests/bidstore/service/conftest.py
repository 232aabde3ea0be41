"""A bid store's service over a ledger with real notes, on SQLite and on a PostgreSQL server of the tests' own."""

import os
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

httpx2 = pytest.importorskip("httpx2", reason="httpx2 is missing; run: pip install 'petra[service]'")

from benchmarks import postgres  # noqa: E402
from bidstore.posting import sign_posting  # noqa: E402
from bidstore.service.app import bidstore_app  # noqa: E402
from bidstore.service.client import HttpClient, MemoryClient, cancel, post  # noqa: E402
from bidstore.service.database import engine_of  # noqa: E402
from bidstore.service.exchange import Exchange  # noqa: E402
from bidstore.service.limits import Limits  # noqa: E402
from bidstore.service.operator import Operator  # noqa: E402
from bidstore.service.store import Store  # noqa: E402
from contracts.processes import ProgramMissing  # noqa: E402


@dataclass
class Service:
    """A store that is open, its operator (worked by hand), and a client."""

    market: object
    exchange: Exchange
    operator: Operator
    client: object

    @property
    def domain(self):
        return self.market.ledger.domain

    def signed(self, order):
        return self.market.signed(order)

    def key(self, order):
        return self.market.keys[order.energy.note.owner]

    async def posting(self, order):
        return sign_posting(self.domain, self.signed(order), await self.client.challenge(), self.key(order))

    async def post(self, order, replaces=None):
        return await post(self.client, self.domain, self.signed(order), self.key(order), replaces)

    async def cancel(self, order_id, order):
        await cancel(self.client, self.domain, order_id, self.key(order))

    async def status(self, *ids):
        return [(await self.client.standing(i)).status.value for i in ids]

    def close_gate(self, t=5):
        """Move ledger time past the gate closure of ``t``."""
        self.market.ledger.advance_to(self.market.ledger.grid.start_s(t) - self.exchange.limits.gate_s)


@pytest.fixture
def service(market, tmp_path):
    """Opens a service: ``async with service() as s``."""

    @asynccontextmanager
    async def opened(database=None, http=False, market=market, **limits):
        store = Store(engine_of(database or str(tmp_path / "bids.db")))
        limits = Limits(**{"tick_s": 0.05, "seed_wait_s": 0, **limits})
        if not http:
            exchange = Exchange(store, market.ledger, limits)
            await exchange.prepare()
            try:
                yield Service(market, exchange, Operator(exchange), MemoryClient(exchange))
            finally:
                await store.close()
            return
        app = bidstore_app(store, market.ledger, limits, operate=False)
        async with app.router.lifespan_context(app):
            transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport) as client:
                exchange = app.state.exchange
                yield Service(market, exchange, Operator(exchange), HttpClient("http://store", client))

    return opened


def _missing(what: str) -> None:
    if os.environ.get("PETRA_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def postgres_url():
    """A PostgreSQL server of this test run's own; what it has written need not outlive the machine."""
    try:
        postgres.find()
    except ProgramMissing as missing:
        _missing(str(missing))
    with postgres.running("fsync=off") as url:
        yield url


@pytest.fixture
def database(postgres_url):
    """An empty database on it."""
    import psycopg

    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_url.rsplit("/", 1)[0] + "/" + name

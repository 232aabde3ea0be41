"""A bid store's service over a ledger with real notes, on SQLite and on a PostgreSQL server of the tests' own."""

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

httpx2 = pytest.importorskip("httpx2", reason="httpx2 is missing; run: pip install 'petra[service]'")

from assets.orders import sign_order  # noqa: E402
from bidstore.posting import sign_posting  # noqa: E402
from bidstore.service.app import bidstore_app  # noqa: E402
from bidstore.service.client import HttpClient, MemoryClient, cancel, post  # noqa: E402
from bidstore.service.database import engine_of  # noqa: E402
from bidstore.service.exchange import Exchange  # noqa: E402
from bidstore.service.limits import Limits  # noqa: E402
from bidstore.service.operator import Operator  # noqa: E402
from bidstore.service.store import Store  # noqa: E402


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
        return sign_order(self.domain, order, *(self.market.keys[o] for o in order.owners))

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
    async def opened(database=None, http=False, **limits):
        store = Store(engine_of(database or str(tmp_path / "bids.db")))
        limits = Limits(**{"tick_s": 0.05, **limits})
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
    """A PostgreSQL server of this test run's own, as a user that is not root."""
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").exists() else []
    found = shutil.which("initdb") or next((str(b / "initdb") for b in reversed(bins)), None)
    if found is None:
        _missing("postgresql is missing; run: apt-get install postgresql")
    bin_dir = Path(found).parent
    folder = Path(tempfile.mkdtemp(prefix="petra-postgres-"))  # pytest's own folders are closed to other users
    as_user = []
    if os.getuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")
    data = folder / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(*command):
        done = subprocess.run(
            [*as_user, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False
        )
        assert done.returncode == 0, done.stderr

    run(bin_dir / "initdb", "-D", data, "-U", "petra", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    run(bin_dir / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://petra@127.0.0.1:{port}/postgres"
    finally:
        run(bin_dir / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)

"""Replicas in processes of their own, over a ledger that the test's process serves.

Reads one JSON object of options a line, forks a replica for each, and writes its process id: what takes long, the
imports, is done once. The replicas share nothing but what was read from disk.
"""

import asyncio
import json
import os
import signal
import sys
from multiprocessing.managers import BaseManager

import alembic.command  # noqa: F401 - read here, once
import psycopg  # noqa: F401

from assets.intervals import IntervalGrid
from bidstore.service.app import bidstore_app
from bidstore.service.database import engine_of
from bidstore.service.limits import Limits
from bidstore.service.store import Store
from petra.serving import served


class LedgerManager(BaseManager):
    """Carries the ledger of the test's process."""


LedgerManager.register("ledger")


class RemoteLedger:
    """The ledger behind the manager."""

    def __init__(self, proxy) -> None:
        self._proxy = proxy
        self.domain = proxy.domain()
        self.grid = IntervalGrid(*proxy.grid())

    @property
    def now_s(self):
        return self._proxy.now_s()

    def submit(self, batch):
        return self._proxy.submit(batch)

    def entries(self, start=0):
        return self._proxy.entries(start)

    def status(self, note_id):
        return self._proxy.status(note_id)


async def main(options) -> None:
    manager = LedgerManager(tuple(options["ledger"]), bytes.fromhex(options["key"]))
    manager.connect()
    ledger = RemoteLedger(manager.ledger())
    app = bidstore_app(Store(engine_of(options["database"])), ledger, Limits(**options["limits"]))
    async with served(app, port=options["port"]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            asyncio.run(main(json.loads(line)))
            os._exit(0)
        print(child, flush=True)

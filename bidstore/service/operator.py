"""The leader's work: follow the ledger, hold auctions, carry matches to the ledger, tell everybody.

Of all replicas one leads, which holds the database's lock. If it is killed, the lock falls to another, which goes on
from what the database and the ledger say: each step may be done again without harm.
"""

import asyncio
from collections.abc import Callable

import structlog

from assets.port import Ledger
from bidstore.service.auctions import Auctioneer
from bidstore.service.database import leadership
from bidstore.service.exchange import Exchange
from bidstore.service.following import Follower
from bidstore.service.settling import Settler
from bidstore.service.view import LedgerView

MAX_PAUSE_S = 60
"""Longest pause between attempts while the ledger or the database does not answer."""


class Operator:
    """Matches and settles for an :class:`~bidstore.service.exchange.Exchange`, while it leads."""

    def __init__(
        self, exchange: Exchange, count: Callable[[str, int], None] = lambda what, n: None, relay: Ledger | None = None
    ) -> None:
        """``relay``: a connection to the ledger of the operator's own; else that of the exchange is used."""
        self.exchange, self.store = exchange, exchange.store
        self.view = exchange.view if relay is None else LedgerView(relay)
        self._count = count
        self._log = structlog.get_logger("bidstore")
        self.follower = Follower(self.store, self.view, exchange.limits, count)
        self.auctioneer = Auctioneer(self.follower, exchange.limits, count)
        self.settler = Settler(self.follower, count)

    async def run(self) -> None:
        """Lead whenever nobody else does, until cancelled."""
        tick_s = self.exchange.limits.tick_s
        pause_s = tick_s
        while True:
            try:
                async with leadership(self.store.engine) as leader:
                    while leader is not None:
                        await leader.check()
                        await self.tick()
                        pause_s = tick_s
                        await asyncio.sleep(tick_s)
            except Exception as error:  # whatever failed, the book is in the database and the next attempt goes on
                self._count("failures", 1)
                self._log.warning("the leader's work failed and is tried again", error=type(error).__name__)
                pause_s = min(2 * pause_s, MAX_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def tick(self) -> None:
        """Everything once."""
        await self.follower.follow()
        await self.auctioneer.match()
        await self.publish()  # before settling, which may wait for blocks, or fail
        await self.settler.settle()
        await self.publish()

    async def publish(self) -> None:
        """Put what changed into batches for everybody."""
        await self.store.publish(self.exchange.limits.batch_bytes - 256)

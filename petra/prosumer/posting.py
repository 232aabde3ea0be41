"""When orders reach the bid store: each at a random moment of its own, and again until a replica has it."""

import asyncio
from functools import partial

from assets.keys import Digest
from assets.orders import order_digest
from petra.prosumer.desk import Desk
from petra.prosumer.fates import Fates
from petra.prosumer.home import Home
from petra.prosumer.moments import Moments
from petra.prosumer.plans import Planned, Plans
from petra.prosumer.replicas import TRY_AGAIN, Replicas
from petra.prosumer.way import Door, Way


class Posting:
    """Posts what is planned, at most one order at each look at the ledger, until the gate closes."""

    def __init__(self, home: Home, desk: Desk, way: Way, plans: Plans, fates: Fates) -> None:
        self._domain, self._schedule, self._rng, self._again_s = home.domain, home.schedule, home.rng, home.repost_s
        self._desk, self._door, self._plans, self._fates = desk, Door(way, desk), plans, fates
        self._replicas = Replicas(home.domain, home.bidstores, home.reach, home.keychain, home.rng, home.spread_s)
        self._moments: Moments[Digest] = Moments()
        self._busy: set[Digest] = set()
        self._taken: set[Digest] = set()

    def look(self, t: int, now_s: int) -> None:
        """Post one of the orders of window ``t`` whose moment has come; the others have other moments then.

        What the gate's closing finds unposted expires.
        """
        if now_s >= self._schedule.gate_closes_s(t):
            return
        due = {}
        for order in self._plans.of(t) or ():
            order_id = order_digest(self._domain, order.signed.order)
            moment_s = self._moments.of(order_id, partial(self._moment_s, order.moment_s, t, now_s))
            if moment_s <= now_s and order_id not in self._busy | self._taken and self._fates.is_open(order_id):
                due[order_id] = order
        goes = self._moments.turn(list(due), self._rng)
        if goes is not None:
            self._busy.add(goes)
            self._desk.start("bidstore", self._post(due[goes], goes, t))

    def postpone_missed(self, now_s: int) -> None:
        """After an outage of the ledger: choose other moments for what became due unseen."""
        self._moments.postpone(now_s)

    def forget(self) -> None:
        """Forget the moments of orders that have expired."""
        self._moments.clear()

    def _moment_s(self, planned_s: int, t: int, now_s: int) -> int:
        """The planned moment, or another one if it is over: because of an outage, or of another order's turn."""
        if planned_s > now_s:
            return planned_s
        return self._schedule.order_moment_s(t, now_s, self._rng)

    async def _post(self, order: Planned, order_id: Digest, window: int) -> None:
        from bidstore.service.client import Refused

        try:
            if not await self._door.go_through():
                self._try_again(order_id)
                return
            self._fates.begin(order_id, order.signed.order, window, self._now_s)
            await self._replicas.post(order.signed)
            self._taken.add(order_id)
            self._desk.troubles.works("bidstore")
        except Refused as refusal:
            if refusal.reason in TRY_AGAIN:
                await asyncio.sleep(self._again_s)
                self._try_again(order_id)
            else:
                self._fates.refused(order_id, self._now_s, refusal.reason)
                self._desk.troubles.failed("bidstore", refusal)
        except Exception:  # whatever went wrong on the way: posted again later, and told by whoever started this
            await asyncio.sleep(self._again_s)
            self._try_again(order_id)
            raise
        finally:
            self._busy.discard(order_id)

    def _try_again(self, order_id: Digest) -> None:
        """At a moment of its own: at the end of an outage, orders of one home would come together."""
        now_s = self._now_s
        t = self._schedule.next_window(now_s)
        self._moments.change(order_id, self._schedule.retry_moment_s(t, now_s, self._rng))

    @property
    def _now_s(self) -> int:
        return self._desk.now_s or 0

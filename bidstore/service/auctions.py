"""Holding auctions: each class of notes when its gate has closed, and again for orders that came back or late."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from assets.hashing import keccak
from assets.keys import Digest
from assets.orders import Side
from assets.port import Ledger
from bidstore import auction, errors, outcome
from bidstore.posting import NoteClass
from bidstore.service.following import Follower
from bidstore.service.limits import Limits
from bidstore.service.store import LostRace, Status, Store
from bidstore.service.tables import AUCTIONS, ORDERS
from bidstore.service.view import LedgerView
from bidstore.service.wire import order_from_bytes


class Auctioneer:
    """Holds the auctions that are due."""

    def __init__(self, follower: Follower, limits: Limits, count: Callable[[str, int], None]) -> None:
        self._follower, self._limits, self._count = follower, limits, count
        self.store: Store = follower.store
        self.view: LedgerView = follower.view

    async def match(self) -> None:
        """Hold the auctions of the intervals whose gate has closed."""
        now_s = await self.view.now_s()
        grid, gate_s = self.view.grid, self._limits.gate_s
        closed = grid.index(max(now_s + gate_s, grid.genesis_s))
        due = (
            select(ORDERS.c.power_w, ORDERS.c.start, ORDERS.c.end)
            .where(
                ORDERS.c.status == Status.OPEN.value,
                ORDERS.c.start <= closed,
                or_(ORDERS.c.returned == 1, ORDERS.c.reason.is_(None)),  # an auction gives a reason to whom it leaves
            )
            .distinct()
            .order_by(ORDERS.c.start, ORDERS.c.end, ORDERS.c.power_w)
        )
        for row in await self.store.rows(due):
            seed = await self._seed(grid.start_s(row.start) - gate_s, now_s)
            if seed is not None:
                await self._auction(NoteClass(row.power_w, row.start, row.end), seed)

    async def _seed(self, closed_s: int, now_s: int) -> bytes | None:
        """From the first entry that the ledger accepted at or after gate closure; ``None`` while there may come one.

        So nobody could know it while orders still arrived. Where nothing happens on the ledger for a while, the entry
        before has to do: see docs/bidstore.md for what that allows.
        """
        marks = await self.view.marks()
        after = next((digest for time_s, digest in marks if time_s >= closed_s), None)
        if after is None and (not marks or now_s < closed_s + self._limits.seed_wait_s):
            return None
        return keccak(b"petra auction" + (after or marks[-1][1]))

    async def _auction(self, note_class: NoteClass, seed: bytes) -> None:
        rows = await self.store.rows(
            select(ORDERS.c.id, ORDERS.c.side, ORDERS.c.owner, ORDERS.c.limit_nano_per_wh, ORDERS.c.body).where(
                ORDERS.c.status == Status.OPEN.value, _of(note_class, ORDERS)
            )
        )
        gone = await self.view.ask(lambda ledger: self._gone(ledger, rows))
        if gone:
            await self._follower.follow()  # after they were found gone: those that settled are known as settled now
        units: dict[Side, list[auction.Order]] = {Side.SELL: [], Side.BUY: []}
        for row in rows:
            if Digest(bytes(row.id)) not in gone:
                unit = auction.Order(row.limit_nano_per_wh, bytes(row.owner), bytes(row.id))
                units[Side(row.side)].append(unit)
        held = await self.store.rows(select(AUCTIONS.c.round).where(_of(note_class, AUCTIONS)))
        number = 1 + max((row.round for row in held), default=0)
        seed = keccak(seed + number.to_bytes(4, "big"))
        clearing = await asyncio.to_thread(auction.clear, units[Side.SELL], units[Side.BUY], seed)
        await self._record(note_class, number, seed, clearing, gone)

    def _gone(self, ledger: Ledger, rows: Sequence[Any]) -> dict[Digest, str]:
        """Orders that cannot be settled any more, and why."""
        gone = {}
        self.view.follow(ledger)
        for row in rows:
            try:
                self.view.check_stands(order_from_bytes(bytes(row.body)).order, ledger)
            except errors.Cancelled:
                gone[Digest(bytes(row.id))] = outcome.CANCELLED
            except (errors.NoteGone, errors.NoteUnknown):
                gone[Digest(bytes(row.id))] = outcome.SPENT
        return gone

    async def _record(
        self, note_class: NoteClass, number: int, seed: bytes, clearing: auction.Clearing, gone: dict[Digest, str]
    ) -> None:
        price, span = clearing.price_nano_per_wh, clearing.price_range or (None, None)
        pairs = [
            (Digest(ask.reference), Digest(bid.reference), note_class.power_w, price or 0)
            for ask, bid in clearing.pairs
        ]
        record = {**note_class._asdict(), "round": number, "seed": seed, "volume": len(pairs)}
        record |= {"low": span[0], "high": span[1], "price_nano_per_wh": price}
        reasons: defaultdict[str, list[Digest]] = defaultdict(list)
        for left in clearing.unmatched:
            reasons[left.reason.value].append(Digest(left.order.reference))
        try:
            async with self.store.leading() as connection:
                for order_id, reason in gone.items():
                    await self.store.change(connection, [order_id], Status.DROPPED, reason, [Status.OPEN])
                await self.store.match(connection, pairs, record)
                for reason, ids in reasons.items():
                    await self.store.change(connection, ids, Status.OPEN, reason, [Status.OPEN])
        except LostRace:  # somebody cancelled on the ledger, or it settled elsewhere: the next tick sees that
            return
        self._count("auctions", 1)
        self._count("matched", len(pairs))


def _of(note_class: NoteClass, table: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a table of SQLAlchemy's
    return and_(*(table.c[name] == value for name, value in note_class._asdict().items()))

"""The leader's work: follow the ledger, hold auctions, carry matches to the ledger, tell everybody.

Of all replicas one leads, which holds the database's lock. If it is killed, the lock falls to another, which goes on
from what the database and the ledger say: each step may be done again without harm. The ledger decides what settled;
a receipt that was lost is no loss.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import and_, delete, or_, select, update

from assets.hashing import keccak
from assets.keys import Digest
from assets.orders import MAX_FILLS, Fill, Side, order_digest
from assets.port import Entry, Receipt
from assets.transactions import Cancel, Settle, Signed
from bidstore import auction, errors, outcome
from bidstore.posting import NoteClass
from bidstore.service.database import leadership
from bidstore.service.exchange import Exchange
from bidstore.service.store import CHUNK, LostRace, Status
from bidstore.service.tables import AUCTIONS, CHALLENGES, FILLS, META, ORDERS, RATES
from bidstore.service.wire import order_from_bytes

RESEND_S = 120
"""A settlement that the ledger took and that does not show for so long (ledger time) is sent again."""

BATCHES_PER_TICK = 8
"""Settlements in one tick, so that following and publishing do not wait for long."""

MAX_PAUSE_S = 60
"""Longest pause between attempts while the ledger or the database does not answer."""


class Operator:
    """Matches and settles for an :class:`~bidstore.service.exchange.Exchange`, while it leads."""

    def __init__(self, exchange: Exchange, count: Callable[[str, int], None] = lambda what, n: None) -> None:
        self.exchange, self.store, self.view = exchange, exchange.store, exchange.view
        self._count = count
        self._log = structlog.get_logger("bidstore")

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
        await self.follow()
        await self.match()
        await self.settle()
        await self.store.publish(self.exchange.limits.batch_bytes - 256)

    # --- The ledger's word ---------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Take into the book what the ledger recorded since the last time, and what lapsed meanwhile."""
        now_s = await self.view.now_s()  # before reading: what settled in time is then among the entries
        start = int.from_bytes(await self.store.meta("next entry", bytes(8)), "big")
        entries = await self.view.ask(lambda ledger: ledger.entries(start))
        settled, cancels = self._digest(entries)
        async with self.store.leading() as connection:
            changed = await self.store.change(
                connection, settled, Status.SETTLED, None, [s for s in Status if s is not Status.SETTLED]
            )
            for owner, nonces in cancels:
                rows = select(ORDERS.c.id, ORDERS.c.nonce).where(
                    ORDERS.c.owner == owner, ORDERS.c.status == Status.OPEN.value
                )
                void = [Digest(bytes(r.id)) for r in await connection.execute(rows) if nonces >> r.nonce & 1]
                await self.store.change(connection, void, Status.DROPPED, outcome.CANCELLED, [Status.OPEN])
            if entries:
                after = (entries[-1].seq + 1).to_bytes(8, "big")
                await connection.execute(update(META).where(META.c.name == "next entry").values(value=after))
            late = select(ORDERS.c.id).where(
                ORDERS.c.status.in_([Status.OPEN.value, Status.MATCHED.value]), ORDERS.c.lapses_s <= now_s
            )
            lapsed = [Digest(bytes(row.id)) for row in await connection.execute(late)]
            await self.store.change(connection, lapsed, Status.EXPIRED, None, [Status.OPEN, Status.MATCHED])
            limits = self.exchange.limits
            await connection.execute(delete(CHALLENGES).where(CHALLENGES.c.used_s < now_s - limits.challenge_s))
            await connection.execute(delete(RATES).where(RATES.c.window < now_s // limits.note_window_s))
            await self._repair(connection)
        self._count("settled", changed)
        self._count("expired", len(lapsed))

    def _digest(self, entries: Sequence[Entry]) -> tuple[list[Digest], list[tuple[bytes, int]]]:
        settled: list[Digest] = []
        cancels: list[tuple[bytes, int]] = []
        for entry in entries:
            tx = entry.signed.tx
            if isinstance(tx, Settle):  # whoever relayed it
                settled += [order_digest(self.view.domain, s.order) for f in tx.fills for s in (f.sell, f.buy)]
            elif isinstance(tx, Cancel):
                cancels.append((tx.owner, tx.nonces))
        return settled, cancels

    async def _repair(self, connection: Any) -> None:  # noqa: ANN401
        """Close the matches that have settled, and those that one side has left; the other returns to the book."""
        sell, buy = ORDERS.alias("sell"), ORDERS.alias("buy")
        pending = (
            select(FILLS.c.seq, FILLS.c.sell, FILLS.c.buy, sell.c.status.label("s"), buy.c.status.label("b"))
            .join(sell, sell.c.id == FILLS.c.sell)
            .join(buy, buy.c.id == FILLS.c.buy)
            .where(
                FILLS.c.state == "pending",
                or_(sell.c.status != Status.MATCHED.value, buy.c.status != Status.MATCHED.value),
            )
        )
        ended: dict[str, list[int]] = {"settled": [], "failed": []}
        back: list[Digest] = []
        for row in (await connection.execute(pending)).all():
            done = row.s == row.b == Status.SETTLED.value
            ended["settled" if done else "failed"].append(row.seq)
            if not done:
                sides = ((row.sell, row.s), (row.buy, row.b))
                back += [Digest(bytes(i)) for i, status in sides if status == Status.MATCHED.value]
        for state, seqs in ended.items():
            for first in range(0, len(seqs), CHUNK):
                chunk = seqs[first : first + CHUNK]
                await connection.execute(update(FILLS).where(FILLS.c.seq.in_(chunk)).values(state=state))
        await self.store.change(connection, back, Status.OPEN, outcome.OTHER_SIDE, [Status.MATCHED], returned=1)

    # --- Auctions ------------------------------------------------------------------------------------------

    async def match(self) -> None:
        """Hold the auctions of the intervals whose gate has closed: each class once, and again after a failed match."""
        now_s = await self.view.now_s()
        grid, gate_s = self.view.grid, self.exchange.limits.gate_s
        closed = grid.index(max(now_s + gate_s, grid.genesis_s))
        held = (
            select(AUCTIONS.c.round)
            .where(
                and_(
                    AUCTIONS.c.power_w == ORDERS.c.power_w,
                    AUCTIONS.c.start == ORDERS.c.start,
                    AUCTIONS.c.end == ORDERS.c.end,
                )
            )
            .exists()
        )
        due = (
            select(ORDERS.c.power_w, ORDERS.c.start, ORDERS.c.end)
            .where(
                ORDERS.c.status == Status.OPEN.value,
                ORDERS.c.start <= closed,
                or_(ORDERS.c.returned == 1, ~held),
            )
            .distinct()
            .order_by(ORDERS.c.start, ORDERS.c.end, ORDERS.c.power_w)
        )
        for row in await self.store.rows(due):
            note_class = NoteClass(row.power_w, row.start, row.end)
            seed = await self._seed(grid.start_s(row.start) - gate_s)
            if seed is not None:
                await self._auction(note_class, seed)

    async def _seed(self, closed_s: int) -> bytes | None:
        """From the first entry that the ledger accepted at or after gate closure; ``None`` for an empty ledger.

        So nobody could know it while orders still arrived. Where nothing happens on the ledger for a while, the entry
        before has to do: see docs/bidstore.md for what that allows.
        """
        marks = await self.view.marks()
        after = next((digest for time_s, digest in marks if time_s >= closed_s), None)
        chosen = after or (marks[-1][1] if marks else None)
        return None if chosen is None else keccak(b"petra auction" + chosen)

    async def _auction(self, note_class: NoteClass, seed: bytes) -> None:
        same = and_(
            ORDERS.c.power_w == note_class.power_w, ORDERS.c.start == note_class.start, ORDERS.c.end == note_class.end
        )
        rows = await self.store.rows(
            select(ORDERS.c.id, ORDERS.c.side, ORDERS.c.owner, ORDERS.c.limit_nano_per_wh, ORDERS.c.body).where(
                ORDERS.c.status == Status.OPEN.value, same
            )
        )
        gone: dict[Digest, str] = {}
        units: dict[Side, list[auction.Order]] = {Side.SELL: [], Side.BUY: []}
        for row in rows:
            order_id = Digest(bytes(row.id))
            try:
                await self.view.check_stands(order_from_bytes(bytes(row.body)).order)
            except errors.Cancelled:
                gone[order_id] = outcome.CANCELLED
            except (errors.NoteGone, errors.NoteUnknown):
                gone[order_id] = outcome.SPENT
            else:
                units[Side(row.side)].append(auction.Order(row.limit_nano_per_wh, bytes(row.owner), order_id))
        held = await self.store.rows(
            select(AUCTIONS.c.round).where(
                AUCTIONS.c.power_w == note_class.power_w,
                AUCTIONS.c.start == note_class.start,
                AUCTIONS.c.end == note_class.end,
            )
        )
        number = 1 + max((row.round for row in held), default=0)
        seed = keccak(seed + number.to_bytes(4, "big"))
        clearing = await asyncio.to_thread(auction.clear, units[Side.SELL], units[Side.BUY], seed)
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

    # --- Settling ------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Carry the pending matches to the ledger, and take its verdicts into the book."""
        now_s = await self.view.now_s()
        sell, buy = ORDERS.alias("sell"), ORDERS.alias("buy")
        waiting = (
            select(
                FILLS.c.seq,
                FILLS.c.power_w,
                FILLS.c.price_nano_per_wh,
                sell.c.body.label("sell_body"),
                buy.c.body.label("buy_body"),
            )
            .join(sell, sell.c.id == FILLS.c.sell)
            .join(buy, buy.c.id == FILLS.c.buy)
            .where(FILLS.c.state == "pending", or_(FILLS.c.sent_s.is_(None), FILLS.c.sent_s <= now_s - RESEND_S))
            .order_by(FILLS.c.seq)
            .limit(MAX_FILLS * BATCHES_PER_TICK)
        )
        rows = await self.store.rows(waiting)
        for first in range(0, len(rows), MAX_FILLS):
            batch = rows[first : first + MAX_FILLS]
            fills = tuple(
                Fill(
                    order_from_bytes(bytes(row.sell_body)),
                    order_from_bytes(bytes(row.buy_body)),
                    row.power_w,
                    row.price_nano_per_wh,
                )
                for row in batch
            )
            (receipt,) = await self.view.ask(lambda ledger, fills=fills: ledger.submit([Signed(Settle(fills), ())]))  # type: ignore[misc]
            self._count("settlements", 1)
            await self.follow()  # what settled, now or before, is known before anybody is blamed
            await self._take(fills, [row.seq for row in batch], receipt)

    async def _take(self, fills: Sequence[Fill], seqs: Sequence[int], receipt: Receipt) -> None:
        verdicts = receipt.fills or (receipt.refusal,) * len(fills)
        async with self.store.leading() as connection:
            taken = [seq for seq, refusal in zip(seqs, verdicts, strict=True) if refusal is None]
            if taken:
                sent = update(FILLS).where(FILLS.c.seq.in_(taken), FILLS.c.state == "pending")
                await connection.execute(sent.values(sent_s=receipt.time_s))
            for fill, refusal in zip(fills, verdicts, strict=True):
                if refusal is None:
                    continue
                for signed in (fill.sell, fill.buy):
                    order_id = order_digest(self.view.domain, signed.order)
                    reason = outcome.blame(refusal, order_id)
                    if reason is None and not await self._unspent(signed.order):
                        reason = outcome.SPENT
                    if reason is not None:
                        await self.store.change(connection, [order_id], Status.DROPPED, reason, [Status.MATCHED])
                self._count("refused fills", 1)
            await self._repair(connection)

    async def _unspent(self, order: Any) -> bool:  # noqa: ANN401
        try:
            await self.view.check_stands(order)
        except errors.OrderRefused:
            return False
        return True

"""Taking the ledger's word into the book: what settled, what was cancelled, what lapsed, and what a chain took back.

What *settled* is read from entries alone, whoever relayed it. Receipts, lost or not, decide nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from assets.keys import Digest
from assets.orders import order_digest
from assets.port import Entry
from assets.transactions import Cancel, Settle
from bidstore import outcome
from bidstore.service.limits import Limits
from bidstore.service.store import CHUNK, Status, Store
from bidstore.service.tables import CHALLENGES, FILLS, META, ORDERS, RATES
from bidstore.service.view import LedgerView
from contracts.errors import Reorganised

NEXT, LAST = "next entry", "last entry"
"""Under which names the database keeps how many entries were followed, and the digest of the last of them."""


class Follower:
    """Follows the ledger for the leader. The database remembers how far, so any replica can go on."""

    def __init__(self, store: Store, view: LedgerView, limits: Limits, count: Callable[[str, int], None]) -> None:
        self.store, self.view, self._limits, self._count = store, view, limits, count

    async def follow(self) -> None:
        """Take into the book what the ledger recorded since the last time, and what lapsed meanwhile."""
        now_s = await self.view.now_s()  # before reading: what settled in time is then among the entries
        known = int.from_bytes(await self.store.meta(NEXT, bytes(8)), "big")
        last = await self.store.meta(LAST, bytes(32))
        entries = await self._entries_after(known, last)
        rewound = entries is None
        if entries is None:
            entries = await self.view.ask(lambda ledger: ledger.entries())
        settled, cancels = self._digest(entries)
        async with self.store.leading() as connection:
            if rewound:
                await self._take_back(connection, settled)
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
                for name, value in ((NEXT, (entries[-1].seq + 1).to_bytes(8, "big")), (LAST, entries[-1].digest)):
                    await connection.execute(update(META).where(META.c.name == name).values(value=value))
            lapsed = await self._expire(connection, now_s)
            await self.repair(connection)
        self._count("settled", changed)
        self._count("expired", lapsed)

    async def _entries_after(self, known: int, last: bytes) -> Sequence[Entry] | None:
        """The entries from number ``known`` on; ``None`` if those before are no longer what they were."""
        try:
            entries = await self.view.ask(lambda ledger: ledger.entries(max(0, known - 1)))
        except Reorganised:
            return None
        if not known:
            return entries
        return entries[1:] if entries and entries[0].digest == last else None

    def _digest(self, entries: Sequence[Entry]) -> tuple[list[Digest], list[tuple[bytes, int]]]:
        settled: list[Digest] = []
        cancels: list[tuple[bytes, int]] = []
        for entry in entries:
            tx = entry.signed.tx
            if isinstance(tx, Settle):
                settled += [order_digest(self.view.domain, s.order) for f in tx.fills for s in (f.sell, f.buy)]
            elif isinstance(tx, Cancel):
                cancels.append((tx.owner, tx.nonces))
        return settled, cancels

    async def _expire(self, connection: AsyncConnection, now_s: int) -> int:
        late = select(ORDERS.c.id).where(
            ORDERS.c.status.in_([Status.OPEN.value, Status.MATCHED.value]), ORDERS.c.lapses_s <= now_s
        )
        lapsed = [Digest(bytes(row.id)) for row in await connection.execute(late)]
        told = ORDERS.c.reason  # why the auction left it stays to be read
        await self.store.change(connection, lapsed, Status.EXPIRED, told, [Status.OPEN, Status.MATCHED])
        await connection.execute(delete(CHALLENGES).where(CHALLENGES.c.used_s < now_s - self._limits.challenge_s))
        await connection.execute(delete(RATES).where(RATES.c.window < now_s // self._limits.note_window_s))
        return len(lapsed)

    async def _take_back(self, connection: AsyncConnection, settled: Sequence[Digest]) -> None:
        """A chain dropped entries: settled orders that its entries no longer have are matched again, and sent again."""
        still = set(settled)
        rows = await connection.execute(select(ORDERS.c.id).where(ORDERS.c.status == Status.SETTLED.value))
        lost = [order_id for row in rows if (order_id := Digest(bytes(row.id))) not in still]
        for first in range(0, len(lost), CHUNK):
            part = lost[first : first + CHUNK]
            again = update(FILLS).where(FILLS.c.state == "settled", or_(FILLS.c.sell.in_(part), FILLS.c.buy.in_(part)))
            matched = await connection.execute(again.values(state="pending", sent_s=None).returning(FILLS.c.sell))
            matched.all()
        pending = (await connection.execute(select(FILLS.c.sell, FILLS.c.buy).where(FILLS.c.state == "pending"))).all()
        ours = {bytes(order_id) for row in pending for order_id in row}
        for status, ids in (
            (Status.MATCHED, [i for i in lost if i in ours]),
            (Status.OPEN, [i for i in lost if i not in ours]),  # somebody else had matched them
        ):
            await self.store.change(connection, ids, status, None, [Status.SETTLED])
            await self.store.hold_again(connection, ids)
        self._count("taken back", len(lost))

    async def repair(self, connection: AsyncConnection) -> None:
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
                back += [Digest(bytes(i)) for i, status in _sides(row) if status == Status.MATCHED.value]
        for state, seqs in ended.items():
            for first in range(0, len(seqs), CHUNK):
                chunk = seqs[first : first + CHUNK]
                await connection.execute(update(FILLS).where(FILLS.c.seq.in_(chunk)).values(state=state))
        await self.store.change(connection, back, Status.OPEN, outcome.OTHER_SIDE, [Status.MATCHED], returned=1)


def _sides(row: Any) -> tuple[tuple[bytes, str], tuple[bytes, str]]:  # noqa: ANN401 - a row of SQLAlchemy's
    return (row.sell, row.s), (row.buy, row.b)

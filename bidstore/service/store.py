"""The book in a database. One transaction decides each thing; primary keys and conditional updates settle every race.

OPEN -> MATCHED -> SETTLED        the ledger has it
  |  \\-------------> DROPPED      with the reason; its notes are free
  |---> CANCELLED                 by its owner
  \\---> EXPIRED                   nobody could settle it any more
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from assets.keys import Digest
from assets.orders import Order, SignedOrder
from bidstore import errors
from bidstore.service import refusals
from bidstore.service.database import LEADER_LOCK, migrate
from bidstore.service.tables import (
    AUCTIONS,
    BATCHES,
    CHALLENGES,
    EVENTS,
    FILLS,
    HOLDS,
    META,
    ORDERS,
    RATES,
)
from bidstore.service.wire import hex_of, order_to_bytes

CHUNK = 500
"""Ids in one statement."""


class Status(Enum):
    """Where an order stands."""

    OPEN = "open"
    MATCHED = "matched"
    SETTLED = "settled"
    DROPPED = "dropped"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


ALIVE = (Status.OPEN, Status.MATCHED)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the owner of an order is told."""

    status: Status
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a note may be named, and in which window it is now."""

    limit: int
    window: int
    window_s: int


class LostRace(Exception):
    """What a leader's transaction relied on has changed; nothing was written."""


class Store:
    """Reads and writes of the book."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._insert: Any = postgres_insert if engine.dialect.name == "postgresql" else sqlite_insert

    async def prepare(self) -> None:
        """Bring the tables up to date."""
        await migrate(self.engine)

    async def close(self) -> None:
        """Give back all connections."""
        await self.engine.dispose()

    async def meta(self, name: str, value: bytes) -> bytes:
        """The value recorded as ``name``, which is ``value`` if there was none."""
        async with self.engine.begin() as connection:
            new = self._insert(META).values(name=name, value=value).on_conflict_do_nothing()
            await connection.execute(new)
            return bytes((await connection.execute(select(META.c.value).where(META.c.name == name))).scalar_one())

    # --- Orders --------------------------------------------------------------------------------------------

    async def add(
        self,
        order_id: Digest,
        signed: SignedOrder,
        lapses_s: int,
        challenge: bytes,
        now_s: int,
        rate: Rate,
        replaces: Digest | None = None,
    ) -> bool:
        """Take an order into the book and use up its challenge; whether it was new. All in one transaction.

        An order that is open already stays as it is. Raises an :class:`~bidstore.errors.OrderRefused`.
        """
        order = signed.order
        try:
            async with self.engine.begin() as connection:
                await self._use(connection, challenge, now_s)
                await self._count(connection, order.energy.id, rate)
                if replaces is not None:
                    await self._replace(connection, replaces, order)
                if await self._known(connection, order_id):
                    return False
                await connection.execute(insert(ORDERS).values(_row(order_id, signed, lapses_s)))
                held = [{"note": note_id, "order_id": order_id} for note_id in sorted(note.id for note in order.notes)]
                await connection.execute(insert(HOLDS), held)
                await self._tell(connection, [_event(order_id, Status.OPEN, order)])
                return True
        except IntegrityError:  # another request has the challenge, a note, or this very order
            await self._explain(order, order_id, challenge)
            return False

    async def _use(self, connection: AsyncConnection, challenge: bytes, now_s: int) -> None:
        await connection.execute(insert(CHALLENGES).values(id=challenge, used_s=now_s))

    async def _count(self, connection: AsyncConnection, note: bytes, rate: Rate) -> None:
        first = self._insert(RATES).values(note=note, window=rate.window, count=1)
        counted = first.on_conflict_do_update(
            index_elements=[RATES.c.note, RATES.c.window], set_={"count": RATES.c.count + 1}
        ).returning(RATES.c.count)
        if (await connection.execute(counted)).scalar_one() > rate.limit:
            raise refusals.RateLimited(rate.limit, rate.window_s)

    async def _replace(self, connection: AsyncConnection, old: Digest, order: Order) -> None:
        gone = (
            update(ORDERS)
            .where(ORDERS.c.id == old, ORDERS.c.status == Status.OPEN.value, ORDERS.c.energy == order.energy.id)
            .values(status=Status.CANCELLED.value, reason="its owner replaced it")
        )
        if (await connection.execute(gone)).rowcount != 1:
            raise refusals.NotReplaceable
        await connection.execute(delete(HOLDS).where(HOLDS.c.order_id == old))
        await self._tell(connection, [_left(old, Status.CANCELLED)])

    async def _known(self, connection: AsyncConnection, order_id: Digest) -> bool:
        """Whether the order is open already; one that was dropped is forgotten, so that it may be posted again."""
        found = (await connection.execute(select(ORDERS.c.status).where(ORDERS.c.id == order_id))).scalar_one_or_none()
        if found is None:
            return False
        if found == Status.OPEN.value:
            return True
        if found != Status.DROPPED.value:
            raise refusals.OrderKnown(found)
        await connection.execute(delete(ORDERS).where(ORDERS.c.id == order_id))
        return False

    async def _explain(self, order: Order, order_id: Digest, challenge: bytes) -> None:
        async with self.engine.connect() as connection:
            used = await connection.execute(select(CHALLENGES.c.id).where(CHALLENGES.c.id == challenge))
            if used.first() is not None:
                raise errors.ChallengeUnknown
            found = await connection.execute(select(ORDERS.c.status).where(ORDERS.c.id == order_id))
            if (status := found.scalar_one_or_none()) is not None:
                if status == Status.OPEN.value:  # the same order, posted twice at the same moment
                    return
                raise refusals.OrderKnown(status)
            ids = [note.id for note in order.notes]
            held = await connection.execute(select(HOLDS.c.note).where(HOLDS.c.note.in_(ids)))
            raise errors.NoteOnOffer(bytes(next(iter(held), (ids[0],))[0]))

    async def cancel(self, order_id: Digest, energy: bytes, challenge: bytes, now_s: int, rate: Rate) -> None:
        """Take an open order out of the book, and use up the challenge."""
        try:
            async with self.engine.begin() as connection:
                await self._use(connection, challenge, now_s)
                await self._count(connection, energy, rate)
                gone = (
                    update(ORDERS)
                    .where(ORDERS.c.id == order_id, ORDERS.c.status == Status.OPEN.value)
                    .values(status=Status.CANCELLED.value, reason="its owner cancelled it")
                )
                if (await connection.execute(gone)).rowcount != 1:
                    found = await connection.execute(select(ORDERS.c.status).where(ORDERS.c.id == order_id))
                    raise refusals.NotCancellable(found.scalar_one_or_none() or "unknown")
                await connection.execute(delete(HOLDS).where(HOLDS.c.order_id == order_id))
                await self._tell(connection, [_left(order_id, Status.CANCELLED)])
        except IntegrityError:
            raise errors.ChallengeUnknown from None

    async def standing(self, order_id: Digest) -> Standing:
        """Where an order stands; raises :class:`~bidstore.errors.OrderUnknown`."""
        rows = await self.rows(select(ORDERS.c.status, ORDERS.c.reason).where(ORDERS.c.id == order_id))
        if not rows:
            raise errors.OrderUnknown
        return Standing(Status(rows[0].status), rows[0].reason)

    async def body(self, order_id: Digest) -> bytes:
        """The signed order; raises :class:`~bidstore.errors.OrderUnknown`."""
        rows = await self.rows(select(ORDERS.c.body).where(ORDERS.c.id == order_id))
        if not rows:
            raise errors.OrderUnknown
        return bytes(rows[0].body)

    async def counts(self) -> dict[str, int]:
        """How many orders have each status."""
        rows = await self.rows(select(ORDERS.c.status, func.count().label("n")).group_by(ORDERS.c.status))
        return {row.status: row.n for row in rows}

    async def rows(self, query: Select[Any]) -> Sequence[Any]:
        """All rows of a query."""
        async with self.engine.connect() as connection:
            found: Sequence[Any] = (await connection.execute(query)).all()
            return found

    # --- The leader's writes -------------------------------------------------------------------------------

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction of the leader's. One at a time, even if two replicas believe to lead."""
        async with self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LEADER_LOCK + 2})
            yield connection

    async def change(
        self,
        connection: AsyncConnection,
        ids: Iterable[Digest],
        status: Status,
        reason: str | None,
        was: Sequence[Status],
        returned: int = 0,
    ) -> int:
        """Change those of ``ids`` that have a status of ``was``; returns how many."""
        changed: list[Digest] = []
        ordered = sorted(set(ids))
        for first in range(0, len(ordered), CHUNK):
            moved = (
                update(ORDERS)
                .where(ORDERS.c.id.in_(ordered[first : first + CHUNK]), ORDERS.c.status.in_([s.value for s in was]))
                .values(status=status.value, reason=reason, returned=returned)
                .returning(ORDERS.c.id)
            )
            part = [Digest(bytes(row[0])) for row in await connection.execute(moved)]
            if part and status not in ALIVE:
                await connection.execute(delete(HOLDS).where(HOLDS.c.order_id.in_(part)))
            changed += part
        if tuple(was) != (status,):  # a new reason alone is for whoever asks
            await self._tell(connection, [_left(order_id, status) for order_id in changed])
        return len(changed)

    async def match(
        self, connection: AsyncConnection, pairs: Sequence[tuple[Digest, Digest, int, int]], auction: Mapping[str, Any]
    ) -> None:
        """Record the pairs ``(sell, buy, power_w, price)`` of an auction; raises :class:`LostRace`."""
        ids = [order_id for pair in pairs for order_id in pair[:2]]
        if await self.change(connection, ids, Status.MATCHED, None, [Status.OPEN]) != len(ids):
            raise LostRace
        if pairs:
            names = ("sell", "buy", "power_w", "price_nano_per_wh")
            rows = [{**dict(zip(names, pair, strict=True)), "state": "pending"} for pair in pairs]
            await connection.execute(insert(FILLS), rows)
        if auction:
            await connection.execute(insert(AUCTIONS).values(**auction))
            told = {name: auction[name] for name in ("power_w", "start", "end", "round", "volume", "price_nano_per_wh")}
            await self._tell(connection, [{"auction": told, "seed": hex_of(auction["seed"])}])

    async def publish(self, most_bytes: int) -> int:
        """Put the changes that wait into batches of at most ``most_bytes``; returns how many batches."""
        async with self.leading() as connection:
            waiting = (await connection.execute(select(EVENTS.c.seq, EVENTS.c.body).order_by(EVENTS.c.seq))).all()
            batches: list[list[str]] = []
            size = most_bytes
            for _, body in waiting:
                if size + len(body) + 1 > most_bytes:
                    batches.append([])
                    size = 2
                batches[-1].append(body)
                size += len(body) + 1
            for batch in batches:
                await connection.execute(insert(BATCHES).values(body="[" + ",".join(batch) + "]"))
            for first in range(0, len(waiting), CHUNK):
                seqs = [row[0] for row in waiting[first : first + CHUNK]]
                await connection.execute(delete(EVENTS).where(EVENTS.c.seq.in_(seqs)))
        return len(batches)

    async def _tell(self, connection: AsyncConnection, events: Sequence[Mapping[str, object]]) -> None:
        if events:
            rows = [{"body": json.dumps(event, separators=(",", ":"))} for event in events]
            await connection.execute(insert(EVENTS), rows)


def _row(order_id: Digest, signed: SignedOrder, lapses_s: int) -> dict[str, object]:
    order, note = signed.order, signed.order.energy.note
    return {
        "id": order_id,
        "side": int(order.side),
        "energy": order.energy.id,
        "owner": note.owner,
        "nonce": order.nonce,
        "power_w": note.quantity,
        "start": note.start,
        "end": note.end,
        "limit_nano_per_wh": order.limit_nano_per_wh,
        "lapses_s": lapses_s,
        "status": Status.OPEN.value,
        "reason": None,
        "returned": 0,
        "body": order_to_bytes(signed),
    }


def _event(order_id: Digest, status: Status, order: Order) -> dict[str, object]:
    note = order.energy.note
    terms = {"side": order.side.name, "power_w": note.quantity, "start": note.start, "end": note.end}
    return {**_left(order_id, status), **terms, "limit_nano_per_wh": order.limit_nano_per_wh}


def _left(order_id: Digest, status: Status) -> dict[str, object]:
    return {"order": hex_of(order_id), "status": status.value}

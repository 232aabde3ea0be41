"""The book in a database. One transaction decides each thing; primary keys and conditional updates settle every race.

OPEN -> MATCHED -> SETTLED        the ledger has it
  |  \\-------------> DROPPED      with the reason; its notes are free
  |---> CANCELLED                 by its owner
  \\---> EXPIRED                   nobody could settle it any more
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
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
from bidstore.service.wire import hex_of, order_from_bytes, order_to_bytes

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


@dataclass(frozen=True, slots=True)
class Offered:
    """An order that was verified, on its way into the book."""

    order_id: Digest
    signed: SignedOrder
    lapses_s: int
    challenge: bytes
    now_s: int
    """Ledger time at which it was verified."""
    rate: Rate
    replaces: Digest | None = None


_Ended = dict[Digest, errors.OrderRefused | None]
"""By order: why it was refused, or ``None`` for one that is open already."""

_Part = Callable[[AsyncConnection, Sequence[Offered]], Awaitable[_Ended]]


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

    async def add(self, offers: Sequence[Offered]) -> list[errors.OrderRefused | None]:
        """Take orders into the book and use up their challenges, all in one transaction.

        Gives for each why it is refused, or ``None``; one that is open already stays as it is. No two of ``offers`` may
        share an order, a challenge or a note. One that replaces another comes alone: refused, it leaves the book as it
        was. Whatever is refused has used its challenge and counts for its note, or nothing would bound its repetition.
        """
        async with self.engine.begin() as connection:
            ended = await self._judge(connection, offers, self._use, self._count)
            async with connection.begin_nested() as book:
                ended |= await self._judge(connection, _left_of(offers, ended), self._known, self._replace, self._hold)
                await self._open(connection, _left_of(offers, ended))
                if any(offer.replaces is not None and ended.get(offer.order_id) for offer in offers):
                    await book.rollback()
        return [ended.get(offer.order_id) for offer in offers]

    async def _judge(self, connection: AsyncConnection, offers: Sequence[Offered], *parts: _Part) -> _Ended:
        """What became of those that are not new in the book: a refusal, or ``None`` for one that is open already."""
        ended: _Ended = {}
        for part in parts:
            if left := _left_of(offers, ended):
                ended |= await part(connection, sorted(left, key=lambda offer: offer.order_id))
        return ended

    async def _open(self, connection: AsyncConnection, new: Sequence[Offered]) -> None:
        if new:
            ids = [offer.order_id for offer in new]
            dropped = delete(ORDERS).where(ORDERS.c.id.in_(ids), ORDERS.c.status == Status.DROPPED.value)
            await connection.execute(dropped)  # they begin again
            await connection.execute(insert(ORDERS), [_row(offer) for offer in new])
            await self._tell(connection, [_event(o.order_id, Status.OPEN, o.signed.order) for o in new])

    async def _use(self, connection: AsyncConnection, offers: Sequence[Offered]) -> _Ended:
        fresh = await self._use_up(connection, {offer.challenge: offer.now_s for offer in offers})
        return {offer.order_id: errors.ChallengeUnknown() for offer in offers if offer.challenge not in fresh}

    async def _use_up(self, connection: AsyncConnection, challenges: Mapping[bytes, int]) -> set[bytes]:
        """Record that challenges were used, and when; gives those that were not used before."""
        rows = [{"id": challenge, "used_s": challenges[challenge]} for challenge in sorted(challenges)]
        used = self._insert(CHALLENGES).on_conflict_do_nothing().returning(CHALLENGES.c.id)
        return {bytes(row[0]) for row in await connection.execute(used, rows)}

    async def _count(self, connection: AsyncConnection, offers: Sequence[Offered]) -> _Ended:
        by_note = {bytes(offer.signed.order.energy.id): offer for offer in offers}
        over = await self._count_notes(connection, {note: offer.rate for note, offer in by_note.items()})
        return {by_note[note].order_id: refusal for note, refusal in over.items()}

    async def _count_notes(
        self, connection: AsyncConnection, notes: Mapping[bytes, Rate]
    ) -> dict[bytes, errors.OrderRefused]:
        """Count a request for each of ``notes``; gives refusals for those that were named too often."""
        rows = [{"note": note, "window": notes[note].window, "count": 1} for note in sorted(notes)]
        counted = self._insert(RATES).on_conflict_do_update(
            index_elements=[RATES.c.note, RATES.c.window], set_={"count": RATES.c.count + 1}
        )
        found = await connection.execute(counted.returning(RATES.c.note, RATES.c.count), rows)
        over = {bytes(note): notes[bytes(note)] for note, count in found.all() if count > notes[bytes(note)].limit}
        return {note: refusals.RateLimited(rate.limit, rate.window_s) for note, rate in over.items()}

    async def _replace(self, connection: AsyncConnection, offers: Sequence[Offered]) -> _Ended:
        for offer in offers:
            if offer.replaces is None:
                continue
            gone = (
                update(ORDERS)
                .where(
                    ORDERS.c.id == offer.replaces,
                    ORDERS.c.status == Status.OPEN.value,
                    ORDERS.c.energy == offer.signed.order.energy.id,
                )
                .values(status=Status.CANCELLED.value, reason="its owner replaced it")
            )
            if (await connection.execute(gone)).rowcount != 1:
                return {offer.order_id: refusals.NotReplaceable()}
            await connection.execute(delete(HOLDS).where(HOLDS.c.order_id == offer.replaces))
            await self._tell(connection, [_left(offer.replaces, Status.CANCELLED)])
        return {}

    async def _known(self, connection: AsyncConnection, offers: Sequence[Offered]) -> _Ended:
        """Orders that are in the book; one that was dropped may be posted again."""
        query = select(ORDERS.c.id, ORDERS.c.status).where(ORDERS.c.id.in_([offer.order_id for offer in offers]))
        return {
            Digest(bytes(row.id)): None if row.status == Status.OPEN.value else refusals.OrderKnown(row.status)
            for row in await connection.execute(query)
            if row.status != Status.DROPPED.value
        }

    async def _hold(self, connection: AsyncConnection, offers: Sequence[Offered]) -> _Ended:
        rows = [{"note": note.id, "order_id": o.order_id} for o in offers for note in o.signed.order.notes]
        rows.sort(key=lambda row: row["note"])  # everywhere the same, so that replicas never wait for each other
        held = self._insert(HOLDS).on_conflict_do_nothing().returning(HOLDS.c.note)
        mine = {bytes(row[0]) for row in await connection.execute(held, rows)}
        refused: _Ended = {}
        for offer in offers:
            notes = [note.id for note in offer.signed.order.notes]
            taken = [note for note in notes if note not in mine]
            if not taken:
                continue
            holder = await connection.execute(select(HOLDS.c.order_id).where(HOLDS.c.note == taken[0]))
            same = holder.scalar_one_or_none() == offer.order_id  # another replica took this very order just now
            refused[offer.order_id] = None if same else errors.NoteOnOffer(taken[0])
            if not same:
                await connection.execute(delete(HOLDS).where(HOLDS.c.order_id == offer.order_id))
        return refused

    async def cancel(self, order_id: Digest, energy: bytes, challenge: bytes, now_s: int, rate: Rate) -> None:
        """Take an open order out of the book. A refused request uses up its challenge and counts, too."""
        async with self.engine.begin() as connection:
            if not await self._use_up(connection, {challenge: now_s}):
                raise errors.ChallengeUnknown
            over = await self._count_notes(connection, {energy: rate})
            refusal = over.get(energy) or await self._cancel(connection, order_id)
        if refusal is not None:
            raise refusal

    async def _cancel(self, connection: AsyncConnection, order_id: Digest) -> errors.OrderRefused | None:
        gone = (
            update(ORDERS)
            .where(ORDERS.c.id == order_id, ORDERS.c.status == Status.OPEN.value)
            .values(status=Status.CANCELLED.value, reason="its owner cancelled it")
        )
        if (await connection.execute(gone)).rowcount != 1:
            found = await connection.execute(select(ORDERS.c.status).where(ORDERS.c.id == order_id))
            return refusals.NotCancellable(found.scalar_one_or_none() or "unknown")
        await connection.execute(delete(HOLDS).where(HOLDS.c.order_id == order_id))
        await self._tell(connection, [_left(order_id, Status.CANCELLED)])
        return None

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
        reason: str | ColumnElement[str | None] | None,
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

    async def hold_again(self, connection: AsyncConnection, ids: Sequence[Digest]) -> None:
        """Let orders that ended hold their notes again."""
        for order_id in ids:
            body = (await connection.execute(select(ORDERS.c.body).where(ORDERS.c.id == order_id))).scalar_one()
            rows = [{"note": note.id, "order_id": order_id} for note in order_from_bytes(bytes(body)).order.notes]
            await connection.execute(self._insert(HOLDS).on_conflict_do_nothing(), rows)

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


def _left_of(offers: Sequence[Offered], ended: _Ended) -> list[Offered]:
    return [offer for offer in offers if offer.order_id not in ended]


def _row(offered: Offered) -> dict[str, object]:
    order, note = offered.signed.order, offered.signed.order.energy.note
    return {
        "id": offered.order_id,
        "side": int(order.side),
        "energy": order.energy.id,
        "owner": note.owner,
        "nonce": order.nonce,
        "power_w": note.quantity,
        "start": note.start,
        "end": note.end,
        "limit_nano_per_wh": order.limit_nano_per_wh,
        "lapses_s": offered.lapses_s,
        "status": Status.OPEN.value,
        "reason": None,
        "returned": 0,
        "body": order_to_bytes(offered.signed),
    }


def _event(order_id: Digest, status: Status, order: Order) -> dict[str, object]:
    note = order.energy.note
    terms = {"side": order.side.name, "power_w": note.quantity, "start": note.start, "end": note.end}
    return {**_left(order_id, status), **terms, "limit_nano_per_wh": order.limit_nano_per_wh}


def _left(order_id: Digest, status: Status) -> dict[str, object]:
    return {"order": hex_of(order_id), "status": status.value}

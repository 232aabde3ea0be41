"""The stream of events: what a reader gets depends on the book alone, never on who reads."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from bidstore.service.store import Store
from bidstore.service.tables import BATCHES

AT_ONCE = 64
"""Most batches of one answer."""

KEPT = 1024
"""Batches that a replica keeps for its readers."""

Batch = tuple[int, str]
"""Its number, and its changes as JSON."""


class Feed:
    """A replica's batches: the database is asked once a tick, however many read."""

    def __init__(self, store: Store, tick_s: float) -> None:
        self._store, self._tick_s = store, tick_s
        self._turn = asyncio.Lock()
        self._recent: list[Batch] = []
        self._since: int | None = None
        """Number of the batch before the first of ``recent``."""
        self._asked = 0.0

    async def after(self, start: int) -> Sequence[Batch]:
        """The first batches after number ``start``."""
        async with self._turn:
            if self._since is None or time.monotonic() - self._asked >= self._tick_s:
                await self._refresh()
            since = self._since or 0
        if start < since:
            return await self._read(start)
        return [batch for batch in self._recent if batch[0] > start][:AT_ONCE]

    async def last(self) -> int:
        """Number of the newest batch, 0 if there is none."""
        rows = await self._store.rows(select(func.max(BATCHES.c.seq).label("last")))
        return int(rows[0].last or 0)

    async def _refresh(self) -> None:
        if self._since is None:
            self._since = await self.last()
        newest = self._recent[-1][0] if self._recent else self._since
        while fresh := await self._read(newest):
            self._recent += fresh
            newest = fresh[-1][0]
        if (surplus := len(self._recent) - KEPT) > 0:
            self._since = self._recent[surplus - 1][0]
            del self._recent[:surplus]
        self._asked = time.monotonic()

    async def _read(self, start: int) -> list[Batch]:
        after = select(BATCHES.c.seq, BATCHES.c.body).where(BATCHES.c.seq > start).order_by(BATCHES.c.seq)
        rows: Sequence[Any] = await self._store.rows(after.limit(AT_ONCE))
        return [(row.seq, row.body) for row in rows]


def padded(number: int, body: str, size: int) -> str:
    """``body`` with spaces after it, which JSON ignores: with its number, the next multiple of ``size`` characters."""
    taken = len(str(number)) + len(body)
    return body + " " * (-taken % size)

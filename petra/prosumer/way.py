"""The way to the services, looked at before it is used: what was found holds for a while."""

import asyncio
from collections.abc import Callable

from petra.prosumer.desk import Desk
from petra.prosumer.reach import Reach
from petra.prosumer.worker import Worker

VERIFIED_S = 30
"""Real seconds for which a way to the services counts as verified."""


class Way:
    """Sees to it that the way is what it is said to be."""

    def __init__(self, reach: Reach, clock: Callable[[], float], again_s: float) -> None:
        """``again_s``: real seconds after which a way that failed is looked at again."""
        self._reach, self._clock, self._again_s = reach, clock, again_s
        self._thread, self._one_by_one = Worker("way"), asyncio.Lock()
        self._until = float("-inf")  # by the process's clock, in seconds; no ledger time
        self._failed: tuple[float, Exception | None] = (0.0, None)

    async def verify(self) -> None:
        """Raise :class:`~petra.onion.errors.NotTor` unless the way is what it is said to be."""
        async with self._one_by_one:
            now = self._clock()
            if now < self._failed[0] and self._failed[1] is not None:
                raise self._failed[1]  # whoever waited meanwhile need not ask again
            if now < self._until:
                return
            try:
                await self._thread.do(self._reach.verify)
            except Exception as failure:
                self._failed = self._clock() + self._again_s, failure
                raise
            self._until = self._clock() + VERIFIED_S


class Door:
    """One thing goes through at each look: what waited for the way would set out together when it is there."""

    def __init__(self, way: Way, desk: Desk) -> None:
        self._way, self._desk = way, desk
        self._closed_through = -1
        """Number of the last look that has had its one thing."""

    async def go_through(self) -> bool:
        """Verify the way; ``False`` if something else has gone at this look: choose another moment."""
        began = self._desk.looks
        await self._way.verify()
        now = self._desk.looks
        if now <= self._closed_through:
            return False
        # Whoever waited into a later look goes beside what that look lets out: it takes the next one's turn instead.
        self._closed_through = now if now == began else now + 1
        return True

"""The way to the services, looked at before it is used: what was found holds for a while."""

import asyncio
from collections.abc import Callable

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
        self._until = float("-inf")
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

"""Writing many orders in one transaction: whoever waits for the database takes the others along.

A transaction costs the same for one order as for a hundred, nearly. So while one is written the next ones gather, and
the first of them writes them all. There is no task in the background: each caller either writes or finds it done.
"""

import asyncio
from collections import deque

from bidstore.errors import OrderRefused
from bidstore.service.refusals import Busy
from bidstore.service.store import Offered, Store

TOGETHER = 128
"""Most orders of one transaction."""

_Waiting = tuple[Offered, "asyncio.Future[OrderRefused | None]"]


class Intake:
    """Orders on their way into one replica's database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self._waiting: deque[_Waiting] = deque()

    async def add(self, offered: Offered) -> None:
        """Take an order into the book; raises why it is refused, or what keeps the database from taking it."""
        ended: asyncio.Future[OrderRefused | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((offered, ended))
        async with self._turn:
            while not ended.done():
                await self._write()
        refusal = ended.result()
        if refusal is not None:
            raise refusal

    async def _write(self) -> None:
        together = self._next()
        try:
            results = await self._store.add([offered for offered, _ in together])
        except BaseException as failure:
            # Whether it was written, nobody knows; posting an order again does no harm.
            for _, ended in together:
                ended.set_exception(failure if isinstance(failure, Exception) else Busy())
                ended.exception()  # whoever waits may be gone
            if not isinstance(failure, Exception):
                raise
            return
        for (_, ended), result in zip(together, results, strict=True):
            ended.set_result(result)

    def _next(self) -> list[_Waiting]:
        """The next that may be written together: as they came, until two would be in each other's way."""
        together: list[_Waiting] = []
        named: set[bytes] = set()
        while self._waiting and len(together) < TOGETHER:
            offered, _ = self._waiting[0]
            names = {offered.order_id, offered.challenge, *(note.id for note in offered.signed.order.notes)}
            alone = offered.replaces is not None
            if together and (alone or not names.isdisjoint(named)):
                break
            named |= names
            together.append(self._waiting.popleft())
            if alone:
                break
        return together

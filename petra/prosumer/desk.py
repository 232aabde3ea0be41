"""What the parts of an agent share: the ledger's time, what they do beside one another, and how they tell of it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from petra.prosumer.home import Memory, Tell
from petra.prosumer.troubles import Troubles


class Desk:
    """Starts what is done, and tells what happens."""

    def __init__(self, tell: Tell, memory: Memory) -> None:
        self._tell, self._memory = tell, memory
        self.now_s: int | None = None
        """Ledger time as last read."""
        self.looks = 0
        """How often the ledger was looked at."""
        self.troubles = Troubles(self._trouble)
        self.tasks: set[asyncio.Task[None]] = set()
        """What is being done."""

    def start(self, part: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside everything else; whatever it raises is a trouble of that part alone."""

        async def guarded() -> None:
            try:
                await work
            except Exception as failure:  # the boundary between parts
                self.troubles.failed(part, failure)

        task = asyncio.create_task(guarded())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def clear(self) -> None:
        """End all that is being done."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    def say(self, event: str, window: int | None = None, **facts: int | str) -> None:
        """Tell what is done: the stage alone in the log, the facts in the wallet's own encrypted history."""
        named = {} if window is None else {"window": window}
        self._tell("info", event, **named)
        self._memory.add_event(event, self.now_s, **named, **facts)

    def _trouble(self, level: str, part: str, what: str) -> None:
        self._tell(level, "trouble", part=part, what=what)
        try:
            self._memory.add_event("trouble", self.now_s, part=part, what=what)
        except Exception:  # the disk is full, which may be the trouble
            self._tell("warning", "trouble", part="state", what="cannot be written")

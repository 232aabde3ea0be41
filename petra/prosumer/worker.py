"""A thread for what blocks. It ends with the process, so that nothing that hangs there keeps a wallet from stopping."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class Worker:
    """Does one thing after another in one thread of its own."""

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._name = name
        self._thread: threading.Thread | None = None

    async def do(self, what: Callable[[], Result]) -> Result:
        """The result of ``what``, or what it raised."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        done: Future[Result] = Future()
        self._tasks.put((what, done))
        return await asyncio.wrap_future(done)

    def _run(self) -> None:
        while True:
            what, done = self._tasks.get()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(what())
            except BaseException as failure:  # handed to whoever waits
                done.set_exception(failure)

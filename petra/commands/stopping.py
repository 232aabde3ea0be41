"""How services end: SIGTERM, Ctrl-C or a terminal that closes end them in order, with exit code 0."""

import asyncio
import signal
import sys


async def until_stopped(with_parent: bool = False) -> None:
    """Wait for SIGTERM, SIGINT or SIGHUP; with ``with_parent`` also for the end of standard input.

    Call it within what is to be closed in order. A second signal changes nothing.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        number = signal.Signals[name]
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has SIGHUP ignored: that stays
            loop.add_signal_handler(number, stop.set)
    if with_parent:
        reading = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
        reading.add_done_callback(lambda _: stop.set())
    await stop.wait()

"""How services end: SIGTERM, Ctrl-C or a terminal that closes end them in order, with exit code 0."""

import asyncio
import signal
import sys
from types import FrameType


def stop_event(with_parent: bool = False) -> asyncio.Event:
    """Set by SIGTERM, SIGINT or SIGHUP; with ``with_parent`` also by the end of standard input.

    Ask for it before anything is served, and wait for it within what is to be closed in order: from now on a signal
    ends the process in no other way. A second one changes nothing.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        number = signal.Signals[name]
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has SIGHUP ignored: that stays
            loop.add_signal_handler(number, stop.set)
    if with_parent:
        reading = loop.run_in_executor(None, sys.stdin.read)
        reading.add_done_callback(lambda _: stop.set())
    return stop


def end_as_by_ctrl_c() -> None:
    """From now on SIGTERM and a terminal that closes do what Ctrl-C does: whatever was begun is taken back first."""

    def end(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # once is enough
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script's job in the background ignores Ctrl-C alone
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    for name in ("SIGTERM", "SIGHUP"):
        number = signal.Signals[name]
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has SIGHUP ignored: that stays
            signal.signal(number, end)

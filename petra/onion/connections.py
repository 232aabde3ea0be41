"""Which connections this process opens: a log that the interpreter itself writes, and a guard that forbids the rest.

Python reports every connection, datagram and name look-up to its audit hooks (PEP 578) before it happens, whichever
library wants it. Native code that opens sockets by itself is not reported; PETra's dependencies have none. The test
in ``tests/e2e`` asks the kernel too.
"""

import sys
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address

Endpoint = tuple[str, int]

_ADDRESSED = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_NAMED = {"socket.getaddrinfo", "socket.gethostbyname"}
_REVERSED = {"socket.gethostbyaddr", "socket.getnameinfo"}
"""Ask for the name of an address, so a number is looked up, too."""


class DirectConnection(OSError):
    """This process may not open connections of its own: everything goes through Tor. It was not opened.

    To the library that wanted it, it is a connection that failed.
    """

    def __init__(self, event: str, target: str) -> None:
        super().__init__(f"{event} to {target} would not go through Tor; it was stopped")
        self.event, self.target = event, target


@dataclass
class ConnectionLog:
    """What was opened, and what was tried and stopped."""

    allowed: frozenset[Endpoint] | None
    """Where connections may go; ``None`` = anywhere, only write it down."""
    opened: Counter[str] = field(default_factory=Counter)
    """Connections and look-ups by target, ``host:port`` or a name."""
    stopped: list[DirectConnection] = field(default_factory=list)

    def note(self, event: str, target: str, allowed: bool) -> None:
        """Write down one connection. Raises :class:`DirectConnection` if it is not allowed."""
        if not allowed:
            refusal = DirectConnection(event, target)
            self.stopped.append(refusal)
            raise refusal
        self.opened[target] += 1


_logs: list[ConnectionLog] = []


@cache
def _install() -> None:
    """An audit hook cannot be taken back, so there is one, which looks at the logs of the moment."""
    sys.addaudithook(_hook)


@contextmanager
def watched_connections(allowed: Collection[Endpoint] | None = None) -> Iterator[ConnectionLog]:
    """Log all connections of this process meanwhile; with ``allowed``, stop all others before they are opened."""
    _install()
    log = ConnectionLog(None if allowed is None else frozenset(allowed))
    _logs.append(log)
    try:
        yield log
    finally:
        _logs.remove(log)


def _hook(event: str, args: tuple[object, ...]) -> None:
    if not _logs:
        return
    if event in _ADDRESSED:
        address = args[1]
        if isinstance(address, tuple) and len(address) >= 2:
            endpoint = (str(address[0]), int(address[1]))
            for log in _logs:
                log.note(event, f"{endpoint[0]}:{endpoint[1]}", log.allowed is None or endpoint in log.allowed)
        elif address is not None:
            for log in _logs:
                log.note(event, str(address), log.allowed is None)
    elif event in _NAMED:
        host = str(args[0])
        if _is_number(host):  # nothing is looked up
            return
        for log in _logs:
            log.note(event, host, log.allowed is None or host in {name for name, _ in log.allowed})
    elif event in _REVERSED:
        for log in _logs:
            log.note(event, str(args[0]), log.allowed is None)


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

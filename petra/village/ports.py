"""Ports for a village's processes: fixed, so that a process that is started again is where it was."""

import secrets
import socket

FIRST, LAST = 20_000, 32_000
"""Below what Linux gives to outgoing connections, which could otherwise take a port while its process is away."""


def pick_ports(count: int) -> list[int]:
    """Ports of this machine that nobody uses at this moment. Raises ``OSError`` if there are too few."""
    found: list[int] = []
    start = FIRST + secrets.randbelow(LAST - FIRST)
    for step in range(LAST - FIRST):
        port = FIRST + (start - FIRST + step) % (LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"this machine has no {count} free ports from {FIRST} to {LAST}; end what uses them")

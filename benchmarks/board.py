"""The time of a round on a board, over HTTP and over a private Tor network: ``python -m benchmarks.board``.

In a round each of N members posts 1 KiB and reads what all have posted: the part of a mix that is not cryptography.
A protocol of R rounds cannot end before R such times. All members are in one process, the board is in another; the
Tor network (three authorities, three relays, two clients) runs on the same machine. Not part of ``make bench``: it
needs tor, and half a minute.
"""

import statistics
import sys

from petra.transports import open_transport

PEERS = (5, 20, 50)
ROUNDS = 9


def main() -> None:
    """Measure and print one row for each transport and size."""
    names = sys.argv[1:] or ["memory", "http", "tor"]
    print(f"{'transport':<10}{'peers':>6}{'round':>12}{'posts/s':>10}")
    for name in names:
        with open_transport(name, any_session=True) as transport:
            for peers in PEERS:
                round_s = statistics.median(transport.round_s(peers, ROUNDS) for _ in range(3))
                print(f"{name:<10}{peers:>6}{round_s * 1e3:>9.1f} ms{peers / round_s:>10.0f}", flush=True)


if __name__ == "__main__":
    main()

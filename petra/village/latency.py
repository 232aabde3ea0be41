"""From offer to settled trade, in real seconds: from its posting, and from the gate that a batch auction waits for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from petra.prosumer.records import OrderFate, OrderRecord

AUTHORS_2017_MEAN_S = 11.8
"""Mean time from an offer to its settled trade in the demonstration of the platform's authors in 2017."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of one kind."""

    count: int
    median_s: float | None
    p95_s: float | None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Latency":
        """Median and 95th percentile (the smallest value that 95 % do not exceed)."""
        ordered = sorted(seconds)
        if not ordered:
            return cls(0, None, None)
        return cls(len(ordered), round(_rank(ordered, 50), 1), round(_rank(ordered, 95), 1))


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def settled(orders: Iterable[OrderRecord]) -> list[OrderRecord]:
    """Orders that were posted by their wallet, and that it saw settled."""
    return [o for o in orders if o.fate is OrderFate.SETTLED and o.posted_ms is not None and o.closed_ms is not None]


def from_posting(orders: Iterable[OrderRecord]) -> Latency:
    """From a wallet's posting until it has seen the trade on the ledger."""
    return Latency.of((o.closed_ms - o.posted_ms) / 1000 for o in settled(orders) if o.closed_ms and o.posted_ms)


def from_gate(orders: Iterable[OrderRecord], gate_real_s: dict[int, float]) -> Latency:
    """From gate closure, given in real Unix seconds by window."""
    return Latency.of(
        o.closed_ms / 1000 - gate_real_s[o.window] for o in settled(orders) if o.closed_ms and o.window in gate_real_s
    )

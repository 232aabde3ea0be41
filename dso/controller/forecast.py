"""Forecast of the load of coming intervals from history, the ledger's notes and the bid store's book."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assets.intervals import IntervalGrid
from assets.notes import Kind
from assets.port import Entry
from assets.transactions import Withdraw
from assets.units import SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class BookDepth:
    """What is offered for one interval, as plain numbers: energy asked for and energy on offer, in Wh."""

    bids_wh: int = 0
    asks_wh: int = 0


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected net load of the community in one interval, in watts (positive = import)."""

    t: int
    load_w: int
    highest_w: int
    """If every issued ECA note is used on top of what history expects."""
    lowest_w: int
    """If every issued EPA note is."""


def issued_power_w(entries: Sequence[Entry], first: int, last: int) -> dict[int, tuple[int, int]]:
    """ECA and EPA power that withdrawals issued, by interval ``first..last``. Withdrawals are public."""
    found = {t: [0, 0] for t in range(first, last + 1)}
    for entry in entries:
        if isinstance(entry.signed.tx, Withdraw):
            for note in entry.signed.tx.outputs:
                if note.kind != Kind.FA:
                    for t in range(max(first, note.start), min(last, note.end) + 1):
                        found[t][note.kind == Kind.EPA] += note.quantity
    return {t: (eca, epa) for t, (eca, epa) in found.items()}


def forecast(
    grid: IntervalGrid,
    first: int,
    last: int,
    history_w: Mapping[int, int],
    book: Mapping[int, BookDepth] | None = None,
    issued_w: Mapping[int, tuple[int, int]] | None = None,
) -> tuple[Forecast, ...]:
    """Mean of the same time on earlier days, moved by half of the book's net demand.

    ``history_w``: measured net load by interval. Half, because a bid is either new demand or trade within the
    community that history already holds. A time of day of which nothing was measured yet is expected to be like the
    last reading. Raises ``ValueError`` without history.
    """
    if not history_w:
        raise ValueError("there is no history; measure before controlling")
    day, latest_w = 86_400 // grid.interval_s, history_w[max(history_w)]
    result = []
    for t in range(first, last + 1):
        past = [history_w[u] for u in range(t % day, t, day) if u in history_w] or [latest_w]
        depth = (book or {}).get(t, BookDepth())
        net_w = (depth.bids_wh - depth.asks_wh) * SECONDS_PER_HOUR // grid.interval_s
        load_w = sum(past) // len(past) + net_w // 2
        eca_w, epa_w = (issued_w or {}).get(t, (0, 0))
        result.append(Forecast(t, load_w, load_w + eca_w, load_w - epa_w))
    return tuple(result)

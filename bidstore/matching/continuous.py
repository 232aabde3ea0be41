"""A continuous book with price-time priority, for orders of one span of intervals.

**Rule.** An order that arrives trades at once with the best order of the other side that its limit, its power and the
other's power allow: the lowest ask or the highest bid; among equal limits the one that arrived first. The price is that
of the order that waited. The power is the smaller of the two; it must reach what each demands at least. What trades,
trades once: a ledger's order names whole notes and settling spends them, so what is left of a note comes back to its
owner, who may sign a new order. An order that finds no partner waits.

Here the moment of arrival is worth something, unlike in the auction: who comes first at a limit trades first, and who
comes second pays or gets the first one's price.
"""

from bisect import insort
from dataclasses import dataclass, field

from assets.orders import Side


@dataclass(frozen=True, slots=True)
class Quote:
    """An order as the book sees it."""

    side: Side
    limit_nano_per_wh: int
    power_w: int
    """Power of the energy note."""
    least_w: int
    """Least power that may trade; that of the note: all or nothing."""
    reference: bytes
    """What the caller knows the order by; unique."""

    def __post_init__(self) -> None:
        if self.limit_nano_per_wh < 0 or self.power_w < 1 or self.least_w < 0:
            raise ValueError("a quote has a limit of at least 0, a power of at least 1 W and a least power")


@dataclass(frozen=True, slots=True)
class Match:
    """Two quotes that trade."""

    sell: Quote
    buy: Quote
    power_w: int
    price_nano_per_wh: int


def tradable_w(a: Quote, b: Quote) -> int:
    """The power that two quotes would trade; 0 if one of them demands more."""
    power = min(a.power_w, b.power_w)
    return power if all(power >= min(q.least_w, q.power_w) for q in (a, b)) else 0


def cross(a: Quote, b: Quote) -> bool:
    """Whether one sells, one buys, and the ask is at most the bid."""
    if a.side is b.side:
        return False
    ask, bid = (a, b) if a.side is Side.SELL else (b, a)
    return ask.limit_nano_per_wh <= bid.limit_nano_per_wh


@dataclass(slots=True)
class ContinuousBook:
    """The quotes that wait, best first."""

    _waiting: dict[Side, list[tuple[int, int, Quote]]] = field(default_factory=lambda: {Side.SELL: [], Side.BUY: []})
    _arrivals: int = 0
    _references: set[bytes] = field(default_factory=set)

    def add(self, quote: Quote) -> Match | None:
        """Let ``quote`` arrive: the match it makes at once, or ``None`` and it waits.

        Raises ``ValueError`` for a reference that waits already; the book is then as before.
        """
        if quote.reference in self._references:
            raise ValueError("every quote needs a reference of its own")
        others = self._waiting[Side.BUY if quote.side is Side.SELL else Side.SELL]
        for place, (_, _, other) in enumerate(others):
            if not cross(quote, other):
                break
            if power_w := tradable_w(quote, other):
                del others[place]
                self._references.discard(other.reference)
                sell, buy = (quote, other) if quote.side is Side.SELL else (other, quote)
                return Match(sell, buy, power_w, other.limit_nano_per_wh)
        rank = quote.limit_nano_per_wh if quote.side is Side.SELL else -quote.limit_nano_per_wh
        self._arrivals += 1
        insort(self._waiting[quote.side], (rank, self._arrivals, quote))
        self._references.add(quote.reference)
        return None

    def remove(self, reference: bytes) -> bool:
        """Take a waiting quote out; whether there was one."""
        if reference not in self._references:
            return False
        self._references.discard(reference)
        for side, quotes in self._waiting.items():
            self._waiting[side] = [entry for entry in quotes if entry[2].reference != reference]
        return True

    def waiting(self, side: Side) -> tuple[Quote, ...]:
        """The quotes of a side in their priority, best first."""
        return tuple(quote for _, _, quote in self._waiting[side])

"""A uniform-price double auction over equal units: pure functions on whole numbers.

**Rule.** Sort the asks upwards, ``a1 <= a2 <= ...``, and the bids downwards, ``b1 >= b2 >= ...``. The volume is the
largest ``k`` with ``ak <= bk``; the first ``k`` of each side trade. At no single price could more trade: ``k + 1``
trades at a price ``p`` need ``k + 1`` asks that are at most ``p`` and as many bids that are at least ``p``, so
``a(k+1) <= p <= b(k+1)``, against the choice of ``k``. (Pairs at prices of their own can be more: asks 1 and 5 with
bids 2 and 6 make two trades in place of one, worth (2 - 1) + (6 - 5) = 2, while the one trade is worth 6 - 1 = 5.)

**Price.** All trade at ``(low + high) // 2``, the midpoint rounded down, with

    low  = max(ak, b(k+1))      high = min(bk, a(k+1))

where an order ``k + 1`` that does not exist is left out. The range is never empty: ``ak <= bk`` and
``b(k+1) < a(k+1)`` by the choice of ``k``; ``ak <= a(k+1)`` and ``b(k+1) <= bk`` by sorting. Therefore

* the price lies between the marginal orders, ``ak <= price <= bk``, and no order that trades does worse than its limit;
* no order that does not trade would have liked to: such an ask is ``>= a(k+1) >= high >= price``, such a bid is
  ``<= b(k+1) <= low <= price``. Equality happens; then the order gives up a trade at exactly its limit, worth nothing.

**Ties.** Orders with equal limits are ranked by ``keccak(seed + key)``. The seed is fixed after the last order has
arrived and the key is what the order is known by everywhere (the owner of its energy note), so neither the time of
arrival nor a ledger's own ids matter. Orders of one key at one limit are ranked by their references; they are one
owner's, who gets the same either way. Pairs are formed in the order of the same hashes, not of the limits, so who was
paired with whom tells nobody how the limits ranked.

**What strategy is worth.** For a trader with one order, with all other orders fixed:

* who does not trade when truthful gains nothing by any other limit: to trade, an ask must drop below ``high``; it then
  pushes out ``ak`` or calls in ``b(k+1)``, and the price is at most ``low``, not above the trader's true limit;
* who trades can move the price at most to the other end of the range: a seller's best false limit is ``high`` itself,
  beyond which it does not trade. The gain is at most ``high - price`` for a seller and ``price - low`` for a buyer,
  that is half the range, rounded up. Truthful orders influence the price only if they set ``low`` or ``high``; a
  seller with an ask below ``low`` changes nothing until it states one above ``low``; above ``high`` it loses the trade.

With many traders the range is narrow: misstatement shrinks as 1/m and the loss of efficiency as 1/m² (Rustichini,
Satterthwaite and Williams, "Convergence to Efficiency in a Simple Market with Incomplete Information", Econometrica
62, 1994). A truthful limit is thus approximately best, and exactly best for who does not trade with it. No rule that
balances its budget, forces nobody and realises every gainful trade makes it exactly best for all (Myerson and
Satterthwaite, "Efficient Mechanisms for Bilateral Trading", 1983). A trader with several orders can do more: those it
gives up can lower ``k`` and move the price for the rest; nothing here prevents that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from assets.hashing import keccak


@dataclass(frozen=True, slots=True)
class Order:
    """One unit that somebody wants to sell or buy."""

    limit_nano_per_wh: int
    """Ask: lowest price accepted. Bid: highest."""
    key: bytes
    """What ties are broken by: the address that owns the energy note."""
    reference: bytes
    """What the caller knows the order by; unique."""


class Reason(Enum):
    """Why an order did not trade."""

    NO_COUNTERPART = "nobody was on the other side"
    NO_CROSSING = "no ask was as low as any bid"
    LIMIT = "its limit was worse than the price"
    TIE = "its limit was the price itself, at which not everybody could trade"


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An order that did not trade, and why."""

    order: Order
    reason: Reason


@dataclass(frozen=True, slots=True)
class Clearing:
    """The outcome of one auction."""

    price_nano_per_wh: int | None
    """The one price of all trades; ``None`` if there are none."""
    price_range: tuple[int, int] | None
    """``(low, high)``: the prices that the rule could have chosen from; ``None`` without trades."""
    pairs: tuple[tuple[Order, Order], ...]
    """``(ask, bid)`` of every trade."""
    unmatched: tuple[Unmatched, ...]
    """Asks, then bids, that did not trade; the best limits first."""


def clear(asks: Sequence[Order], bids: Sequence[Order], seed: bytes) -> Clearing:
    """The auction's outcome, by the rules above; the order of ``asks`` and ``bids`` does not matter.

    Raises ``ValueError`` for references that are not unique or limits below 0.
    """
    _check(asks, bids)
    lot = {o.reference: (keccak(seed + o.key), o.reference) for o in (*asks, *bids)}
    ranked_asks = sorted(asks, key=lambda o: (o.limit_nano_per_wh, lot[o.reference]))
    ranked_bids = sorted(bids, key=lambda o: (-o.limit_nano_per_wh, lot[o.reference]))
    k = volume([o.limit_nano_per_wh for o in ranked_asks], [o.limit_nano_per_wh for o in ranked_bids])
    span = _price_range(ranked_asks, ranked_bids, k) if k else None
    price = sum(span) // 2 if span else None
    pairs = zip(
        sorted(ranked_asks[:k], key=lambda o: lot[o.reference]),
        sorted(ranked_bids[:k], key=lambda o: lot[o.reference]),
        strict=True,
    )
    crossed = bool(asks and bids)
    left = (*ranked_asks[k:], *ranked_bids[k:])
    return Clearing(price, span, tuple(pairs), tuple(Unmatched(o, _reason(o, price, crossed)) for o in left))


def volume(ask_limits: Sequence[int], bid_limits: Sequence[int]) -> int:
    """Largest ``k`` such that the ``k``-th ask (of rising limits) is at most the ``k``-th bid (of falling limits)."""
    low, high = 0, min(len(ask_limits), len(bid_limits))
    while low < high:  # ask <= bid holds for a prefix, so its length can be searched by halving
        middle = (low + high + 1) // 2
        if ask_limits[middle - 1] <= bid_limits[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


def _price_range(asks: Sequence[Order], bids: Sequence[Order], k: int) -> tuple[int, int]:
    low, high = asks[k - 1].limit_nano_per_wh, bids[k - 1].limit_nano_per_wh
    if len(bids) > k:
        low = max(low, bids[k].limit_nano_per_wh)
    if len(asks) > k:
        high = min(high, asks[k].limit_nano_per_wh)
    return low, high


def _reason(order: Order, price: int | None, both_sides: bool) -> Reason:
    if not both_sides:
        return Reason.NO_COUNTERPART
    if price is None:
        return Reason.NO_CROSSING
    return Reason.TIE if order.limit_nano_per_wh == price else Reason.LIMIT


def _check(asks: Sequence[Order], bids: Sequence[Order]) -> None:
    orders = (*asks, *bids)
    if len({o.reference for o in orders}) != len(orders):
        raise ValueError("every order needs a reference of its own")
    if any(o.limit_nano_per_wh < 0 for o in orders):
        raise ValueError("a limit is a price of at least 0 nano-units per Wh")

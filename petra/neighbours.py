"""What each home of a community learnt of the others: :func:`petra.knowledge.learn` for all of them at once.

A home that got no message beside the ledger knows what every reader of the ledger knows, and which addresses are its
own. Of an address that is not its own it can say that it is not its own: its set of candidates is the public one
without the home. (By induction over the ledger: a withdrawal names another meter; what a mix, a transfer or an order
adds up or intersects is, without the home, what the public adds up or intersects. The truth is always among the
candidates, so nothing is left empty.) So the public sets, computed once, answer for everybody, in time linear in the
ledger and in the sizes of the distinct sets, of which each mix makes one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from assets.keys import Address
from assets.port import Entry
from petra.knowledge import Homes, Learnt, Truth, deposits_on, orders_on, trades_on


def learn_as_neighbours(
    names: Mapping[int, str], entries: Sequence[Entry], truth: Truth, public: Mapping[Address, Homes]
) -> list[Learnt]:
    """What each home, of which ``names`` has the name, can conclude from the ledger and its own addresses.

    ``public`` has the candidates in the eyes of somebody who received nothing.
    """
    trades = [(truth[seller], truth[buyer], public[seller], public[buyer]) for seller, buyer in trades_on(entries)]
    parties = [frozenset((seller, buyer)) for seller, buyer, _, _ in trades]
    sellers = _Hidden([(own, candidates) for own, (_, _, candidates, _) in zip(parties, trades, strict=True)])
    buyers = _Hidden([(own, candidates) for own, (_, _, _, candidates) in zip(parties, trades, strict=True)])
    deposits = _Hidden([(frozenset((truth[owner],)), public[owner]) for owner in deposits_on(entries)])
    limits = {order.energy.id: order.energy.note.owner for order in orders_on(entries)}
    own_trades = Counter(home for own in parties for home in own)
    own_limits = Counter(truth[owner] for owner in limits.values())
    return [
        Learnt(
            observer=name,
            trades=len(trades) - own_trades[home],
            sellers_named=sellers.named(home),
            buyers_named=buyers.named(home),
            smallest_seller_set=sellers.smallest(home),
            smallest_buyer_set=buyers.smallest(home),
            deposits_named=deposits.named(home),
            limit_prices=len(limits) - own_limits[home],
            readings=0,
            bills=0,
        )
        for home, name in names.items()
    ]


class _Hidden:
    """Things that somebody hides behind: for each, the homes that it concerns, and the public set of candidates."""

    def __init__(self, things: Iterable[tuple[Homes, Homes]]) -> None:
        self._count: Counter[Homes] = Counter()
        """Things by set of candidates."""
        self._own: Counter[tuple[int, Homes]] = Counter()
        """Of these, the ones that concern a home, by home."""
        self._own_of_size_1: Counter[int] = Counter()
        for concerned, candidates in things:
            self._count[candidates] += 1
            for home in concerned:
                self._own[home, candidates] += 1
                self._own_of_size_1[home] += len(candidates) == 1
        self._singles = sum(count for candidates, count in self._count.items() if len(candidates) == 1)
        self._by_size = sorted(self._count, key=len)
        self._with: dict[int, list[Homes]] = {}
        for candidates in self._by_size:
            for home in candidates:
                self._with.setdefault(home, []).append(candidates)

    def _others(self, home: int, candidates: Homes) -> int:
        """Things behind this set that do not concern the home."""
        return self._count[candidates] - self._own[home, candidates]

    def named(self, home: int) -> int:
        """Things of others of which the home knows whose they are: it is the only other one that they can be."""
        pairs = sum(self._others(home, c) for c in self._with.get(home, ()) if len(c) == 2)
        return self._singles - self._own_of_size_1[home] + pairs

    def smallest(self, home: int) -> int | None:
        """Fewest homes that one of the others' things can belong to, in the eyes of the home."""
        within = next((len(c) - 1 for c in self._with.get(home, ()) if self._others(home, c)), None)
        without = next((len(c) for c in self._by_size if home not in c and self._others(home, c)), None)
        sizes = [size for size in (within, without) if size is not None]
        return min(sizes, default=None)

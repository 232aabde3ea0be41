"""The uniform-price auction of :mod:`bidstore.auction` on arrays: price, volume and who trades in a book of millions.

Same rule, same result. Orders are only hashed where that decides anything: at the marginal limits, if not everybody
there can trade. Pairs are not formed; :func:`bidstore.auction.clear` does that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.hashing import keccak

Limits = NDArray[np.int64]
"""One limit for each order, in nano-units per Wh."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an auction comes to."""

    volume: int
    price_range: tuple[int, int] | None
    price_nano_per_wh: int | None
    asks: NDArray[np.intp]
    """Places of the asks that trade, rising."""
    bids: NDArray[np.intp]
    """Places of the bids that trade, rising."""


def clear_limits(
    asks: Limits, bids: Limits, ask_keys: Sequence[bytes], bid_keys: Sequence[bytes], seed: bytes
) -> Outcome:
    """The auction's outcome. ``keys`` break ties, one for each order, as in :class:`bidstore.auction.Order`.

    Of orders with equal keys at the margin, the one that stands first trades. Raises ``ValueError`` for arrays of other
    than 64-bit integers, for negative limits, and where keys and limits differ in number.
    """
    for limits, keys in ((asks, ask_keys), (bids, bid_keys)):
        if limits.dtype != np.int64 or limits.ndim != 1 or len(keys) != len(limits):
            raise ValueError("give one 64-bit limit and one key for each order")
        if len(limits) and int(limits.min()) < 0:
            raise ValueError("a limit is a price of at least 0 nano-units per Wh")
    rising, falling = np.sort(asks), np.sort(bids)[::-1]
    most = min(len(rising), len(falling))
    k = int(np.count_nonzero(rising[:most] <= falling[:most]))  # holds for a prefix, so counting finds its length
    nobody = np.empty(0, dtype=np.intp)
    if k == 0:
        return Outcome(0, None, None, nobody, nobody)
    low, high = int(rising[k - 1]), int(falling[k - 1])
    traded_asks = _best(asks, low, k, ask_keys, seed)
    traded_bids = _best(-bids, -high, k, bid_keys, seed)
    if len(falling) > k:
        low = max(low, int(falling[k]))
    if len(rising) > k:
        high = min(high, int(rising[k]))
    return Outcome(k, (low, high), (low + high) // 2, traded_asks, traded_bids)


def _best(ranks: Limits, marginal: int, k: int, keys: Sequence[bytes], seed: bytes) -> NDArray[np.intp]:
    """The places of the ``k`` lowest ranks; at the marginal one, of the lowest hashes."""
    chosen = ranks <= marginal
    if (surplus := int(np.count_nonzero(chosen)) - k) > 0:
        tied = np.nonzero(ranks == marginal)[0]
        order = sorted(tied.tolist(), key=lambda place: keccak(seed + keys[place]))
        chosen[order[len(order) - surplus :]] = False
    return np.nonzero(chosen)[0]

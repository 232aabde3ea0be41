"""Clearing a uniform-price auction, beside numpy's sorting and summing of the same limits."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from bidstore.auction import Order, clear

Limits = NDArray[np.int64]

LOWEST, HIGHEST = 90_000, 240_000
"""Limits lie between the DSO's two prices, in nano-units per Wh."""

TIE_BREAK = bytes(32)


def rows(sizes: Sizes) -> list[Row]:
    """Auctions of several sizes, half asks and half bids."""
    return [_row(orders, sizes.runs) for orders in sizes.orders]


def _row(orders: int, runs: int) -> Row:
    random = np.random.default_rng(orders)
    asks = random.integers(LOWEST, HIGHEST, orders // 2)
    bids = random.integers(LOWEST, HIGHEST, orders - orders // 2)
    asked, bid = _orders(asks, b"ask"), _orders(bids, b"bid")
    if len(clear(asked, bid, TIE_BREAK).pairs) != volume(asks, bids):
        raise AssertionError("numpy finds another volume")
    clear_s, numpy_s = medians_s(runs, again(clear, asked, bid, TIE_BREAK), again(volume, asks, bids))
    reference = Reference("numpy, sort and cumsum", numpy_s * 1e3)
    return Row(f"auction of {orders:,} orders", clear_s * 1e3, "ms", runs, reference)


def _orders(limits: Limits, side: bytes) -> list[Order]:
    names = [side + number.to_bytes(17, "big") for number in range(len(limits))]
    return [Order(int(limit), name, name) for limit, name in zip(limits, names, strict=True)]


def volume(asks: Limits, bids: Limits) -> int:
    """How many units trade: the crossing of sorted asks and bids, without ties, pairs or reasons."""
    units = min(len(asks), len(bids))
    crossing = np.sort(asks)[:units] <= np.sort(bids)[::-1][:units]
    return int(np.cumsum(crossing)[-1]) if units else 0

"""The auction on arrays: price, volume and who trades, beside numpy's sorting and summing of the same limits."""

import numpy as np

from benchmarks.auctions import HIGHEST, LOWEST, TIE_BREAK, volume
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from bidstore.matching.uniform import clear_limits


def rows(sizes: Sizes) -> list[Row]:
    """Auctions of several sizes, half asks and half bids."""
    return [_row(orders, sizes.runs) for orders in sizes.crossings]


def _row(orders: int, runs: int) -> Row:
    random = np.random.default_rng(orders)
    asks = random.integers(LOWEST, HIGHEST, orders // 2, dtype=np.int64)
    bids = random.integers(LOWEST, HIGHEST, orders - orders // 2, dtype=np.int64)
    keys = [[side + number.to_bytes(17, "big") for number in range(orders)] for side in (b"ask", b"bid")]
    ask_keys, bid_keys = keys[0][: len(asks)], keys[1][: len(bids)]
    if clear_limits(asks, bids, ask_keys, bid_keys, TIE_BREAK).volume != volume(asks, bids):
        raise AssertionError("numpy finds another volume")
    ours_s, numpy_s = medians_s(
        runs, again(clear_limits, asks, bids, ask_keys, bid_keys, TIE_BREAK), again(volume, asks, bids)
    )
    reference = Reference("numpy, sort and cumsum", numpy_s * 1e3)
    return Row(f"auction of {orders:,} orders on arrays", ours_s * 1e3, "ms", runs, reference)

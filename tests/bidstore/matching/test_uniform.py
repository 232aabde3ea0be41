"""The auction on arrays is the auction order by order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidstore.auction import Order, clear
from bidstore.matching.uniform import clear_limits

limits = st.lists(st.integers(0, 8), max_size=12)


@given(limits, limits, st.binary(min_size=1, max_size=4))
def test_both_auctions_agree_on_price_volume_and_who_trades(asks, bids, seed) -> None:
    keys = [[side + bytes([i]) for i in range(len(side_limits))] for side, side_limits in ((b"a", asks), (b"b", bids))]
    fast = clear_limits(np.array(asks, np.int64), np.array(bids, np.int64), *keys, seed)
    orders = [
        [Order(limit, key, key) for limit, key in zip(values, names, strict=True)]
        for values, names in zip((asks, bids), keys, strict=True)
    ]
    slow = clear(*orders, seed)
    assert (fast.volume, fast.price_range, fast.price_nano_per_wh) == (
        len(slow.pairs),
        slow.price_range,
        slow.price_nano_per_wh,
    )
    for side, places in enumerate((fast.asks, fast.bids)):
        assert {keys[side][i] for i in places} == {pair[side].key for pair in slow.pairs}


def test_what_is_no_limit_is_the_callers_mistake() -> None:
    one = np.array([1], np.int64)
    for asks in (np.array([1.0]), np.array([-1], np.int64), np.array([1, 2], np.int64)):
        with pytest.raises(ValueError, match="limit"):
            clear_limits(asks, one, [b"k"], [b"k"], b"s")

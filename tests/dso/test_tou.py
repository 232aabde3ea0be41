"""Time-of-use tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from assets.transactions import PriceChange, price_in_force
from dso.tou import TimeOfUse

HEADER = "days,from,consumption,production"
TABLE = [HEADER, "weekday,00:00,0.24,0.09", "weekday,17:00,0.40,0.12", "weekend,00:00,0.20,0.08"]
FRIDAY_S = 1_748_563_200  # 2025-05-30T00:00:00Z


def test_a_week_end_follows_a_friday_evening():
    changes = TimeOfUse.read(TABLE).price_changes(FRIDAY_S - 5, 2)
    assert changes == (
        PriceChange(FRIDAY_S, 240_000, 90_000),
        PriceChange(FRIDAY_S + 17 * 3600, 400_000, 120_000),
        PriceChange(FRIDAY_S + 86_400, 200_000, 80_000),
    )


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(-12 * 3600, 14 * 3600))
def test_changes_lie_ahead_and_every_interval_from_local_midnight_on_has_its_price(now_s, days, offset_s):
    table = TimeOfUse.read([HEADER, "all,00:00,0.2,0.1", "all,06:30,0.3,0.1"])
    changes = table.price_changes(now_s, days, offset_s)
    assert all(c.time_s > now_s for c in changes)
    grid = IntervalGrid(0, 900)
    for t in range(changes[0].time_s // 900 + 1, changes[0].time_s // 900 + days * 96):
        local_s = (grid.start_s(t) + offset_s) % 86_400
        found = price_in_force(changes, grid.start_s(t)).consumption_nano_per_wh
        assert found == (300_000 if local_s >= 23_400 else 200_000)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (["all,00:00,0.1,0.2"], "line 2: .*"),
        (["all,24:00,0.2,0.1", "sometimes,00:00,1,1"], "line 2: from is .*; line 3: days is one of"),
        (["weekday,00:00,0.2,0.1"], "every day of the week"),
        (["all,00:00,0.2,0.1", "weekend,00:00,0.2,0.1"], "same time"),
        (["all,00:00,0.2"], "3 columns"),
    ],
)
def test_tables_with_inverted_missing_or_double_prices_are_refused(rows, why):
    with pytest.raises(ValueError, match=why):
        TimeOfUse.read([HEADER, *rows])
    with pytest.raises(ValueError, match="first line"):
        TimeOfUse.read(rows)

"""Prices as an OpenADR 3 event."""

from assets.intervals import IntervalGrid
from assets.transactions import PriceChange
from dso.openadr import price_event


def test_prices_become_payloads_per_kwh_for_each_interval():
    prices = [PriceChange(0, 240_000, 90_000), PriceChange(0, 300_001, 0)]
    event = price_event(IntervalGrid(0, 900), "petra", 4, prices, "USD")
    assert event["objectType"] == "EVENT"
    assert event["intervalPeriod"] == {"start": "1970-01-01T01:00:00Z", "duration": "PT900S"}
    assert [[p["values"] for p in i["payloads"]] for i in event["intervals"]] == [[[0.24], [0.09]], [[0.300001], [0.0]]]

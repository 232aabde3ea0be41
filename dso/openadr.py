"""Prices as an OpenADR 3 event, for those who listen to one. Source: OpenADR 3.0 User Guide, "PRICE" payload."""

from collections.abc import Sequence
from datetime import UTC, datetime

from assets.intervals import IntervalGrid
from assets.transactions import PriceChange
from assets.units import format_amount


def price_event(
    grid: IntervalGrid, program: str, first: int, prices: Sequence[PriceChange], currency: str
) -> dict[str, object]:
    """The event for intervals from ``first`` on: PRICE (what the DSO sells at) and EXPORT_PRICE, per kWh."""

    def point(kind: str, nano_per_wh: int) -> dict[str, object]:
        return {"type": kind, "values": [float(format_amount(nano_per_wh * 1000, 9))]}

    return {
        "objectType": "EVENT",
        "programID": program,
        "eventName": "prices",
        "payloadDescriptors": [
            {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": kind, "units": "KWH", "currency": currency}
            for kind in ("PRICE", "EXPORT_PRICE")
        ],
        "intervalPeriod": {
            "start": datetime.fromtimestamp(grid.start_s(first), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "duration": f"PT{grid.interval_s}S",
        },
        "intervals": [
            {
                "id": i,
                "payloads": [
                    point("PRICE", price.consumption_nano_per_wh),
                    point("EXPORT_PRICE", price.production_nano_per_wh),
                ],
            }
            for i, price in enumerate(prices)
        ],
    }

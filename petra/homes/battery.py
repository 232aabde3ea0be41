"""The battery rule of a home: store what would be exported, use it before importing.

All arithmetic is in integers. The charge is kept in thousandths of a watt-hour, because a whole watt-hour taken in at
an efficiency in permille is a whole number of them: nothing is lost or won by rounding, however short the interval.
"""

from assets.units import SECONDS_PER_HOUR
from petra.homes.profile import Battery, HomeProfile, require_interval

MILLI = 1000
"""Thousandths of a watt-hour in a watt-hour."""


class SelfConsumption:
    """State of one battery under the rule of greatest self-consumption.

    A surplus charges the battery, a deficit discharges it, each as far as power, capacity and charge allow. The loss
    is taken when charging. Only :meth:`step` changes the state. The battery starts empty, so that a run never sells
    energy that nobody produced.
    """

    __slots__ = ("_battery", "_limit_wh", "_stored_milliwh")

    def __init__(self, battery: Battery, interval_s: int) -> None:
        require_interval(interval_s)
        self._battery = battery
        # The floor keeps the mean power of an interval within the limit; at intervals of a few seconds it also
        # means that a small battery uses a little less than its full power.
        self._limit_wh = battery.power_w * interval_s // SECONDS_PER_HOUR
        self._stored_milliwh = 0

    @property
    def stored_milliwh(self) -> int:
        """Energy that the battery can still deliver, in thousandths of a watt-hour."""
        return self._stored_milliwh

    def step(self, net_wh: int) -> int:
        """Net consumption that the meter sees in this interval, given ``net_wh`` without the battery.

        Positive is import. The result lies between 0 and ``net_wh``: the battery neither charges from the grid nor
        discharges into it.
        """
        if net_wh < 0:
            room_wh = (self._battery.capacity_wh * MILLI - self._stored_milliwh) // self._battery.efficiency_permille
            charged_wh = min(-net_wh, self._limit_wh, room_wh)
            self._stored_milliwh += charged_wh * self._battery.efficiency_permille
            return net_wh + charged_wh
        delivered_wh = min(net_wh, self._limit_wh, self._stored_milliwh // MILLI)
        self._stored_milliwh -= delivered_wh * MILLI
        return net_wh - delivered_wh


def net_after_battery(profile: HomeProfile, interval_s: int) -> tuple[int, ...]:
    """What the home's meter measures: net consumption in Wh of each interval (positive = import).

    Raises ``ValueError`` if ``interval_s`` is not between 1 and 86 400 seconds.
    """
    require_interval(interval_s)
    if profile.battery is None:
        return profile.net_wh
    rule = SelfConsumption(profile.battery, interval_s)
    return tuple(rule.step(net_wh) for net_wh in profile.net_wh)

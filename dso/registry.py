"""What the ledger's regulatory transactions amount to: meters, feeders and prices, now and as ruled for later."""

from dataclasses import replace

from assets.keys import Address
from assets.port import Entry
from assets.rules.state import Ruling, Standing
from assets.transactions import Authorisation, FeederCapacity, PriceChange, Regulate


class Registry:
    """Follows the ledger, entry by entry, and never runs ahead of it: a ruling for later is not in force yet."""

    def __init__(self) -> None:
        self.meters: dict[int, Ruling[Standing]] = {}
        self.feeders: dict[int, Ruling[FeederCapacity]] = {}
        self.prices: list[PriceChange] = []
        """In the order of their recording."""
        self._installed_s: dict[int, int] = {}
        self._keys: dict[int, set[Address]] = {}

    def follow(self, entry: Entry) -> None:
        """Take in one entry; only regulatory transactions matter. They were accepted, so nothing is checked again."""
        tx = entry.signed.tx
        if not isinstance(tx, Regulate):
            return
        from_s = max(tx.time_s, entry.time_s)
        for capacity in tx.feeders:
            self.feeders.setdefault(capacity.feeder, Ruling()).record(capacity, tx.time_s, entry.time_s)
        for grant in tx.authorise:
            self.meters.setdefault(grant.meter, Ruling()).record(Standing(grant), tx.time_s, entry.time_s)
            if self._installed_s.get(grant.meter, from_s) >= entry.time_s:  # not installed before this was recorded
                self._installed_s[grant.meter] = from_s
            self._keys.setdefault(grant.meter, set()).add(grant.key)
        for meter in tx.ban:
            ruling = self.meters[meter]
            if ruling.latest is not None:
                ruling.record(replace(ruling.latest, banned=True), tx.time_s, entry.time_s)
        self.prices.extend(tx.prices)

    def standing(self, meter: int, now_s: int) -> Standing | None:
        """What a meter may do at ledger time ``now_s``; ``None`` for one that is not installed."""
        ruling = self.meters.get(meter)
        return None if ruling is None else ruling.at(now_s)

    def capacity(self, feeder: int, now_s: int) -> FeederCapacity | None:
        """A feeder's capacity at ledger time ``now_s``."""
        ruling = self.feeders.get(feeder)
        return None if ruling is None else ruling.at(now_s)

    def grants(self, now_s: int) -> dict[int, Authorisation]:
        """Authorisation of every meter that is installed at ledger time ``now_s``, banned or not."""
        found = ((meter, ruling.at(now_s)) for meter, ruling in self.meters.items())
        return {meter: standing.authorisation for meter, standing in found if standing is not None}

    def installed_s(self, meter: int) -> int:
        """Ledger time from which a meter is authorised for the first time. Raises ``KeyError`` for an unknown one."""
        return self._installed_s[meter]

    def has_had_key(self, meter: int, key: Address) -> bool:
        """Whether ``key`` is, or was at some time, or will be the meter's."""
        return key in self._keys.get(meter, set())

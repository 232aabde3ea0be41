"""The distribution system operator's pen: regulatory transactions, checked before they are signed."""

from collections.abc import Sequence

from assets.errors import BadPrice, PriceInversion, TimeInPast
from assets.keys import SigningKey
from assets.notes import MAX_QUANTITY
from assets.port import Ledger
from assets.transactions import (
    Authorisation,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    sign,
)


class Dso:
    """Signs regulatory transactions with the ledger's next nonce. Submit each before asking for the next one.

    Raises ``ValueError`` if the key is not the one that the ledger knows as the DSO's.
    """

    def __init__(self, key: SigningKey, ledger: Ledger) -> None:
        if key.address != ledger.dso:
            raise ValueError("this key is not the DSO's on this ledger; every transaction would be refused")
        self._key = key
        self._ledger = ledger

    def enrol(
        self, feeders: Sequence[FeederCapacity] = (), authorisations: Sequence[Authorisation] = ()
    ) -> Signed[Regulate]:
        """Set the capacities of feeders and authorise meters on them; lifts the ban of a meter authorised again."""
        for capacity in feeders:
            _require_numbers("a feeder", capacity.feeder, capacity.export_w, capacity.import_w)
        for grant in authorisations:
            limits = grant.max_epa_w, grant.max_eca_w, grant.credit_nano
            _require_numbers("an authorisation", grant.meter, grant.feeder, *limits)
        return self._sign(Regulate(self._nonce(), feeders=tuple(feeders), authorise=tuple(authorisations)))

    def ban(self, meters: Sequence[int]) -> Signed[Regulate]:
        """Stop meters from issuing notes. Their bills stay due."""
        _require_numbers("a ban", *meters)
        return self._sign(Regulate(self._nonce(), ban=tuple(meters)))

    def announce(self, prices: Sequence[PriceChange]) -> Signed[Regulate]:
        """Publish prices ahead of the intervals they are for.

        Raises, as the ledger would, :class:`~assets.errors.BadPrice`, :class:`~assets.errors.PriceInversion` or
        :class:`~assets.errors.TimeInPast` before anything is signed.
        """
        now_s = self._ledger.now_s
        for price in prices:
            for value in (price.consumption_nano_per_wh, price.production_nano_per_wh):
                if not 0 <= value <= MAX_QUANTITY:
                    raise BadPrice(value)
            if price.consumption_nano_per_wh < price.production_nano_per_wh:
                raise PriceInversion(price.consumption_nano_per_wh, price.production_nano_per_wh)
            if price.time_s < now_s:
                raise TimeInPast(now_s, price.time_s)
        return self._sign(Regulate(self._nonce(), prices=tuple(prices)))

    def settle(self, settlements: Sequence[Settlement]) -> Signed[Regulate]:
        """Record that bills were paid: frees the meters' credit for new FA."""
        for settlement in settlements:
            _require_numbers("a settlement", settlement.meter, settlement.amount_nano)
        return self._sign(Regulate(self._nonce(), settle=tuple(settlements)))

    def _nonce(self) -> int:
        return self._ledger.regulation_nonce()

    def _sign(self, tx: Regulate) -> Signed[Regulate]:
        return sign(self._ledger.domain, tx, self._key)

    def __repr__(self) -> str:
        return "Dso()"


def _require_numbers(what: str, *numbers: int) -> None:
    if any(not 0 <= number <= MAX_QUANTITY for number in numbers):
        raise ValueError(f"{what} has numbers between 0 and 2**63-1")

"""The standard set that suits a ledger: the notes that every home is issued for every interval."""

from math import gcd

from assets.port import Ledger
from assets.transactions import PriceChange, Regulate
from assets.units import SECONDS_PER_HOUR, energy_wh
from smartmeter.standard_set import StandardSet

TARGET_NOTE_POWER_W = 200
"""Power of one note, before it is made to give whole watt-hours in an interval."""

NOTES_PER_KIND = 2
"""Notes of each kind in the standard set: a home can sell or buy at most this many in an interval."""

USUAL_PRICE_NANO_PER_WH = 300_000
"""What money notes are made for while the DSO has announced no price: 0.30 USD/kWh."""


GUESS = "the DSO has announced no price yet: a guess"
"""What the money of a set is made for, if nobody knows."""


def whole_power_w(target_w: int, interval_s: int) -> int:
    """The power nearest above ``target_w`` whose energy per interval is a whole number of watt-hours."""
    step_w = SECONDS_PER_HOUR // gcd(SECONDS_PER_HOUR, interval_s)
    return -(-target_w // step_w) * step_w


def suited_set(interval_s: int, price_nano_per_wh: int) -> StandardSet:
    """Notes equal for every home and window; one FA note pays for one energy note at that price.

    Raises ``ValueError`` for a price of 0, at which no money note would be worth anything.
    """
    if price_nano_per_wh <= 0:
        raise ValueError("the DSO sells at 0, so no money note would be worth anything; give it a price")
    note_power_w = whole_power_w(TARGET_NOTE_POWER_W, interval_s)
    fa_amount_nano = energy_wh(note_power_w, interval_s) * price_nano_per_wh
    return StandardSet(note_power_w, NOTES_PER_KIND, NOTES_PER_KIND, NOTES_PER_KIND, fa_amount_nano)


def first_price(ledger: Ledger) -> PriceChange | None:
    """The first price that the DSO ever announced: the same for all homes, whenever they are made."""
    rulings = (e.signed.tx for e in ledger.entries() if isinstance(e.signed.tx, Regulate))
    return next((price for tx in rulings for price in tx.prices if price.consumption_nano_per_wh), None)


def announced_set(ledger: Ledger) -> tuple[StandardSet, str]:
    """The set for a ledger's interval and first price, and in words what its money is made for."""
    price, interval_s = first_price(ledger), ledger.grid.interval_s
    if price is None:
        return suited_set(interval_s, USUAL_PRICE_NANO_PER_WH), GUESS
    return suited_set(interval_s, price.consumption_nano_per_wh), "one pays for one ECA note at the DSO's first price"

"""Integer units of power, energy and money.

Nothing in PETra is rounded: power is whole watts, energy whole watt-hours, money whole nano-units
(10⁻⁹ of the currency), prices nano-units per watt-hour. 0.24 USD/kWh = 240 000 nano-USD per Wh.
"""

from assets.errors import FractionalEnergy

SECONDS_PER_HOUR = 3600


def energy_wh(power_w: int, interval_s: int) -> int:
    """Energy in watt-hours of ``power_w`` watts held for one interval of ``interval_s`` seconds.

    Raises :class:`~assets.errors.FractionalEnergy` if the energy is not a whole number of watt-hours.
    """
    energy, remainder = divmod(power_w * interval_s, SECONDS_PER_HOUR)
    if remainder:
        raise FractionalEnergy(power_w, interval_s)
    return energy


def power_w(energy: int, interval_s: int) -> int:
    """Constant power in watts that gives ``energy`` watt-hours in one interval; the inverse of :func:`energy_wh`.

    Raises ``ValueError`` if that power is not a whole number of watts.
    """
    power, remainder = divmod(energy * SECONDS_PER_HOUR, interval_s)
    if remainder:
        raise ValueError(f"{energy} Wh in {interval_s} s is not a whole number of watts; choose another energy")
    return power


def format_amount(amount_nano: int, digits: int = 4) -> str:
    """``amount_nano`` as units of the currency for a person, rounded half away from zero to ``digits``."""
    step = 10 ** (9 - digits)
    quotient, remainder = divmod(abs(amount_nano), step)
    quotient += 2 * remainder >= step
    whole, fraction = divmod(quotient, 10**digits)
    sign = "-" if amount_nano < 0 and quotient else ""
    return f"{sign}{whole}.{fraction:0{digits}d}"

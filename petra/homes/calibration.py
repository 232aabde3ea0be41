"""Check of the generated homes against what real homes use in a year: ``python -m petra.homes.calibration``.

Expected: a house with four people 3 500-5 000 kWh, a flat with two people 2 000-3 200 kWh. Prints one line for each
kind of home; the numbers are recorded in :mod:`petra.homes.load`.
"""

from datetime import datetime

from petra.homes.appliances import Household
from petra.homes.load import load_w
from petra.homes.span import Span

YEAR = Span(datetime(2025, 1, 1), intervals=8760, interval_s=3600)


def yearly_kwh(seed: int, household: Household, people: int, homes: int) -> list[int]:
    """Energy of homes 1 to ``homes`` over the year 2025, in whole kWh."""
    return [sum(YEAR.energy_wh(load_w(seed, home, household, people, YEAR))) // 1000 for home in range(1, homes + 1)]


def main() -> None:
    """Print the yearly energy of 40 homes of each kind."""
    for household, people in ((Household.HOUSE, 4), (Household.FLAT, 2)):
        kwh = sorted(yearly_kwh(1, household, people, homes=40))
        print(
            f"{household.value}, {people} people: mean {sum(kwh) // len(kwh)} kWh a year, lowest {kwh[0]}, "
            f"highest {kwh[-1]}"
        )


if __name__ == "__main__":
    main()

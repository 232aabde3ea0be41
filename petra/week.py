"""A week of the community with the microgrid controller on and off, on the real market and ledger."""

from dataclasses import dataclass, replace

from assets.units import SECONDS_PER_HOUR, format_amount
from petra.homes.profile import Profiles
from petra.operated import Options, Played, play
from petra.tables import Table


@dataclass(frozen=True, slots=True)
class Outcome:
    """One week. Power in watts, energy in Wh, money in nano-units."""

    name: str
    peak_w: int
    mean_w: int
    energy_wh: int
    """Net import of the community."""
    traded_wh: int
    bills_nano: tuple[int, ...]
    """By home, as the meters stated them and the DSO booked them."""

    @property
    def peak_to_average_permille(self) -> int:
        """Peak over mean import."""
        return self.peak_w * 1000 // max(1, self.mean_w)


@dataclass(frozen=True)
class Week:
    """The same week twice."""

    off: Outcome
    on: Outcome
    played: Played
    """The week with the controller."""

    @property
    def largest_rise_permille(self) -> int:
        """The largest rise of a home's bill, in thousandths of its bill without the controller."""
        return max(
            (b - a) * 1000 // max(1, abs(a)) for a, b in zip(self.off.bills_nano, self.on.bills_nano, strict=True)
        )


def run_week(profiles: Profiles, options: Options) -> Week:
    """Play ``profiles``, of which the first day only gives history, at the tariff, and with controller and grid check.

    Prices and limits are on the ledger before the homes act on them; bills are those of the meters, trades included.
    """
    off = play(profiles, replace(options, controller=False, check=False))
    on = play(profiles, replace(options, controller=True, check=True))
    step_s = profiles.interval_s
    return Week(_outcome("controller off", off, step_s), _outcome("controller on", on, step_s), on)


def _outcome(name: str, played: Played, interval_s: int) -> Outcome:
    imports = [max(0, sum(row)) for row in zip(*played.net_wh, strict=True)]
    return Outcome(
        name,
        max(imports) * SECONDS_PER_HOUR // interval_s,
        sum(imports) * SECONDS_PER_HOUR // interval_s // len(imports),
        sum(imports),
        played.traded_wh,
        played.bills_nano,
    )


def week_table(week: Week, source: str) -> Table:
    """Both weeks in one table."""
    return Table(
        "A week with the microgrid controller",
        ("", "peak kW", "peak-to-average", "import kWh", "traded kWh", "bills USD"),
        [
            (
                o.name,
                f"{o.peak_w / 1000:.2f}",
                f"{o.peak_to_average_permille / 1000:.2f}",
                f"{o.energy_wh / 1000:.1f}",
                f"{o.traded_wh / 1000:.1f}",
                format_amount(sum(o.bills_nano), 2),
            )
            for o in (week.off, week.on)
        ],
        f"{source}. Largest rise of a home's bill: {week.largest_rise_permille / 10:.1f} %",
    )

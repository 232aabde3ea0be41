"""What is simulated: homes, prices, notes and limits. A scenario and a seed determine every bill."""

from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from dso.tariff import Tariff
from petra.crypto import EXECUTED
from petra.homes.profile import Profiles
from petra.standard import suited_set
from smartmeter.standard_set import StandardSet


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulated run."""

    name: str
    ledger: str
    """``spec``, ``evm`` or the URL of a JSON-RPC node."""
    profiles: Profiles
    seed: int
    tariff: Tariff
    standard_set: StandardSet
    gate_s: int
    """Seconds after the end of an interval until which its deposits count."""
    record_in: Path | None = None
    """Folder that tells which ledger a run on a node deployed, so that the run can be resumed."""
    resume: bool = False
    """Whether to go on with the run recorded there."""
    strategy: str | None = None
    """Name of the homes' strategy (:mod:`petra.strategies`); ``None``: :class:`~petra.strategy.PersistenceTrader`."""
    crypto: str = EXECUTED
    """Whether cryptography is ``executed`` or ``counted`` (:mod:`petra.crypto`)."""

    @property
    def start_s(self) -> int:
        """Start of interval 0 in Unix seconds, the local standard time of the profiles read as UTC."""
        return int(self.profiles.start.replace(tzinfo=UTC).timestamp())

    @property
    def lead_s(self) -> int:
        """Seconds before the start of an interval at which its notes are issued and traded."""
        return self.interval_s // 4

    @property
    def intervals(self) -> int:
        """Number of delivery intervals."""
        return self.profiles.intervals

    @property
    def interval_s(self) -> int:
        """Length of an interval in seconds."""
        return self.profiles.interval_s


def default_scenario(profiles: Profiles, seed: int, ledger: str, tariff: Tariff) -> Scenario:
    """A scenario with the standard set that suits the interval and the tariff.

    Notes are equal for every home and window; one FA note pays for one energy note at the DSO's own highest price, so
    that a home that holds one can always afford a trade.
    """
    highest_price = max(step.consumption_nano_per_wh for step in tariff.steps)
    return Scenario(
        name=profiles.source,
        ledger=ledger,
        profiles=profiles,
        seed=seed,
        tariff=tariff,
        standard_set=suited_set(profiles.interval_s, highest_price),
        gate_s=profiles.interval_s // 2,
    )

"""(c) What each home paid, beside what the DSO's tariff asks for what it measured.

Who trades on a forecast may regret it: what it sold and did not have, it buys back at the tariff. That is the home's
own choice and no fault. So a home's result is split in two, interval by interval:

    ideal   = paid for what it traded + (measured - traded) at the tariff       nothing lost, nothing late
    fault   = bill - ideal                                                      what failures cost it
    trading = ideal - measured at the tariff                                    what its trades cost it; negative: saved
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assets.units import format_amount
from petra.bills import bill_without_trading_nano
from petra.village.audit.finding import Check, Finding, Part
from petra.village.audit.notes import Whereabouts
from smartmeter.billing import BillingRecord, energy_nano


@dataclass(frozen=True, slots=True)
class Outcome:
    """One home over the run, in nano-units."""

    home: int
    bill_nano: int
    tariff_nano: int
    """What the DSO's tariff asks for the home's own measured energy."""
    fault_nano: int
    trading_nano: int

    @property
    def worse_nano(self) -> int:
        """By how much the home is worse off than at the tariff; negative: better."""
        return self.bill_nano - self.tariff_nano


def outcomes(bills: Mapping[int, Iterable[BillingRecord]], found: Whereabouts) -> list[Outcome]:
    """The outcome of every home, by number; ``bills`` by home."""
    return [_outcome(home, records, found.traded_wh, found.paid_nano) for home, records in sorted(bills.items())]


def _outcome(
    home: int,
    records: Iterable[BillingRecord],
    traded_wh: Counter[tuple[int, int]],
    paid_nano: Counter[tuple[int, int]],
) -> Outcome:
    bill = tariff = ideal = 0
    for r in records:
        prices = r.consumption_nano_per_wh, r.production_nano_per_wh
        bill += r.bill_nano
        tariff += bill_without_trading_nano(r)
        ideal += paid_nano[home, r.t] + energy_nano(r.measured_wh - traded_wh[home, r.t], *prices)
    return Outcome(home, bill, tariff, bill - ideal, ideal - tariff)


def audit_tariff(results: Iterable[Outcome], cheats: Iterable[int] = ()) -> Part:
    """Every home but ``cheats``: nothing was lost by faults, and nobody is worse off but by its own trades."""
    cheating, findings = set(cheats), []
    honest = [o for o in results if o.home not in cheating]
    for o in honest:
        if o.fault_nano > 0 and o.worse_nano > 0:
            text = (
                f"pays {format_amount(o.bill_nano)} USD, {format_amount(o.worse_nano)} more than at the tariff; "
                f"{format_amount(o.fault_nano)} of notes that were lost, late, or not deposited"
            )
            findings.append(Finding(Check.TARIFF, f"wallet{o.home}", text))
    regret = [o for o in honest if o.worse_nano > 0 and o.fault_nano <= 0]
    faulted = [o for o in honest if o.fault_nano > 0]
    figures = f"{len(honest)} homes, {format_amount(-sum(o.worse_nano for o in honest))} USD saved"
    if faulted:
        lost_nano = sum(o.fault_nano for o in faulted)
        figures += f"; faults cost {format_amount(lost_nano)} USD at " + _names(faulted)
    if regret:
        figures += "; worse off by their own forecasts alone: " + _names(regret)
    if cheating:
        figures += "; cheats not counted: " + ", ".join(f"wallet{home}" for home in sorted(cheating))
    return Part(Check.TARIFF, figures, tuple(findings))


def _names(homes: Iterable[Outcome]) -> str:
    return ", ".join(f"wallet{o.home}" for o in homes)

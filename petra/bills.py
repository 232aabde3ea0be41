"""A home's bill over a whole run, beside what it would have been without local trading."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from smartmeter.billing import BillingRecord, energy_nano


@dataclass(frozen=True, slots=True)
class HomeBill:
    """Totals of one home. Energy in Wh, money in nano-units; bills are negative if the DSO owes the home."""

    home: int
    measured_import_wh: int
    measured_export_wh: int
    bought_wh: int
    """Bought from neighbours."""
    sold_wh: int
    """Sold to neighbours."""
    residual_wh: int
    """Σ E: bought from the DSO, less sold to it."""
    bill_nano: int
    """Σ B."""
    bill_without_trading_nano: int
    """Measured energy at the DSO's two prices."""

    @property
    def saved_nano(self) -> int:
        """What local trading was worth to the home; negative if a wrong forecast cost it money."""
        return self.bill_without_trading_nano - self.bill_nano


def bill_without_trading_nano(record: BillingRecord) -> int:
    """What the interval would have cost without notes: the measured energy at the DSO's prices."""
    return energy_nano(record.measured_wh, record.consumption_nano_per_wh, record.production_nano_per_wh)


def home_bills(records: Iterable[BillingRecord]) -> list[HomeBill]:
    """Totals by home, in the order of the homes' first records."""
    by_home: dict[int, list[BillingRecord]] = {}
    for record in records:
        by_home.setdefault(record.meter, []).append(record)
    return [_total(home, own) for home, own in by_home.items()]


def _total(home: int, records: Sequence[BillingRecord]) -> HomeBill:
    return HomeBill(
        home=home,
        measured_import_wh=sum(max(0, r.measured_wh) for r in records),
        measured_export_wh=sum(max(0, -r.measured_wh) for r in records),
        bought_wh=sum(max(0, r.matched_wh) for r in records),
        sold_wh=sum(max(0, -r.matched_wh) for r in records),
        residual_wh=sum(r.residual_wh for r in records),
        bill_nano=sum(r.bill_nano for r in records),
        bill_without_trading_nano=sum(bill_without_trading_nano(r) for r in records),
    )

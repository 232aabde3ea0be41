"""Recompute ``billing.jsonl`` from the ledger and the readings."""

from collections.abc import Sequence
from pathlib import Path

from assets.errors import EncodingError
from assets.ledger import price_at
from assets.notes import Kind
from petra.audit.error import AuditError
from petra.audit.ledger import Replay
from petra.audit.lines import read_lines
from smartmeter.billing import BillingRecord, BillMismatch, from_json, recompute


def audit_billing(path: Path, intervals: int, replay: Replay) -> list[BillingRecord]:
    """The billing records, each checked: one per meter and interval, prices and withdrawals as on the ledger.

    Σ deposited <= Σ issued for each kind and interval, and Σ E >= Σ measured. Raises :class:`AuditError`.
    """
    lines = read_lines(path)
    meters = list(replay.state.meters)
    count = intervals * len(meters)
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = from_json(line)
            recompute(record)
        except (EncodingError, BillMismatch) as error:
            raise AuditError(path.name, number, str(error)) from error
        if number > count:
            raise AuditError(path.name, number, f"expected {count} records and no more")
        t, meter = (number - 1) // len(meters), meters[(number - 1) % len(meters)]
        if (record.t, record.meter) != (t, meter):
            reason = f"expected interval {t}, meter {meter}; got interval {record.t}, meter {record.meter}"
            raise AuditError(path.name, number, reason)
        _against_ledger(path.name, number, record, replay)
        records.append(record)
    if len(records) != count:
        raise AuditError(path.name, len(records) + 1, f"expected {count} records, got {len(records)}")
    _conserved(path.name, records, len(meters), replay)
    return records


def _against_ledger(file: str, line: int, record: BillingRecord, replay: Replay) -> None:
    price = price_at(replay.state, record.t)
    if price is None:
        raise AuditError(file, line, f"the ledger has no price for interval {record.t}")
    key = record.meter, record.t
    for name, recorded, computed in (
        ("consumption_nano_per_wh", record.consumption_nano_per_wh, price.consumption_nano_per_wh),
        ("production_nano_per_wh", record.production_nano_per_wh, price.production_nano_per_wh),
        ("epa_withdrawn_wh", record.epa_withdrawn_wh, replay.issued[Kind.EPA][key]),
        ("eca_withdrawn_wh", record.eca_withdrawn_wh, replay.issued[Kind.ECA][key]),
        ("fa_withdrawn_nano", record.fa_withdrawn_nano, replay.issued[Kind.FA][key]),
    ):
        if recorded != computed:
            raise AuditError(file, line, f"{name} is {recorded}, but the ledger gives {computed}")


def _conserved(file: str, records: Sequence[BillingRecord], meters: int, replay: Replay) -> None:
    """Nobody can deposit in total what was never issued, nor be credited energy that nobody gave up."""
    for first in range(0, len(records), meters):
        interval = records[first : first + meters]
        last_line = first + meters
        t = interval[0].t
        for name, deposited, withdrawn in (
            ("EPA", sum(r.epa_deposited_wh for r in interval), sum(r.epa_withdrawn_wh for r in interval)),
            ("ECA", sum(r.eca_deposited_wh for r in interval), sum(r.eca_withdrawn_wh for r in interval)),
            ("residual energy", sum(r.measured_wh for r in interval), sum(r.residual_wh for r in interval)),
        ):
            if deposited > withdrawn:
                reason = f"interval {t}: {name}: {deposited} Wh claimed, {withdrawn} Wh covered"
                raise AuditError(file, last_line, reason)
    fa_deposited_nano = sum(r.fa_deposited_nano for r in records)
    fa_issued_nano = sum(replay.issued[Kind.FA].values())
    if fa_deposited_nano > fa_issued_nano:
        raise AuditError(file, len(records), f"FA: {fa_deposited_nano} nano deposited, {fa_issued_nano} issued")

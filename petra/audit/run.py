"""The audit of a whole run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.counted import CountedDomain
from assets.notes import Kind
from petra.audit.billing import audit_billing
from petra.audit.error import AuditError
from petra.audit.ledger import Replay, replay_ledger
from petra.audit.lines import audit_rows
from petra.audit.market import TradeRow, audit_prices, audit_trades
from petra.audit.scenario import audit_crypto, audit_mixes, audit_shape, audit_standard_set, audit_start
from petra.audit.summary import Summary, read_summary
from petra.bills import HomeBill, home_bills
from petra.rundir import bill_rows, reading_rows
from smartmeter.billing import BillingRecord

PUBLIC_FILES = (
    "summary.json",
    "ledger.jsonl",
    "billing.jsonl",
    "readings.csv",
    "bills.csv",
    "trades.csv",
    "prices.csv",
)


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit that found nothing wrong went through."""

    ledger_entries: int
    signatures: int
    billing_records: int
    homes: int
    trades: int
    bills_nano: int
    """Σ B."""
    counted: bool = False
    """Whether the run's cryptography was counted and not executed: then no signature could be checked."""


def audit(run_dir: Path) -> Audit:
    """Audit the run in the folder ``run_dir``. Raises :class:`AuditError` at the first contradiction."""
    try:
        return _audit({name: _existing(run_dir / name) for name in PUBLIC_FILES})
    except OSError as error:
        name = Path(error.filename).name if error.filename else "the folder"
        raise AuditError(name, 1, f"cannot be read ({error.strerror}); see to its permissions and its disk") from error


def _audit(files: Mapping[str, Path]) -> Audit:
    summary = read_summary(files["summary.json"])
    audit_shape(summary)
    replay = replay_ledger(files["ledger.jsonl"], summary.number("gate_s"), summary.text("ledger_head"))
    records = audit_billing(files["billing.jsonl"], summary.number("intervals"), replay)
    start = audit_start(summary, replay)
    bills = home_bills(records)
    audit_rows(files["readings.csv"], reading_rows(records))
    audit_rows(files["bills.csv"], bill_rows(bills))
    trades = audit_trades(files["trades.csv"], replay)
    audit_prices(files["prices.csv"], replay, trades, start, summary.number("intervals"))
    _audit_totals(summary, replay, records, bills, trades)
    total_nano = sum(b.bill_nano for b in bills)
    counted = isinstance(replay.state.domain, CountedDomain)
    return Audit(replay.entries, replay.signatures, len(records), len(bills), len(trades), total_nano, counted)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise AuditError(path.name, 1, f"the file is missing from {path.parent}; give the folder of a run")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise AuditError(path.name, 1, f"cannot be read ({error.strerror}); see to its permissions and disk") from error
    return path


def _audit_totals(
    summary: Summary,
    replay: Replay,
    records: Sequence[BillingRecord],
    bills: Sequence[HomeBill],
    trades: Sequence[TradeRow],
) -> None:
    """The summary's figures that follow from the other files."""
    owed_nano = sum(record.energy_nano for record in records)
    total_nano = sum(b.bill_nano for b in bills)
    fa_deposited_nano = sum(r.fa_deposited_nano for r in records)
    outstanding = {
        "epa_outstanding_wh": sum(r.epa_withdrawn_wh - r.epa_deposited_wh for r in records),
        "eca_outstanding_wh": sum(r.eca_withdrawn_wh - r.eca_deposited_wh for r in records),
        "fa_outstanding_nano": sum(replay.issued[Kind.FA].values()) - fa_deposited_nano,
        "dso_shortfall_nano": max(0, owed_nano - total_nano),
    }
    for name, computed in {
        "homes": len(bills),
        "interval_s": replay.state.grid.interval_s,
        "measured_import_wh": sum(b.measured_import_wh for b in bills),
        "measured_export_wh": sum(b.measured_export_wh for b in bills),
        "residual_wh": sum(b.residual_wh for b in bills),
        "traded_wh": sum(trade.energy_wh for trade in trades),
        "trades": len(trades),
        "sum_bills_nano": total_nano,
        "sum_bills_without_trading_nano": sum(b.bill_without_trading_nano for b in bills),
    }.items():
        summary.require(name, computed)
    summary.section("conservation").require_all(outstanding)
    summary.section("ledger_stats").require("transactions", replay.entries)
    audit_mixes(summary, replay)
    audit_crypto(summary, replay)
    audit_standard_set(summary, replay)

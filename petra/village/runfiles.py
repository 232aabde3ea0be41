"""The files of a village's run: those of ``petra simulate``, so that ``petra audit`` reads them. docs/FORMATS.md."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from assets.chainlog import Genesis, HashChain, encode_log
from assets.keys import Address
from assets.notes import issued
from assets.port import Entry
from assets.transactions import outputs_of
from petra.bills import home_bills
from petra.knowledge import Learnt
from petra.prosumer.keychain import Place
from petra.rundir import PRICE_COLUMNS, TRADE_COLUMNS, TRUTH_WARNING, bill_rows, reading_rows, write_csv
from petra.trade import Trade
from smartmeter.billing import BillingRecord, to_json
from smartmeter.standard_set import StandardSet


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything that goes into the files."""

    genesis: Genesis
    entries: Sequence[Entry]
    records: Sequence[BillingRecord]
    """By interval, then home."""
    trades: Sequence[Trade]
    mixes: Sequence[int]
    owners: Mapping[Address, tuple[int, Place | None]]
    learnt: Sequence[Learnt]
    intervals: int
    start: datetime
    """Start of interval 0, local standard time."""
    scenario: str
    seed: int
    ledger: str
    gate_s: int
    standard_set: StandardSet
    transport: str
    gas: int
    seconds: Mapping[str, float]
    """Real seconds by stage."""


def write_files(facts: RunFacts, out: Path) -> dict[str, object]:
    """Write the folder ``out``; returns the summary."""
    out.mkdir(parents=True, exist_ok=True)
    chain = HashChain()
    with (out / "ledger.jsonl").open("wb") as file:
        file.writelines(encode_log(facts.genesis, facts.entries, chain))
    _write_lines(out / "billing.jsonl", (to_json(record) for record in facts.records))
    _write_lines(out / "truth.jsonl", (json.dumps(line) for line in _truth(facts)))
    write_csv(out / "bills.csv", bill_rows(home_bills(facts.records)))
    write_csv(out / "readings.csv", reading_rows(facts.records))
    write_csv(out / "prices.csv", _price_rows(facts))
    write_csv(out / "trades.csv", _trade_rows(facts))
    summary = _summary(facts, "0x" + chain.head.hex())
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)


def _summary(facts: RunFacts, head: str) -> dict[str, object]:
    bills, records = home_bills(facts.records), facts.records
    total_nano = sum(b.bill_nano for b in bills)
    fa_issued = _fa_issued_nano(facts)
    return {
        "scenario": facts.scenario,
        "seed": facts.seed,
        "ledger": facts.ledger,
        "homes": len(bills),
        "start": facts.start.isoformat(),
        "intervals": facts.intervals,
        "interval_s": facts.genesis.grid.interval_s,
        "gate_s": facts.gate_s,
        "standard_set": asdict(facts.standard_set),
        "measured_import_wh": sum(b.measured_import_wh for b in bills),
        "measured_export_wh": sum(b.measured_export_wh for b in bills),
        "residual_wh": sum(b.residual_wh for b in bills),
        "traded_wh": sum(trade.energy_wh for trade in facts.trades),
        "trades": len(facts.trades),
        "sum_bills_nano": total_nano,
        "sum_bills_without_trading_nano": sum(b.bill_without_trading_nano for b in bills),
        "conservation": {
            "epa_outstanding_wh": sum(r.epa_withdrawn_wh - r.epa_deposited_wh for r in records),
            "eca_outstanding_wh": sum(r.eca_withdrawn_wh - r.eca_deposited_wh for r in records),
            "fa_outstanding_nano": fa_issued - sum(r.fa_deposited_nano for r in records),
            "dso_shortfall_nano": max(0, sum(r.energy_nano for r in records) - total_nano),
        },
        "transport": {"name": facts.transport, "anonymous": facts.transport == "tor"},
        "mix": {
            "sessions": len(facts.mixes),
            "peers_min": min(facts.mixes, default=0),
            "peers_max": max(facts.mixes, default=0),
        },
        "learnt": [asdict(row) for row in facts.learnt],
        "ledger_stats": {"transactions": len(facts.entries), "gas_total": facts.gas},
        "ledger_head": head,
        "seconds": dict(facts.seconds),
    }


def _fa_issued_nano(facts: RunFacts) -> int:
    from assets.notes import Kind
    from petra.conservation import balances

    found = balances(facts.entries, facts.records, facts.genesis.grid.interval_s)
    return next(b.issued for b in found if b.kind == Kind.FA)


def _price_rows(facts: RunFacts) -> Iterator[Sequence[object]]:
    yield PRICE_COLUMNS
    step = timedelta(seconds=facts.genesis.grid.interval_s)
    homes = len(facts.records) // facts.intervals if facts.intervals else 0
    local = {trade.t: trade.price_nano_per_wh for trade in facts.trades}
    for t in range(facts.intervals):
        record = facts.records[t * homes]
        prices = record.consumption_nano_per_wh, record.production_nano_per_wh
        yield [t, (facts.start + t * step).isoformat(), *prices, local.get(t, "")]


def _trade_rows(facts: RunFacts) -> Iterator[Sequence[object]]:
    yield TRADE_COLUMNS
    for trade in facts.trades:
        amounts = trade.energy_wh, trade.price_nano_per_wh, trade.amount_nano
        yield [trade.t, *amounts, "0x" + trade.settlement.hex(), trade.place]


def _truth(facts: RunFacts) -> Iterator[dict[str, object]]:
    """Which home owns which address, and which note arrived there. Home 0: an address that no wallet knows."""
    yield {"type": "warning", "text": TRUTH_WARNING}
    for address, (home, place) in facts.owners.items():
        if place is not None:
            row = {"type": "address", "address": "0x" + address.hex(), "home": home}
            yield {**row, "purpose": place.purpose.value, "window": place.window}
    for entry in facts.entries:
        for note in issued(outputs_of(entry.signed.tx, facts.genesis.grid.interval_s), entry.digest):
            home = facts.owners[note.note.owner][0]
            yield {"type": "note", "id": "0x" + note.id.hex(), "home": home, "seq": entry.seq}

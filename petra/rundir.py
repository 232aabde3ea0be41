"""The files of a run: what an auditor needs, and the simulation's secrets apart. Columns: docs/FORMATS.md."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile

from assets.chainlog import Genesis, HashChain, encode_log
from assets.notes import issued
from assets.transactions import outputs_of
from petra.bills import HomeBill, home_bills
from petra.knowledge import Learnt
from petra.simulation import Run
from petra.summary import summarise
from smartmeter.billing import BillingRecord, to_json

TRUTH_WARNING = "Secrets that only a simulation has: which home owns which address and note. Never publish such a file."


FILES = (
    *("ledger.jsonl", "billing.jsonl", "truth.jsonl", "bills.csv", "readings.csv", "prices.csv", "trades.csv"),
    *("summary.json", "report.html"),
)
"""All files of a run."""


def prepare_folder(out: Path) -> None:
    """Make the folder ``out`` if it is missing. Raises ``ValueError`` unless a run can be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
        for path in (out / name for name in FILES):
            if path.exists():
                with path.open("ab"):
                    pass
    except OSError as error:
        where = error.filename if error.filename and Path(error.filename).parent == out else out
        raise ValueError(f"--out {where} cannot be written ({error.strerror}); give another folder") from error


def write_run(run: Run, learnt: Sequence[Learnt], out: Path) -> dict[str, object]:
    """Write all files of ``run`` into the folder ``out``, made if it is missing; returns the summary."""
    out.mkdir(parents=True, exist_ok=True)
    chain = HashChain()
    ledger = run.grid.ledger
    with (out / "ledger.jsonl").open("wb") as file:
        file.writelines(encode_log(Genesis(ledger.domain, ledger.grid, ledger.founder), run.entries, chain))
    _write_lines(out / "billing.jsonl", (to_json(record) for record in run.bills))
    _write_lines(out / "truth.jsonl", (json.dumps(line) for line in _truth(run)))
    write_csv(out / "bills.csv", bill_rows(home_bills(run.bills)))
    write_csv(out / "readings.csv", reading_rows(run.bills))
    write_csv(out / "prices.csv", _price_rows(run))
    write_csv(out / "trades.csv", _trade_rows(run))
    summary = summarise(run, learnt, chain.head)
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write ``rows``, the header first, as CSV with line feeds."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def bill_rows(bills: Iterable[HomeBill]) -> Iterator[Sequence[object]]:
    """``bills.csv``: a header, then a row for each home."""
    yield [*(f.name for f in fields(HomeBill)), "saved_nano"]
    for bill in bills:
        yield [*asdict(bill).values(), bill.saved_nano]


def reading_rows(records: Iterable[BillingRecord]) -> Iterator[Sequence[object]]:
    """``readings.csv``: a header, then a row for each interval and home."""
    yield ["interval", "home", "net_wh"]
    for record in records:
        yield [record.t, record.meter, record.measured_wh]


PRICE_COLUMNS = (
    "interval",
    "interval_start",
    "consumption_nano_per_wh",
    "production_nano_per_wh",
    "local_nano_per_wh",
)

TRADE_COLUMNS = ("interval", "energy_wh", "price_nano_per_wh", "amount_nano", "settlement", "fill")


def _price_rows(run: Run) -> Iterator[Sequence[object]]:
    yield PRICE_COLUMNS
    start, step = run.scenario.profiles.start, timedelta(seconds=run.scenario.interval_s)
    homes = len(run.grid.homes)
    for market in run.markets:
        bill = run.bills[market.t * homes]
        local = market.trades[0].price_nano_per_wh if market.trades else ""
        prices = bill.consumption_nano_per_wh, bill.production_nano_per_wh
        yield [market.t, (start + market.t * step).isoformat(), *prices, local]


def _trade_rows(run: Run) -> Iterator[Sequence[object]]:
    yield TRADE_COLUMNS
    for market in run.markets:
        for trade in market.trades:
            amounts = trade.energy_wh, trade.price_nano_per_wh, trade.amount_nano
            yield [market.t, *amounts, "0x" + trade.settlement.hex(), trade.place]


def _truth(run: Run) -> Iterator[dict[str, object]]:
    """Which home owns which address, and which note arrived there."""
    yield {"type": "warning", "text": TRUTH_WARNING}
    owners: dict[bytes, int] = {}
    for home in run.grid.homes:
        uses = [(address, use.purpose.value, use.window) for address, use in home.wallet.uses.items()]
        uses += [(address, "deposit", window) for address, window in home.deposit_addresses.items()]
        for address, purpose, window in uses:
            owners[address] = home.number
            row = {"type": "address", "address": "0x" + address.hex(), "home": home.number}
            yield {**row, "purpose": purpose, "window": window}
    for entry in run.entries:
        for note in issued(outputs_of(entry.signed.tx, run.scenario.interval_s), entry.digest):
            yield {"type": "note", "id": "0x" + note.id.hex(), "home": owners[note.note.owner], "seq": entry.seq}

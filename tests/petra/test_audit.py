import json
import shutil
from dataclasses import replace

import pytest

from assets.chainlog import HashChain, LogReader, encode_log
from petra.audit import AuditError, audit
from smartmeter.billing import bill_interval, from_json, to_json

PUBLIC = ["summary.json", "ledger.jsonl", "billing.jsonl", "readings.csv", "bills.csv", "trades.csv", "prices.csv"]


@pytest.fixture
def run_dir(small_run_dir, tmp_path):
    """A copy that a test may spoil, without the simulation's secrets."""
    out = tmp_path / "run"
    shutil.copytree(small_run_dir, out)
    (out / "truth.jsonl").unlink()
    return out


def refused(run_dir) -> AuditError:
    with pytest.raises(AuditError) as caught:
        audit(run_dir)
    return caught.value


def edit(path, line, old, new):
    """Replace ``old`` by ``new`` on one line (from 1) of a text file."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert old in lines[line - 1], lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("".join(lines), encoding="utf-8")


def reseal(run_dir, change):
    """Rewrite the ledger with a valid hash chain after ``change(entries)``: an attacker who owns all files."""
    path = run_dir / "ledger.jsonl"
    with path.open("rb") as file:
        reader = LogReader(file)
        entries = list(reader)
    chain = HashChain()
    path.write_bytes(b"".join(encode_log(reader.genesis, change(entries), chain)))
    summary = json.loads((run_dir / "summary.json").read_text())
    summary["ledger_head"] = "0x" + chain.head.hex()
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def test_an_honest_run_passes(run_dir, small_run):
    result = audit(run_dir)
    assert result.ledger_entries == len(small_run.entries)
    assert result.billing_records == len(small_run.bills)
    assert result.trades == sum(len(market.trades) for market in small_run.markets)
    assert result.bills_nano == sum(record.bill_nano for record in small_run.bills)


def test_one_changed_byte_on_any_line_of_the_ledger_is_found_and_its_line_named(run_dir):
    path = run_dir / "ledger.jsonl"
    original = path.read_bytes()
    start = 0
    for number, line in enumerate(original.splitlines(keepends=True), start=1):
        at = start + (number * 7919) % len(line)
        changed = bytearray(original)
        changed[at] ^= 1
        path.write_bytes(changed)
        error = refused(run_dir)
        assert (error.file, error.line) == ("ledger.jsonl", number)
        start += len(line)


def test_a_ledger_cut_off_at_a_line_end_is_found(run_dir):
    path = run_dir / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert "lines are missing" in refused(run_dir).reason


@pytest.mark.parametrize("name", PUBLIC)
def test_a_missing_file_is_named(run_dir, name):
    (run_dir / name).unlink()
    assert refused(run_dir).file == name


def test_a_resealed_ledger_with_a_foreign_signature_is_refused(run_dir):
    def forge(entries):
        victim = entries[10]
        signature = bytearray(victim.signed.signatures[0])
        signature[5] ^= 1
        signed = replace(victim.signed, signatures=(bytes(signature), *victim.signed.signatures[1:]))
        return [*entries[:10], replace(victim, signed=signed), *entries[11:]]

    reseal(run_dir, forge)
    error = refused(run_dir)
    assert (error.file, error.line) == ("ledger.jsonl", 12)
    assert "BadSignature" in error.reason


def test_a_resealed_ledger_without_one_withdrawal_is_refused(run_dir):
    def drop(entries):
        kept = [*entries[:3], *entries[4:]]
        return [replace(entry, seq=i) for i, entry in enumerate(kept)]

    reseal(run_dir, drop)
    assert "UnknownNote" in refused(run_dir).reason


def test_a_resealed_ledger_whose_time_runs_backwards_is_refused(run_dir):
    reseal(run_dir, lambda entries: [*entries[:-1], replace(entries[-1], time_s=0)])
    assert "backwards" in refused(run_dir).reason


def test_a_bill_that_does_not_follow_is_named_by_its_line(run_dir):
    record = json.loads((run_dir / "billing.jsonl").read_text().splitlines()[4])
    edit(run_dir / "billing.jsonl", 5, f'"bill_nano":{record["bill_nano"]}', f'"bill_nano":{record["bill_nano"] - 1}')
    error = refused(run_dir)
    assert (error.file, error.line) == ("billing.jsonl", 5)


def rebill(run_dir, **changes):
    """Replace the first billing record by one that is consistent in itself, with some inputs changed."""
    path = run_dir / "billing.jsonl"
    lines = path.read_text().splitlines()
    record = from_json(lines[0])
    derived = ("matched_wh", "residual_wh", "bill_nano")
    inputs = {name: getattr(record, name) for name in record.__slots__ if name not in derived}
    lines[0] = to_json(bill_interval(**{**inputs, **{name: inputs[name] + by for name, by in changes.items()}}))
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "name",
    [
        "consumption_nano_per_wh",
        "production_nano_per_wh",
        "epa_withdrawn_wh",
        "eca_withdrawn_wh",
        "fa_withdrawn_nano",
    ],
)
def test_a_consistent_bill_that_contradicts_the_ledger_is_refused(run_dir, name):
    rebill(run_dir, **{name: 100})
    error = refused(run_dir)
    assert (error.file, error.line) == ("billing.jsonl", 1)
    assert name in error.reason


@pytest.mark.parametrize(("name", "kind"), [("epa_deposited_wh", "EPA"), ("eca_deposited_wh", "ECA")])
def test_a_consistent_bill_that_claims_more_deposits_than_were_issued_is_refused(run_dir, name, kind):
    rebill(run_dir, **{name: 200})
    error = refused(run_dir)
    assert error.file == "billing.jsonl"
    assert kind in error.reason


def test_a_consistent_bill_for_a_reading_that_was_not_made_is_refused(run_dir):
    rebill(run_dir, measured_wh=-100)
    assert refused(run_dir).file == "readings.csv"


@pytest.mark.parametrize("keep", [slice(0, -1), slice(1, None)])
def test_a_missing_bill_is_refused(run_dir, keep):
    path = run_dir / "billing.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[keep]))
    assert refused(run_dir).file == "billing.jsonl"


@pytest.mark.parametrize(
    ("name", "line", "old", "new"),
    [
        ("readings.csv", 3, "0,2,", "0,3,"),
        ("bills.csv", 2, "1,", "7,"),
        ("bills.csv", 1, "home", "Home"),
        ("trades.csv", 2, "0x", "0y"),
        ("trades.csv", 2, ",200,", ",400,"),
        ("prices.csv", 2, "240000", "240001"),
        ("prices.csv", 1, "interval", "hour"),
        ("summary.json", 1, "{", "["),
    ],
)
def test_a_changed_cell_is_named_by_its_line(run_dir, name, line, old, new):
    edit(run_dir / name, line, old, new)
    error = refused(run_dir)
    assert error.file == name


def test_a_trade_left_out_of_the_list_is_missed(run_dir):
    path = run_dir / "trades.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert "have no row" in refused(run_dir).reason


@pytest.mark.parametrize(
    "name",
    [
        "homes",
        "measured_import_wh",
        "measured_export_wh",
        "residual_wh",
        "traded_wh",
        "trades",
        "sum_bills_nano",
        "sum_bills_without_trading_nano",
    ],
)
def test_a_wrong_total_in_the_summary_is_named(run_dir, name):
    summary = json.loads((run_dir / "summary.json").read_text())
    summary[name] += 1
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    error = refused(run_dir)
    assert error.file == "summary.json"
    assert name in error.reason


@pytest.mark.parametrize(
    "name", ["epa_outstanding_wh", "eca_outstanding_wh", "fa_outstanding_nano", "dso_shortfall_nano"]
)
def test_a_wrong_conservation_figure_is_named(run_dir, name):
    summary = json.loads((run_dir / "summary.json").read_text())
    summary["conservation"][name] += 1
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    assert name in refused(run_dir).reason


@pytest.mark.parametrize("name", ["trades.csv", "prices.csv"])
@pytest.mark.parametrize("spoil", [b"\xff", b"\0", b'"', b"9" * 5000], ids=["no UTF-8", "zero", "quote", "huge number"])
def test_bytes_that_are_no_table_are_refused_with_a_sentence(run_dir, name, spoil):
    path = run_dir / name
    header, first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + spoil + first + b"".join(rest))
    assert refused(run_dir).file == name


def test_a_price_row_cut_out_is_missed(run_dir):
    path = run_dir / "prices.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[2:]))
    assert refused(run_dir).file == "prices.csv"

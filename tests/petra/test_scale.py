"""Large communities: counted runs are executed runs without the cryptography, and nothing grows faster than they do."""

import csv
import json
import shutil
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from assets.errors import LogTampered
from petra.audit import AuditError, audit
from petra.cli import app
from petra.crypto import COUNTED, COUNTED_BANNER
from petra.ledger_file import LedgerFile
from petra.microgrid import Microgrid
from petra.privacy.view import read_record
from petra.report import write_report
from petra.rundir import write_run
from petra.simulation import simulate
from petra.summary import who_learnt_what
from petra.tables import profile_table


def counted(scenario):
    return replace(scenario, crypto=COUNTED)


def written(run, out):
    write_run(run, who_learnt_what(run), out)
    return out


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same 18 homes, executed and counted."""
    from tests.petra.conftest import small_scenario

    scenario = small_scenario(homes=18, intervals=2, seed=11)
    runs = {
        "executed": simulate(scenario, lambda done: None),
        "counted": simulate(counted(scenario), lambda done: None),
    }
    return runs, {name: written(run, tmp_path_factory.mktemp(name)) for name, run in runs.items()}


@pytest.fixture
def counted_dir(both, tmp_path):
    """A copy of the counted run that a test may spoil."""
    shutil.copytree(both[1]["counted"], tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["bills.csv", "billing.jsonl", "readings.csv", "prices.csv"])
def test_bills_readings_and_prices_are_the_same_to_the_byte(both, name):
    executed, counted_run = (folder / name for folder in both[1].values())
    assert executed.read_bytes() == counted_run.read_bytes()


def test_trades_are_the_same_but_for_the_digests_of_their_settlements(both):
    texts = [(folder / "trades.csv").read_text() for folder in both[1].values()]
    rows = [sorted(row[:4] + row[5:] for row in csv.reader(text.splitlines())) for text in texts]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 4, "the header and some trades"


def test_the_ledger_has_the_same_transactions_in_the_same_order(both):
    kinds = [[type(entry.signed.tx) for entry in run.entries] for run in both[0].values()]
    assert kinds[0] == kinds[1]
    sizes = [[market.mix_peers for market in run.markets] for run in both[0].values()]
    assert sizes[0] == sizes[1]


def test_the_summary_is_the_same_but_for_what_was_not_executed(both):
    executed, counted_run = (json.loads((folder / "summary.json").read_text()) for folder in both[1].values())
    crypto = counted_run.pop("crypto")
    for summary in (executed, counted_run):
        for name in ("seconds", "ledger_head", "transport"):
            summary.pop(name)
    assert executed == counted_run
    assert crypto["statement"] == COUNTED_BANNER
    assert crypto["cpu_s"] > 0
    assert {row["operation"] for row in crypto["operations"]} >= {"secp256k1: signature made", "mix: messages posted"}


def test_a_counted_run_is_the_same_every_time(make_scenario, tmp_path):
    first, second = (
        written(simulate(counted(make_scenario(homes=3, intervals=2)), lambda done: None), tmp_path / name)
        for name in ("first", "second")
    )
    ledger = "ledger.jsonl"
    assert (first / ledger).read_bytes() == (second / ledger).read_bytes()


# --- What is said of it, and what may read it ------------------------------------------------------------


def test_the_audit_says_that_signatures_cannot_be_checked(both):
    result = CliRunner().invoke(app, ["audit", str(both[1]["counted"])])
    assert result.exit_code == 0, result.output
    assert "SIGNATURES THAT CANNOT BE CHECKED (cryptography counted, not executed)" in result.output
    assert audit(both[1]["counted"]).counted
    assert not audit(both[1]["executed"]).counted


def test_the_audit_still_finds_a_changed_bill(counted_dir):
    path = counted_dir / "billing.jsonl"
    path.write_text(path.read_text().replace('"bill_nano":', '"bill_nano":1', 1))
    with pytest.raises(AuditError, match=r"billing\.jsonl:1"):
        audit(counted_dir)


def edit_crypto(folder, change):
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    change(summary)
    path.write_text(json.dumps(summary, indent=2) + "\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.pop("crypto"), "transport.name|crypto is missing"),
        (lambda s: (s.pop("crypto"), s.update(transport={"name": "memory", "anonymous": False})), "crypto is missing"),
        (lambda s: s["crypto"].update(mode="executed"), "mode"),
        (lambda s: s["crypto"].update(statement="all fine"), "statement"),
        (lambda s: s["crypto"].update(operations=[]), "but the mixes take"),
        (lambda s: [row.update(count=row["count"] + 1) for row in s["crypto"]["operations"]], "but the mixes take"),
    ],
)
def test_a_summary_that_hides_what_was_counted_is_refused(counted_dir, change, reason):
    edit_crypto(counted_dir, change)
    with pytest.raises(AuditError, match=reason):
        audit(counted_dir)


def test_a_summary_that_claims_to_have_counted_is_refused_for_an_executed_run(both, tmp_path):
    shutil.copytree(both[1]["executed"], tmp_path / "run")
    crypto = json.loads((both[1]["counted"] / "summary.json").read_text())["crypto"]
    transport = {"name": "counted", "anonymous": False}
    edit_crypto(tmp_path / "run", lambda summary: summary.update(crypto=crypto, transport=transport))
    with pytest.raises(AuditError, match="crypto is there, but that of the ledger was executed"):
        audit(tmp_path / "run")


@pytest.mark.parametrize("read", [lambda folder: LedgerFile(folder / "ledger.jsonl"), read_record])
def test_real_parts_refuse_to_read_a_counted_ledger(both, read):
    with pytest.raises(LogTampered, match="counted and not executed"):
        read(both[1]["counted"])


def test_the_report_says_it_and_lists_the_operations(both, tmp_path):
    run = both[0]["counted"]
    write_report(run, who_learnt_what(run), COUNTED_BANNER, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert COUNTED_BANNER in text
    assert "Cryptography counted, not executed" in text
    assert "mix: messages posted" in text


def test_the_command_prints_it_first_and_shows_the_profile(tmp_path):
    options = ["--homes", "3", "--intervals", "1", "--ledger", "spec", "--crypto", "counted", "--profile"]
    result = CliRunner().invoke(app, ["simulate", *options, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(COUNTED_BANNER)
    for text in ("Profile", "peak MiB", "Cryptography counted, not executed", "deposit", "sum"):
        assert text in result.output


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--crypto", "counted", "--ledger", "evm"], "needs --ledger spec"),
        (["--crypto", "counted", "--ledger", "spec", "--transport", "http"], "no --transport"),
        (["--crypto", "none"], "--crypto is executed or counted"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_a_sentence(tmp_path, options, reason):
    result = CliRunner().invoke(app, ["simulate", "--homes", "2", *options, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2, result.output
    assert reason in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


# --- Growth ----------------------------------------------------------------------------------------------


def follow_alone(grid):
    """Everybody reads every entry by himself, as homes on machines of their own do: homes times entries."""
    now_s = grid.ledger.now_s
    grid.latest = grid.ledger.entries(grid._readers.cursor)
    grid._readers.cursor += len(grid.latest)
    for home in grid.homes:
        home.wallet.follow(grid.latest)
        home.meter.follow(grid.latest, now_s)


def test_one_reader_for_all_finds_what_each_would_have_found(make_scenario, monkeypatch):
    together = simulate(counted(make_scenario(homes=5)), lambda done: None)
    monkeypatch.setattr(Microgrid, "follow", follow_alone)
    alone = simulate(counted(make_scenario(homes=5)), lambda done: None)
    assert together.bills == alone.bills
    assert together.entries == alone.entries
    for one, other in zip(together.grid.homes, alone.grid.homes, strict=True):
        assert one.meter.state() == other.meter.state()
        assert one.meter.refused_deposits == other.meter.refused_deposits
        assert one.wallet._notes == other.wallet._notes


def lines_executed(work):
    """How many lines of Python ``work`` executes: the same on every machine, and it sees loops as well as calls."""
    executed = 0

    def trace(frame, event, argument):
        nonlocal executed
        executed += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return executed


def whole_run(scenario, out):
    run = simulate(scenario, lambda done: None)
    written(run, out)
    profile_table(run)
    audit(out)


GROWTH = 2.1
"""Most that twice the homes, or twice the intervals, may take. Parts of fixed size let it be less than 2."""


@pytest.fixture
def growth(make_scenario, tmp_path, monkeypatch):
    """How many times the lines of a small run a large one executes, both with sessions of sixteen."""
    monkeypatch.setattr("petra.membership.MAX_PEERS", 16)
    monkeypatch.setattr("petra.unit_costs.REPEATS", 1)

    def run(size):
        whole_run(counted(make_scenario(**size)), tmp_path)

    def ratio(small, large):
        run(small)  # whatever is computed once is computed now
        return lines_executed(lambda: run(large)) / lines_executed(lambda: run(small))

    return ratio


def test_twice_the_homes_take_twice_the_work(growth):
    assert growth({"homes": 32, "intervals": 2}, {"homes": 64, "intervals": 2}) < GROWTH


def test_twice_the_intervals_take_twice_the_work(growth):
    assert growth({"homes": 16, "intervals": 2}, {"homes": 16, "intervals": 4}) < GROWTH


def test_the_measure_sees_homes_that_all_read_everything(growth, monkeypatch):
    monkeypatch.setattr(Microgrid, "follow", follow_alone)
    assert growth({"homes": 32, "intervals": 1}, {"homes": 64, "intervals": 1}) > GROWTH + 0.3

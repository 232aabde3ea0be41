import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from petra.cli import BANNER, app

HEADER = "interval_start,home,load_wh,pv_wh\n"
ROWS = [f"2026-01-01T0{t}:00:00,{home},{500 + home},{home * 900 % 1800}" for t in range(3) for home in (1, 2, 3)]


def write(path, rows, header=HEADER):
    path.write_text(header + "".join(row + "\n" for row in rows), encoding="utf-8")
    return path


def run(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def simulate(tmp_path, *args):
    return run("simulate", "--ledger", "spec", "--out", tmp_path / "out", *args)


@pytest.fixture
def measured(tmp_path):
    return write(tmp_path / "homes.csv", ROWS)


def test_a_run_starts_with_the_warning_and_ends_with_the_next_command(tmp_path, measured):
    result = simulate(tmp_path, "--profiles", measured)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(BANNER)
    assert "petra audit" in result.output.splitlines()[-1]
    for title in ("Stages", "Bills", "Conservation", "Who learnt what"):
        assert title in result.output


def test_all_files_of_a_run_are_there(tmp_path, measured):
    simulate(tmp_path, "--profiles", measured)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "summary.json",
        "bills.csv",
        "trades.csv",
        "readings.csv",
        "prices.csv",
        "ledger.jsonl",
        "billing.jsonl",
        "truth.jsonl",
        "report.html",
    }


def test_json_is_the_summary_and_nothing_else_on_standard_output(tmp_path, measured):
    done = subprocess.run(
        [sys.executable, "-m", "petra", "simulate", "--ledger", "spec", "--profiles", measured, "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    summary = json.loads(done.stdout)
    assert summary == json.loads((tmp_path / "out" / "run" / "summary.json").read_text())
    assert summary["homes"] == 3
    assert BANNER in done.stderr


def test_the_summary_has_the_documented_figures(tmp_path, measured):
    simulate(tmp_path, "--profiles", measured, "--seed", 9)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["seed"] == 9
    assert summary["intervals"] == 3
    assert set(summary["conservation"]) == {
        "epa_outstanding_wh",
        "eca_outstanding_wh",
        "fa_outstanding_nano",
        "dso_shortfall_nano",
    }
    assert set(summary["mix"]) == {"sessions", "peers_min", "peers_max"}
    assert set(summary["ledger_stats"]) == {"transactions", "gas_total"}
    assert set(summary["seconds"]) == {"withdraw", "mix", "trade", "settle", "deposit", "bill", "total"}


def test_an_audit_of_a_run_passes(tmp_path, measured):
    simulate(tmp_path, "--profiles", measured)
    result = run("audit", tmp_path / "out")
    assert result.exit_code == 0
    assert "audit passed" in result.output


def test_an_audit_names_the_line_of_a_changed_byte_and_fails(tmp_path, measured):
    simulate(tmp_path, "--profiles", measured)
    path = tmp_path / "out" / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[6] = lines[6].replace(b"a", b"b", 1)
    path.write_bytes(b"".join(lines))
    result = run("audit", tmp_path / "out")
    assert result.exit_code == 1
    assert "ledger.jsonl:7:" in result.output


def test_an_audit_of_no_run_says_what_is_missing(tmp_path):
    result = run("audit", tmp_path)
    assert result.exit_code == 1
    assert "summary.json" in result.output


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda rows: [rows[0].replace(",501,", ",-501,"), *rows[1:]], 2),
        (lambda rows: [*rows[:2], rows[1], *rows[2:]], 4),
        (lambda rows: [row for row in rows if not row.startswith("2026-01-01T01:00:00,2")], 8),
        (lambda rows: [*rows[:4], rows[4].replace(",502,", ",many,"), *rows[5:]], 6),
    ],
    ids=["negative load", "duplicate row", "gap", "text in a number"],
)
def test_malformed_rows_are_refused_with_file_line_and_reason_before_anything_runs(tmp_path, spoil, line):
    path = write(tmp_path / "bad.csv", spoil(ROWS))
    result = simulate(tmp_path, "--profiles", path)
    assert result.exit_code == 2
    assert f"bad.csv:{line}:" in result.output
    assert not (tmp_path / "out").exists()


def test_a_tariff_that_is_a_money_pump_is_refused(tmp_path, measured):
    result = simulate(tmp_path, "--profiles", measured, "--tariff", "0.09/0.24")
    assert result.exit_code == 2
    assert "PriceInversion" in result.output
    assert "price_consumption >= price_production" in result.output


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["--ledger", "quorum"], "--ledger is spec, evm"),
        (["--ledger", "http://127.0.0.1:9"], "no EVM node answers"),
        (["--start", "tomorrow"], "write 2025-04-01T00:00:00"),
        (["--tariff", "cheap"], "write [interval:]sells/buys"),
        (["--tariff", "0/0"], "give it a price"),
        (["--out", __file__], "is a file; give a folder"),
    ],
)
def test_a_wrong_option_is_answered_in_a_sentence(tmp_path, measured, args, hint):
    result = simulate(tmp_path, "--profiles", measured, *args)
    assert result.exit_code == 2
    assert hint in result.output
    assert "Traceback" not in result.output


def test_one_home_alone_cannot_hide(tmp_path):
    assert simulate(tmp_path, "--homes", 1).exit_code == 2


@pytest.mark.parametrize(
    "place",
    [
        lambda tmp: "/proc/x",
        lambda tmp: write(tmp / "file", []) / "run",
        lambda tmp: (tmp / "run" / "summary.json").mkdir(parents=True) or tmp / "run",
    ],
    ids=["no folder can be made", "a file in place of its parent", "a folder in place of a file"],
)
def test_a_folder_that_cannot_be_written_is_found_out_before_anything_runs(tmp_path, measured, monkeypatch, place):
    monkeypatch.setattr("petra.simulation.simulate", lambda *_: pytest.fail("it ran"))
    result = run("simulate", "--ledger", "spec", "--profiles", measured, "--out", place(tmp_path))
    assert result.exit_code == 2, result.output
    assert "cannot be written" in result.output
    assert "give another folder" in result.output


@pytest.mark.parametrize(
    "args",
    [
        ["--start", "9999-12-31T23:00:00"],
        ["--start", "1960-01-01"],
        ["--start", "1970-01-01"],
        ["--start", "0001-01-01"],
        ["--intervals", 10**12],
    ],
)
def test_a_time_that_no_ledger_has_is_answered_with_the_range(tmp_path, args):
    result = simulate(tmp_path, "--homes", 2, *args)
    assert result.exit_code == 2, result.output
    assert "--start" in result.output
    assert "1970-01-02 to 2200-01-01" in result.output


@pytest.mark.parametrize("start", ["1970-01-02T00:00:00", "2199-12-31T22:00:00"])
def test_a_run_may_be_at_either_end_of_the_range(tmp_path, start):
    result = simulate(tmp_path, "--homes", 2, "--start", start, "--intervals", 2)
    assert result.exit_code == 0, result.output
    assert run("audit", tmp_path / "out").exit_code == 0

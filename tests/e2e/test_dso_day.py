"""The operator's day of docs/dso.md: its commands are run on a real node, and print what the page says."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.errors import MeterBanned
from assets.keys import ThrowAwayKeys
from assets.notes import fa
from assets.statement import Statement, sign_statement
from assets.transactions import Withdraw, sign
from contracts import nodes
from contracts.ledger import EvmLedger
from dso.desk import keystore
from dso.desk.folder import DeskFolder
from dso.service.app import encode
from petra.cli import app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "dso.md"
ENV = {"PETRA_DSO_PASSPHRASE": "correct horse"}
METERS = {number: ThrowAwayKeys(number, "day of the operator").fresh() for number in (1, 2)}
NODE = "http://127.0.0.1:8545"
FA_NANO = 5_000_000_000


def rpc(url, method, *params):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})) as answer:
        return json.loads(answer.read())["result"]


def set_time(url, unix_s):
    rpc(url, "evm_setNextBlockTimestamp", unix_s)
    rpc(url, "evm_mine")


def steps(section):
    """The commands of a section of the page, each with the output below it."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    found = []
    for line in text.splitlines():
        if line.startswith("    $ petra dso"):
            found.append((line[6:], []))
        elif line.startswith("    ") and found:
            found[-1][1].append(line[4:])
        elif line and found:
            found[-1][1].append(None)  # text ends the output
    return [(command, output[: output.index(None) if None in output else None]) for command, output in found]


def fixed(text):
    """Without what differs between runs: hashes, keys, times, white space."""
    text = re.sub(r"0x[0-9a-f]{16,}", "0x…", text)
    return re.sub(r"\s+", " ", re.sub(r"\b[0-9]{10}\b", "TIME", text)).strip()


def played(command, url):
    arguments = shlex.split(command.replace(NODE, url), comments=True)[1:]
    return CliRunner().invoke(app, arguments, env=ENV)


def run_section(section, url):
    for command, output in steps(section):
        result = played(command, url)
        expected = re.search(r"# exit code ([0-9])", command)
        assert result.exit_code == int(expected[1] if expected else 0), f"{command}\n{result.output}"
        assert fixed(result.output) == fixed("\n".join(output)), f"{command}\n{result.output}"


@pytest.fixture
def day(tmp_path, monkeypatch, anvil_url):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    feeders = zip(METERS.items(), (3, 5), strict=True)
    rows = [f"{n},0x{key.address.hex()},{feeder},60000,60000,{FA_NANO}" for (n, key), feeder in feeders]
    Path("meters.csv").write_text("\n".join(["meter,key,feeder,max_epa_w,max_eca_w,credit_nano", *rows]) + "\n")
    Path("tou.csv").write_text(
        "days,from,consumption,production\nweekday,00:00,0.24,0.09\nweekday,17:00,0.40,0.12\nweekend,00:00,0.20,0.08\n"
    )
    wh = [100 + 200 * (68 <= t < 80) for t in range(96)]
    Path("history.csv").write_text("".join(["interval,net_wh\n", *(f"{t},{e}\n" for t, e in enumerate(wh))]))
    now_s = int(rpc(anvil_url, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    set_time(anvil_url, (now_s // 86_400 + 1) * 86_400 + 60)  # past midnight, so that every run sees the same day
    return anvil_url


def ledger_of(url):
    return EvmLedger.at(nodes.connect(url), DeskFolder.open(Path("desk")).contract)


def deliver(url, statement, token):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/statements", json.dumps(encode(statement)).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())["status"]


def serve(desk, port):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "petra", "dso", "serve", "--desk", desk, "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_the_day_of_the_page_is_what_happens(day, tmp_path):
    url = day
    run_section("Morning: desk, meters, prices", url)
    event = json.loads(Path("prices.json").read_text())
    assert len(event["intervals"]) == 96
    run_section("Before notes are issued: prices and limits", url)
    ledger = ledger_of(url)
    limit_w = DeskFolder.open(Path("desk")).desk(ledger).meters()[1].authorisation.max_eca_w
    assert 0 < limit_w < 60_000
    withdrawal = Withdraw(1, 0, 2, (fa(METERS[2].address, FA_NANO),))
    assert ledger.submit([sign(ledger.domain, withdrawal, METERS[1])])[0].accepted
    run_section("Meters and keys that change", url)
    refused = ledger.submit([sign(ledger.domain, Withdraw(2, 0, 2, (fa(METERS[1].address, 1),)), METERS[2])])[0]
    assert refused.refusal == MeterBanned(2)
    control = "petra dso control meters.csv --history history.csv"
    planned = played(control, url)
    assert "level +1" in planned.output
    assert "level +2" not in planned.output  # the same day again moves no level twice
    Path("book.csv").write_text("interval,bids_wh,asks_wh\n" + "".join(f"{t},900,0\n" for t in range(96, 140)))
    assert "above target" in played(f"{control} --book book.csv", url).output.splitlines()[0]
    Path("book.csv").write_text("interval,bids_wh,asks_wh\n96,9,0\n96,9,0\n")
    assert "an interval twice" in played(f"{control} --book book.csv", url).output
    set_time(url, ledger.grid.end_s(4) + 451)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = serve("desk", port)
    try:
        token = service.stdout.readline().split(": ")[1].strip()
        totals = Statement(1, 0, 1, 4, 100, 0, FA_NANO, 0, FA_NANO + 100 * 240_000)
        signed = sign_statement(ledger.domain, totals, METERS[1])
        for _ in range(200):
            try:
                assert deliver(f"http://127.0.0.1:{port}", signed, token) == "booked"
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        assert deliver(f"http://127.0.0.1:{port}", signed, token) == "booked before"
        run_section("Evening: bills", url)
    finally:
        service.terminate()
        service.wait(timeout=20)
        service.stdout.close()
    assert ledger.submit([sign(ledger.domain, Withdraw(1, 1, 9, (fa(METERS[2].address, 1),)), METERS[1])])[0].accepted
    restored, original = (played(f"petra dso bills --desk {d}", url).output for d in ("copy", "desk"))
    assert restored == original
    assert "1,0,1,4,100" in restored

"""``petra meter run`` as it is used: two devices, a ledger on anvil, kill -9, and bills that the DSO verifies."""

import subprocess
import sys
import time
from pathlib import Path

from typer.testing import CliRunner

from assets.commitments.codec import read_publication
from assets.commitments.groups import BN128
from assets.intervals import IntervalGrid
from assets.transactions import Withdraw
from contracts.bill_settlements import BillSettlements
from contracts.ledger import EvmLedger
from contracts.statements import StatementVerifier
from dso.operator import Dso
from dso.private_statements import PrivateStatements
from petra.cli import app
from smartmeter.billing import from_json, recompute
from smartmeter.folder import MeterFolder
from tests.e2e.meter_world import DSO, METER, authorise, deploy, meter_folder
from tests.e2e.test_meter import free_port

INTERVAL_S, GATE_S = 4, 2
PETRA = [sys.executable, "-m", "petra", "meter"]
SUN = """
[[analysers]]
name = "sun"
profile = "sunspec-203"
role = "generation"
host = "127.0.0.1"
port = {port}
max_power_w = 90000000
"""


def homes(path: Path, load_wh: int, pv_wh: int) -> Path:
    lines = [f"2021-02-14T{h:02}:00:00,1,{load_wh},{pv_wh}" for h in range(24)]
    path.write_text("interval_start,home,load_wh,pv_wh\n" + "\n".join(lines) + "\n")
    return path


def petra(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["meter", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def wait_for_a_bill(home: MeterFolder) -> None:
    count = len(home.book().bills()) + 1
    for _ in range(400):
        if len(home.book().bills()) >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"bill number {count} was not made within 40 s")


def test_a_meter_is_killed_and_its_bills_are_verified_and_settled_on_the_ledger(tmp_path, anvil_url) -> None:
    ports, devices = (free_port(), free_port()), []
    files = (homes(tmp_path / "grid.csv", 1300, 900), homes(tmp_path / "sun.csv", 0, 900))
    for port, profile, file in zip(ports, ("sdm630", "sunspec-203"), files, strict=True):
        play = ["simulate", "--profiles", str(file), "--profile", profile, "--port", str(port), "--speed", "600"]
        devices.append(subprocess.Popen([*PETRA, *play], stdout=subprocess.DEVNULL))
    running = None
    try:
        now_s = int(time.time())
        ledger = deploy(anvil_url, IntervalGrid(now_s // INTERVAL_S * INTERVAL_S, INTERVAL_S))
        folder, passphrase = tmp_path / "meter", tmp_path / "passphrase"
        address = meter_folder(folder, anvil_url, ledger, ports[0], passphrase)
        authorise(ledger, bytes.fromhex(address[2:]))
        configure(folder / "meter.toml", ports[1])
        home = MeterFolder(folder)
        command = [*PETRA, "run", str(folder), "--password-file", str(passphrase)]
        for _ in range(2):  # killed twice, and started again each time
            running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            wait_for_a_bill(home)
            assert "is running" in petra("withdraw", str(folder), "--password-file", str(passphrase), code=2)
            running.kill()
            running.wait()
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        wait_for_a_bill(home)
        running.terminate()
        log = running.communicate(timeout=20)[1]
        assert running.returncode == 0, log
        check_secrets(log, home, passphrase.read_text().strip())
        check_books(home, ledger, tmp_path)
        settle(home, ledger, passphrase, tmp_path)
    finally:
        for process in [*devices, *([running] if running else [])]:
            process.kill()
            process.wait()


def configure(path: Path, port: int) -> None:
    text = path.read_text().replace("poll_ms = 1000", "poll_ms = 100").replace("poll_ms = 5000", "poll_ms = 300")
    text = text.replace(f"gate_s = {INTERVAL_S // 2}", f"gate_s = {GATE_S}") + "max_power_w = 90000000\n"
    path.write_text(text + SUN.format(port=port))


def check_secrets(log: str, home: MeterFolder, passphrase: str) -> None:
    opened = home.secrets(passphrase)
    shown = log + repr(opened)
    for secret in (opened.seed.hex(), passphrase, opened.key.address.hex()):
        assert secret not in shown


def check_books(home: MeterFolder, ledger: EvmLedger, tmp_path: Path) -> None:
    assert "counted" in petra("verify", str(home.path))
    assert "standard sets recorded" in petra("status", str(home.path))
    petra("export", str(home.path), "--out", str(tmp_path / "export"))
    bills = [from_json(line) for line in (tmp_path / "export" / "billing.jsonl").read_text().splitlines()]
    assert [b.t for b in bills] == list(range(bills[0].t, bills[0].t + len(bills)))
    for bill in bills:
        recompute(bill)
    assert sum(b.measured_wh for b in bills) == home.book().base_wh
    issued = [e.signed.tx for e in ledger.entries() if isinstance(e.signed.tx, Withdraw)]
    assert [tx.nonce for tx in issued] == list(range(len(issued)))
    windows = [tx.window for tx in issued]
    assert windows == sorted(set(windows))
    energy = home.wiring.energy(home.journal(), bills[-1].t)
    assert energy is not None
    assert energy.generation_wh is not None
    assert energy.consumption_wh is not None
    assert energy.generation_wh > 0
    assert energy.consumption_wh > energy.net_wh


def settle(home: MeterFolder, ledger: EvmLedger, passphrase: Path, tmp_path: Path) -> None:
    """The meter states a period; the DSO verifies it; the chain marks it settled and frees the credit."""
    first, last = home.book().bills()[0].t, home.book().bills()[-1].t
    out = tmp_path / "statement.json"
    period = ["--first", str(first), "--last", str(last), "--group", "alt_bn128", "--min-intervals", "1"]
    options = ["--out", str(out), "--openings", str(tmp_path / "openings.json"), "--password-file", str(passphrase)]
    for bad in (["--first", str(last + 1)], ["--min-intervals", "2000"], ["--last", str(2**32 - 1)]):
        petra("statement", str(home.path), *period, *bad, *options, code=2)
    assert home.book().stated() == [], "a period that is refused is not stated"
    petra("statement", str(home.path), *period, *options)
    again = out.read_bytes()
    petra("statement", str(home.path), *period, *options)
    assert out.read_bytes() == again, "asked again, the same is said"
    period[5] = "secp256k1"
    assert "one way" in petra("statement", str(home.path), *period, *options, code=2)
    group, sheets, signed = read_publication(again)
    desk = PrivateStatements(ledger, GATE_S, group)
    for sheet in sheets:
        desk.receive_sheet(sheet)
    desk.receive(signed)
    assert group is BN128
    verifier = StatementVerifier.deploy(ledger._w3, ledger.domain)
    settlements = BillSettlements.deploy(ledger._w3, ledger.domain.contract, verifier.address)
    before = ledger.views.meter_outstanding(METER)
    regulation = Dso(DSO, ledger).settle(desk.settlements(first, last))
    settlements.settle([signed], regulation)
    assert settlements.account(METER).settled == 1
    assert ledger.views.meter_outstanding(METER) == before - signed.statement.fa_withdrawn_nano

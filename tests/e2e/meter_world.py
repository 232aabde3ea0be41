"""A ledger on a node with one authorised meter: what tests of the meter as a process stand on."""

from pathlib import Path

from typer.testing import CliRunner

from assets.intervals import IntervalGrid
from assets.keys import SigningKey
from assets.transactions import Authorisation, FeederCapacity, PriceChange, Regulate, sign
from contracts import nodes
from contracts.ledger import EvmLedger
from petra.cli import app

DSO = SigningKey(b"\x0d" * 32)
METER = 3
PASSPHRASE = "not a secret"
KEY, SEED = b"\x11" * 32, b"\x22" * 32
CREDIT_NANO = 10**12


def deploy(url: str, grid: IntervalGrid) -> EvmLedger:
    """A ledger with prices; the meter's key is authorised by :func:`authorise`."""
    ledger = EvmLedger.deploy(nodes.connect(url), DSO.address, grid)
    prices = PriceChange(max(grid.genesis_s, ledger.now_s + 3_600), 240_000, 90_000)
    if grid.genesis_s < ledger.now_s + 3_600:
        prices = PriceChange(ledger.now_s + 1, 240_000, 90_000)
    ledger.submit([sign(ledger.domain, Regulate(0, prices=(prices,)), DSO)])[0].require()
    return ledger


def authorise(ledger: EvmLedger, address: bytes, power_w: int = 10**6) -> None:
    """Let the meter issue notes."""
    grant = Authorisation(METER, address, 1, power_w, power_w, CREDIT_NANO)
    feeders = (FeederCapacity(1, power_w, power_w),)
    tx = Regulate(ledger.regulation_nonce(), feeders=feeders, authorise=(grant,))
    ledger.submit([sign(ledger.domain, tx, DSO)])[0].require()


def meter_folder(path: Path, url: str, ledger: EvmLedger, port: int, passphrase: Path, profile: str = "sdm630") -> str:
    """``petra meter init``; returns the address that it printed."""
    passphrase.write_text(PASSPHRASE + "\n")
    contract = "0x" + ledger.domain.contract.hex()
    options = ["--number", str(METER), "--rpc", url, "--contract", contract, "--port", str(port), "--light"]
    options += ["--profile", profile]
    result = CliRunner().invoke(app, ["meter", "init", str(path), *options, "--password-file", str(passphrase)])
    assert result.exit_code == 0, result.output
    return next(word for word in result.output.split() if word.startswith("0x"))

"""What a dry run of ``petra wallet restore`` leaves on the disk if it is killed."""

import pytest
from typer.testing import CliRunner

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.transactions import Domain
from petra.cli import app
from petra.commands import wallet_make
from petra.prosumer.seed import SeedPhrase
from petra.prosumer.template import wallet_toml
from petra.standard import suited_set
from smartmeter.identity import KeystoreError


def test_a_dry_run_keeps_the_phrase_under_a_passphrase_that_nobody_knows(tmp_path, monkeypatch) -> None:
    domain, grid = Domain(1, Address(b"\x07" * 20)), IntervalGrid(3600, 3600)
    text = wallet_toml(
        url="http://127.0.0.1:1", domain=domain, since_block=0, grid=grid, notes=suited_set(3600, 240_000)
    )
    seen = []

    def look(trial, secrets):
        for guess in ("", "petra", "\n"):
            with pytest.raises(KeystoreError):
                trial.secrets(guess)
        seen.append(trial.path)
        return {}, []

    monkeypatch.setattr(wallet_make, "_configuration", lambda *_: text)
    monkeypatch.setattr(wallet_make, "_find", look)
    phrase = tmp_path / "phrase"
    phrase.write_text(SeedPhrase(bytes(31) + b"\x05").reveal())
    made = tmp_path / "wallet"
    command = ["wallet", "restore", str(made), "--rpc", "http://127.0.0.1:1", "--phrase-file", str(phrase), "--dry-run"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert seen
    assert not seen[0].exists()
    assert not made.exists()

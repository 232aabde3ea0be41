"""``meter.toml``: strict, overridable by the environment, and every mistake named with its field."""

from pathlib import Path

import pytest

from smartmeter.config import ConfigError, load
from smartmeter.folder import Busy, MeterFolder
from smartmeter.wiring import Role

TEXT = """
number = 3
gate_s = 450
[ledger]
url = "http://127.0.0.1:8545"
chain_id = 31337
contract = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
genesis_s = 1000000000
interval_s = 900
[standard_set]
note_power_w = 400
epa_notes = 2
eca_notes = 2
fa_notes = 1
fa_amount_nano = 1000
[[analysers]]
name = "grid"
profile = "em24"
host = "127.0.0.1"
[[analysers]]
name = "sun"
profile = "cvm-c5"
role = "generation"
serial = "/dev/ttyUSB0"
"""


def folder(path: Path, text: str = TEXT) -> Path:
    (path / "meter.toml").write_text(text)
    return path


def test_a_configuration_says_what_is_read_and_issued(tmp_path: Path) -> None:
    home = MeterFolder(folder(tmp_path))
    assert home.config.notes.count == 5
    assert [a.role for a in home.wiring.analysers] == [Role.GRID, Role.GENERATION]
    limits = home.config.limits(home.profiles)
    assert limits["grid/import_energy"].step_wh == 100
    assert limits["sun/import_energy"].wraps_at_wh == 2**32
    assert limits["grid/import_energy"].wraps_at_wh is None


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETRA_METER_POLL_MS", "250")
    monkeypatch.setenv("PETRA_METER_LEDGER__URL", "http://elsewhere:1")
    config = load(folder(tmp_path))
    assert (config.poll_ms, config.ledger.url, config.ledger.chain_id) == (250, "http://elsewhere:1", 31337)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("number = 3", "", "number: Field required"),
        ("number = 3", "number = -1", "number: "),
        ("gate_s = 450", "gate_s = 450\npassword = 'x'", "password: "),
        ("900", "0", "ledger.interval_s"),
        ("0x5f", "5f", "ledger.contract"),
        ('"generation"', '"wind"', "analysers.1.role"),
        ('"em24"', '"em99"', "no profile 'em99'"),
        ('"sun"', '"grid"', "two analysers have one name"),
        ("[ledger]", "[ledger", "correct the file"),
    ],
)
def test_a_mistake_is_named_with_its_field(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("[", "\\[")) as wrong:
        MeterFolder(folder(tmp_path, TEXT.replace(old, new, 1)))
    assert "\n" not in str(wrong.value)


def test_a_folder_without_a_meter_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run petra meter init"):
        load(tmp_path)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    home = MeterFolder(folder(tmp_path))
    with home.locked(), pytest.raises(Busy, match="is running"), home.locked():
        pass
    with home.locked():
        pass

from pathlib import Path

import pytest

from petra.prosumer.config import WalletConfig, WalletConfigError, load, parse
from petra.prosumer.folder import Busy, WalletFolder
from petra.prosumer.seed import SeedPhrase
from smartmeter.identity import LIGHT_N, KeystoreError, load_secret

TOML = """\
transport = "http"
board = "http://127.0.0.1:1#0xab"
bidstores = ["http://127.0.0.1:2"]
relays = ["http://127.0.0.1:3"]
meter = "../meter1"

[ledger]
url = "http://127.0.0.1:8545"
chain_id = 31337
contract = "0x00000000000000000000000000000000000000aa"
genesis_s = 1000000
interval_s = 3600

[standard_set]
note_power_w = 3600
epa_notes = 2
eca_notes = 2
fa_notes = 2
fa_amount_nano = 1000000

[strategy]
name = "zero-intelligence"
[strategy.bounds]
max_sell_notes = 1
"""
PHRASE = SeedPhrase(b"\x21" * 32)


def parsed(text: str) -> WalletConfig:
    return parse(text.encode(), Path("w/wallet.toml"))


def test_a_whole_configuration_is_read():
    config = parsed(TOML)
    assert (config.transport, config.meter, config.strategy.name) == ("http", Path("../meter1"), "zero-intelligence")
    assert config.strategy.bounds.max_sell_notes == 1
    assert config.notes.count == 6
    assert (config.mix_after_s, config.gate_s, config.deposit_after_s) == (900, 720, 360)


def test_tor_is_the_transport_unless_said_otherwise():
    assert parsed(TOML.replace('transport = "http"\n', "")).transport == "tor"


def test_the_environment_overrides_the_file(monkeypatch):
    monkeypatch.setenv("PETRA_WALLET_TRANSPORT", "tor")
    monkeypatch.setenv("PETRA_WALLET_LEDGER__URL", "http://10.0.0.1:1")
    config = parsed(TOML)
    assert (config.transport, config.ledger.url, config.ledger.chain_id) == ("tor", "http://10.0.0.1:1", 31337)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('transport = "http"', 'transport = "htp"', "transport: Input should be 'tor' or 'http'"),
        ('transport = "http"', "trnsport = 1", "trnsport: Extra inputs are not permitted"),
        ("chain_id = 31337", "chain_id = 0", "ledger.chain_id: "),
        ("[ledger]", "[ledgr]", "ledger: Field required"),
        ("[ledger]", "[ledger", "correct the file"),
        ('name = "zero-intelligence"', 'name = "clever"', "strategy.name: "),
        ('name = "zero-intelligence"', 'file = "mine.py"', "either name, or file and class"),
        ('name = "zero-intelligence"', 'name = "price-taker"\nfile = "mine.py"\nclass = "M"', "either name, or file"),
        ("max_sell_notes = 1", "max_sell_note = 1", "strategy.bounds.max_sell_note: Extra"),
        ('["http://127.0.0.1:2"]', '["127.0.0.1:2"]', "bidstores: addresses begin with"),
        ("[strategy]", "[schedule]\nmix_after_s = 3000\n[strategy]", "leave no time for orders"),
        ("[strategy]", "[schedule]\ndeposit_after_s = 3600\n[strategy]", "deposit_after_s must be less"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_file_and_the_field(old, new, said):
    with pytest.raises(WalletConfigError) as error:
        parsed(TOML.replace(old, new))
    assert said in str(error.value)
    assert str(error.value).startswith("w/wallet.toml: ")
    assert "\n" not in str(error.value)


def test_a_folder_without_a_wallet_says_how_to_make_one(tmp_path):
    with pytest.raises(WalletConfigError, match="run petra wallet init"):
        load(tmp_path)


@pytest.fixture
def folder(tmp_path):
    return WalletFolder.create(tmp_path / "wallet", TOML, PHRASE, "pass", LIGHT_N)


def test_the_phrase_comes_back_from_its_keystore_and_the_meters_part_from_its_own(folder):
    secrets = folder.secrets("pass")
    assert secrets.mixed_key(1, 2).address == type(secrets)(PHRASE).mixed_key(1, 2).address
    assert load_secret(folder.meter_seed_file, "pass") == secrets.meter_seed
    assert PHRASE.entropy.hex() not in "".join(p.read_text() for p in folder.path.glob("*.json"))
    assert all(p.stat().st_mode & 0o077 == 0 for p in folder.path.iterdir())
    with pytest.raises(KeystoreError, match="wrong passphrase"):
        folder.secrets("word")


def test_a_second_wallet_in_the_same_folder_is_refused_and_a_bad_configuration_writes_nothing(folder, tmp_path):
    with pytest.raises(ValueError, match="has a wallet already"):
        WalletFolder.create(folder.path, TOML, SeedPhrase.generate(), "pass", LIGHT_N)
    with pytest.raises(WalletConfigError):
        WalletFolder.create(tmp_path / "other", "nonsense = 1", PHRASE, "pass", LIGHT_N)
    assert not (tmp_path / "other").exists()


def test_the_parts_of_a_folder_go_together(folder):
    secrets = folder.secrets("pass")
    state = folder.state(secrets)
    assert folder.account(folder.keychain(secrets, state)).cursor == 0
    assert folder.meter_path == folder.path / "../meter1"


def test_one_process_at_a_time_works_in_a_folder(folder):
    assert not folder.is_running
    with folder.locked():
        assert WalletFolder(folder.path).is_running
        with pytest.raises(Busy, match="petra wallet status"), WalletFolder(folder.path).locked():
            pass
    assert not folder.is_running

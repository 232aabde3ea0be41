"""What a village writes for a home's meter and wallet says what they need, each for itself."""

import tomllib

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.transactions import Domain
from petra.village.homes import LedgerPlace, meter_toml, scenario
from petra.village.options import Options
from petra.village.wallets import Reach, wallet_toml

DOMAIN = Domain(31337, Address(bytes(19) + b"\x01"))


def test_wallets_look_at_the_ledger_more_often_than_meters() -> None:
    options = Options(homes=3, intervals=1, speed=30)
    scene, place = scenario(options), LedgerPlace(DOMAIN, IntervalGrid(3600, 3600), 7)
    reach = Reach("http", "http://board", ("http://store",), ("http://relay",))
    wallet = tomllib.loads(wallet_toml(1, "http://node", place, scene, reach, 20, options))
    meter = tomllib.loads(meter_toml(1, "http://node", "http://dso", place, scene, 5020, options))
    assert wallet["ledger"].pop("poll_ms") == 800
    assert meter["ledger"].pop("poll_ms") == 2000
    assert wallet["ledger"] == meter["ledger"]
    assert wallet["standard_set"] == meter["standard_set"]
    assert wallet["strategy"]["name"] == options.strategy
    assert meter["analysers"][0]["port"] == 5020

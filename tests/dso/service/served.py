"""The real service process of the tests, on the executable specification: python served.py STORE PORT."""

import sys
from pathlib import Path

import uvicorn

from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.transactions import Authorisation, Domain, FeederCapacity, PriceChange
from dso.operator import Dso
from dso.service.app import Role, create_app, token_hash
from dso.service.intake import Intake
from dso.service.store import StatementStore

DOMAIN, GRID = Domain(1, Address(bytes(19) + b"\x01")), IntervalGrid(1_000_000, 3600)
METERS = 3
TOKENS = {token_hash("meter-token"): Role.METER, token_hash("operator-token"): Role.OPERATOR}


def meter_key(meter):
    return ThrowAwayKeys(1, f"served {meter}").fresh()


def intake(path):
    key = ThrowAwayKeys(1, "served").fresh()
    ledger = SpecLedger(DOMAIN, GRID, key.address)
    dso = Dso(key, ledger)
    grants = [Authorisation(m, meter_key(m).address, 1, 0, 0, 0) for m in range(METERS)]
    ledger.submit([dso.enrol([FeederCapacity(1, 0, 0)], grants)])[0].require()
    ledger.submit([dso.announce([PriceChange(1_000_000, 200, 100)])])[0].require()
    ledger.advance_to(GRID.end_s(2000))
    return Intake(ledger, StatementStore(Path(path)), 600)


if __name__ == "__main__":
    uvicorn.run(create_app(intake(sys.argv[1]), TOKENS), port=int(sys.argv[2]), log_level="error")

"""A ledger with real, withdrawn notes, and traders who know the keys of their addresses."""

from collections.abc import Callable

import pytest

from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.transactions import Domain
from tests.bidstore.market import Market, found

DOMAIN = Domain(31, Address(bytes(19) + b"\x01"))
GRID = IntervalGrid(1_000_000, 900)


def _open_market(domain: Domain = DOMAIN) -> Market:
    source = ThrowAwayKeys(1, "bidstore tests")
    dso = source.fresh()
    return found(SpecLedger(domain, GRID, dso.address), dso, source)


@pytest.fixture
def market() -> Market:
    return _open_market()


@pytest.fixture(scope="session")
def open_market() -> Callable[..., Market]:
    """For property tests, which need a new market for every example."""
    return _open_market

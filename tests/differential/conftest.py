"""One in-process chain for all examples; each example deploys a ledger of its own."""

import pytest

from contracts import nodes

GENESIS_S = 1_700_000_000


@pytest.fixture(scope="session")
def chain():
    return nodes.in_process(GENESIS_S - 1_000_000)

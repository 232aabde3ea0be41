"""Gas is part of the contract: a change of it is a decision, and is committed with its reason."""

import json

from benchmarks.ledger import SNAPSHOT, snapshot


def test_gas_is_what_the_snapshot_says():
    expected = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert snapshot() == expected, "if the change is meant: python -m benchmarks.ledger --write-snapshot"

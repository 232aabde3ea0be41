"""All benchmarks, in the order of the table."""

from collections.abc import Callable

from benchmarks import (
    auctions,
    audits,
    dicemixes,
    digests,
    feeder_loads,
    gas,
    mixes,
    profiles,
    signatures,
    statement_gas,
    statements,
    transfers,
)
from benchmarks.row import Row
from benchmarks.sizes import Sizes

SUBJECTS: dict[str, Callable[[Sizes], list[Row]]] = {
    "signatures": signatures.rows,
    "digests": digests.rows,
    "ledgers": transfers.rows,
    "gas": gas.rows,
    "mix": mixes.rows,
    "dicemix": dicemixes.rows,
    "auction": auctions.rows,
    "audit": audits.rows,
    "profiles": profiles.rows,
}

METER_SUBJECTS: dict[str, Callable[[Sizes], list[Row]]] = {
    "private statements": statements.rows,
    "statements on the chain": statement_gas.rows,
    "feeder load": feeder_loads.rows,
}
"""What ``python -m benchmarks meter`` measures: minutes, so apart."""

SUITES = {"all": SUBJECTS, "meter": METER_SUBJECTS}
"""Suites by the name on the command line."""

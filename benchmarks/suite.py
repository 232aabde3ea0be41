"""All benchmarks, in the order of the table."""

from collections.abc import Callable

from benchmarks import (
    auctions,
    audits,
    communities,
    crossings,
    dicemixes,
    digests,
    feeder_loads,
    gas,
    grid,
    mixes,
    plans,
    polling,
    postings,
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
    "communities": communities.rows,
    "profiles": profiles.rows,
    "grid": grid.rows,
}

METER_SUBJECTS: dict[str, Callable[[Sizes], list[Row]]] = {
    "private statements": statements.rows,
    "statements on the chain": statement_gas.rows,
    "feeder load": feeder_loads.rows,
    "polling": polling.rows,
}
"""What ``python -m benchmarks meter`` measures: minutes, so apart."""

BIDSTORE_SUBJECTS: dict[str, Callable[[Sizes], list[Row]]] = {
    "posting": postings.rows,
    "auction": auctions.rows,
    "auction on arrays": crossings.rows,
    "plan": plans.rows,
}
"""What ``python -m benchmarks bidstore`` measures: it starts a database server, so apart."""

SUITES = {"all": SUBJECTS, "bidstore": BIDSTORE_SUBJECTS, "meter": METER_SUBJECTS}
"""Suites by the name on the command line."""

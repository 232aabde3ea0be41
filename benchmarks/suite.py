"""All benchmarks, in the order of the table."""

from collections.abc import Callable

from benchmarks import auctions, audits, digests, gas, grid, mixes, profiles, signatures, transfers
from benchmarks.row import Row
from benchmarks.sizes import Sizes

SUBJECTS: dict[str, Callable[[Sizes], list[Row]]] = {
    "signatures": signatures.rows,
    "digests": digests.rows,
    "ledgers": transfers.rows,
    "gas": gas.rows,
    "mix": mixes.rows,
    "auction": auctions.rows,
    "audit": audits.rows,
    "profiles": profiles.rows,
    "grid": grid.rows,
}

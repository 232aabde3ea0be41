"""Trades that a ledger accepts per second: the specification, then the contract in process."""

from functools import partial

from assets.transactions import digest
from benchmarks import bare
from benchmarks.neighbourhood import contract, specification, traders
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import Action, Preparation, again, medians_s


def rows(sizes: Sizes) -> list[Row]:
    """The same trades, submitted in one batch to either ledger, and their signatures alone."""
    spec_s, evm_s, signatures_s = medians_s(
        sizes.runs, partial(_on_specification, sizes.trades), partial(_on_contract, sizes.trades), _signatures(sizes)
    )
    spec, evm, signatures = (sizes.trades / taken_s for taken_s in (spec_s, evm_s, signatures_s))
    return [
        Row(
            "specification, trades accepted",
            spec,
            "trades/s",
            sizes.runs,
            Reference("coincurve, their 3 signatures each", signatures),
        ),
        Row("contract in process, trades accepted", evm, "trades/s", sizes.runs, Reference("specification", spec)),
    ]


def _on_specification(trades: int) -> Action:
    neighbourhood, batch = traders(specification(), trades)
    return partial(neighbourhood.submit, batch)


def _on_contract(trades: int) -> Action:
    neighbourhood, batch = traders(contract(), trades)
    return partial(neighbourhood.submit, batch)


def _signatures(sizes: Sizes) -> Preparation:
    neighbourhood, batch = traders(specification(), sizes.trades)
    domain = neighbourhood.ledger.domain
    signed = [bare.recoverable(digest(domain, trade.tx), s) for trade in batch for s in trade.signatures]
    return again(bare.recover_all, signed)

"""One delivery interval, from notes to bills: the whole of PETra on one screen.

    withdraw → mix → trade → settle → deposit        before the interval starts
    bill                                             when its deposit deadline has passed

Source: PETra paper, section "Workflow"; drawn in docs/ARCHITECTURE.md.
"""

from dataclasses import dataclass

from assets.transactions import PriceChange
from petra import stages
from petra.microgrid import Microgrid
from petra.stopwatch import Stopwatch
from petra.trade import Trade
from smartmeter.billing import BillingRecord


@dataclass(frozen=True, slots=True)
class Market:
    """What trading for one interval brought."""

    t: int
    trades: tuple[Trade, ...]
    """All at the price of the interval's auction."""
    mix_peers: tuple[int, ...]
    """Number of peers of each mix session."""


def trade_interval(grid: Microgrid, t: int, prices: PriceChange, watch: Stopwatch) -> Market:
    """Trade energy for interval ``t`` at limits between the DSO's ``prices``; raises when anything is refused."""
    with watch("withdraw"):  # every meter issues the same standard set of notes to its wallet
        grid.submit(stages.withdrawals(grid, t))

    with watch("mix"):  # every note moves to a fresh address that nobody can tie to a meter
        mixes = stages.mixes(grid, t)
        grid.submit(mixes)

    with watch("trade"):  # wallets sign orders for mixed notes and are done; the bid store matches them
        stages.post_orders(grid, t, prices)
        fills = grid.bidstore.clear(t, stages.tie_break(grid, t))

    with watch("settle"):  # the ledger checks both orders of every match and swaps, to addresses only the meters know
        trades = stages.settle(grid, fills)

    with watch("deposit"):  # what was not traded returns to the meters as well, each note on its own
        grid.submit(stages.deposits(grid, t))

    return Market(t, trades, tuple(len(mix.tx.inputs) for mix in mixes))


def bill_interval(grid: Microgrid, t: int, watch: Stopwatch) -> list[BillingRecord]:
    """Bill what was measured in ``t`` against what was deposited for it: one record for each home, in their order."""
    with watch("bill"):
        prices = grid.ledger.price_at(t)
        return [stages.bill(home, t, prices) for home in grid.homes]

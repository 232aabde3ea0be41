"""Gas of the contract by stage of an interval, beside what no contract that stores notes can avoid."""

from assets.notes import Kind
from benchmarks.neighbourhood import NOTES_PER_HOME, Batch, Neighbourhood, contract, of_kind
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes

STORE = 22_100
"""A new word in storage: 20 000 (EIP-2200) and 2 100 for its first touch (EIP-2929)."""

REWRITE = 5_000
"""A word in storage overwritten, its first touch included (EIP-2200, EIP-2929)."""

RECOVER = 3_000
"""One call of the precompile ``ecrecover`` (Yellow Paper, appendix E)."""

MOVE = REWRITE + RECOVER + STORE
"""A note spent and another created: its owner's signature, and the two notes' words."""

TRADE = 3 * (REWRITE + RECOVER) + 4 * STORE
"""Three notes of three owners spent, four created."""


def rows(sizes: Sizes) -> list[Row]:
    """One interval's stages, each relayed in one EVM transaction. Gas is the same every time, so it is taken once."""
    ledger = contract()
    neighbourhood = Neighbourhood(ledger, sizes.homes)

    def gas_each(batch: Batch, items: int) -> float:
        before = ledger.gas_used_total
        neighbourhood.submit(batch)
        return (ledger.gas_used_total - before) / items

    withdrawals = neighbourhood.withdrawals()
    withdrawn = neighbourhood.created(withdrawals)
    first, second = withdrawn[::2], withdrawn[1::2]  # of the two notes of each kind that every home withdraws
    mix = [neighbourhood.mix(of_kind(first, Kind.EPA))]
    trades = neighbourhood.trades(second)
    deposits = [neighbourhood.deposit(note) for kind in (Kind.ECA, Kind.FA) for note in of_kind(first, kind)]
    stored = Reference("its word stored", STORE)
    moved = Reference("2 words written, 1 ecrecover", MOVE)
    traded = Reference("7 words written, 3 ecrecover", TRADE)
    return [
        Row(
            "per note withdrawn, 6 at a time",
            gas_each(withdrawals, len(withdrawals) * NOTES_PER_HOME),
            "gas",
            1,
            stored,
        ),
        Row(f"per note mixed, N = {sizes.homes}", gas_each(mix, sizes.homes), "gas", 1, moved),
        Row("per trade, 3 notes in, 4 out", gas_each(trades, len(trades)), "gas", 1, traded),
        Row("per note deposited on its own", gas_each(deposits, len(deposits)), "gas", 1, moved),
    ]

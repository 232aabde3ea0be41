"""``python -m benchmarks.ledger``: what the ledger costs in gas, how fast it takes transactions, how many it serves.

``--write-snapshot`` rewrites ``contracts/gas_snapshot.json``, which ``tests/contracts/test_gas_snapshot.py`` checks.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from assets.notes import IssuedNote, Kind
from assets.transactions import Signed, Transaction
from benchmarks.market import DSO, GENESIS_S, GRID, Market
from contracts import anvil, nodes
from contracts.ledger import EvmLedger

SNAPSHOT = Path(__file__).parent.parent / "contracts" / "gas_snapshot.json"
SET = 6
"""Notes of a standard set."""
STREET = 18
"""Homes whose transactions share a relay."""
STRUCT_NOTE, STRUCT_TRADE = 63_000, 317_000
"""Gas per mixed note and per trade where every note is a struct (measured in a trial before this ledger)."""
AUCTION_TRADE = 96_063 + 185_981 + 21_000
"""A comparable auction contract: bid, clearing and payment."""
BLOCK_GAS, BLOCK_S, INTERVALS_PER_HOUR = 30_000_000, 5, 4

Gas = dict[str, float]


def in_process() -> EvmLedger:
    """A fresh ledger on a chain in this process."""
    return EvmLedger.deploy(nodes.in_process(GENESIS_S - 1_000_000), DSO.address, GRID)


def gas(mixes: tuple[int, ...] = (5, 20, 50, 100), batches: tuple[int, ...] = (1, 10, 50)) -> Gas:
    """Gas per item of each kind of transaction, everything included. The same in every run."""
    ledger = in_process()
    homes = max(*mixes, sum(batches) // 2 + 10)
    market = Market(ledger, homes)
    measured: Gas = {}

    def spent(batch: Sequence[Signed[Transaction]], items: int) -> float:
        before = ledger.gas_used_total
        market.submit(batch)
        return round((ledger.gas_used_total - before) / items, 1)

    first = market.withdrawals(range(homes), range(1))
    market.submit(first)
    alone, street = [], []
    for t in range(4, 8):
        one, many = market.withdrawals(range(1), range(t, t + 1)), market.withdrawals(range(1, 19), range(t, t + 1))
        alone.append(spent(one, SET))
        street.append(spent(many, SET * STREET))
    measured["withdrawn note, set of 6, alone"] = statistics.mean(alone)
    measured["withdrawn note, set of 6, 18 homes in a relay"] = statistics.mean(street)
    day = market.withdrawals(range(1), range(8, 8 + 24))
    measured["withdrawn note, 24 sets with one signature"] = spent(day, SET * 24)
    for peers in mixes:
        fresh = market.withdrawals(range(peers), range(40, 41))
        market.submit(fresh)
        mix = market.mix(market.created(fresh, Kind.EPA)[::2])
        measured[f"mixed note, N = {peers}"] = spent([mix], peers)
    mixed: dict[Kind, list[IssuedNote]] = {}
    for kind in Kind:
        notes = market.created(first, kind)
        parts = [notes[i : i + 60] for i in range(0, len(notes), 60)]
        signed = [market.mix(part) for part in parts]
        market.submit(signed)
        mixed[kind] = market.created(signed, kind)
    for trades in batches:
        taken = [[mixed[kind].pop() for _ in range(trades)] for kind in (Kind.EPA, Kind.ECA, Kind.FA)]
        settle = market.settlement(*taken)
        name = "trade, alone" if trades == 1 else f"trade, in a batch of {trades}"
        measured[name] = spent([settle], trades)
    deposits = [market.deposit(mixed[Kind.EPA].pop()) for _ in range(1 + STREET)]
    measured["deposit, alone"] = spent(deposits[:1], 1)
    measured["deposit, 18 in a relay"] = spent(deposits[1:], STREET)
    return measured


def snapshot() -> Gas:
    """What the committed snapshot holds: the gas that can be measured in seconds."""
    return gas(mixes=(5, 20, 50), batches=(1, 10))


def speed(ledger: EvmLedger) -> tuple[float, float]:
    """Deposits per second: one relay at a time, and many in one submission. Medians of three."""
    market = Market(ledger, STREET)
    one, many = [], []
    for turn in range(3):
        issue = market.withdrawals(range(STREET), range(turn, turn + 1))
        market.submit(issue)
        deposits = [market.deposit(n) for kind in Kind for n in market.created(issue, kind)]
        single, rest = deposits[:20], deposits[20:]
        start = time.perf_counter()
        for signed in single:
            market.submit([signed])
        one.append(len(single) / (time.perf_counter() - start))
        start = time.perf_counter()
        market.submit(rest)
        many.append(len(rest) / (time.perf_counter() - start))
    return statistics.median(one), statistics.median(many)


def homes_served(measured: Gas) -> tuple[float, float]:
    """Gas of one home in one interval, and how many homes a chain of ``BLOCK_GAS`` each ``BLOCK_S`` serves."""
    home = (
        SET * measured["withdrawn note, set of 6, 18 homes in a relay"]
        + SET * measured["mixed note, N = 50"]
        + 0.5 * measured["trade, in a batch of 50"]
        + SET * measured["deposit, 18 in a relay"]
    )
    return home, BLOCK_GAS * 3600 / INTERVALS_PER_HOUR / BLOCK_S / home


def goal(name: str) -> int | None:
    """The most gas that was aimed at."""
    if name.startswith("withdrawn"):
        return 10_000
    if name in ("mixed note, N = 50", "mixed note, N = 100"):
        return 18_000
    return {"trade, alone": 110_000, "trade, in a batch of 50": 60_000}.get(name)


def reference(name: str) -> str:
    """What others pay."""
    if name.startswith("mixed"):
        return f"struct per note {STRUCT_NOTE:,}"
    return f"struct per note {STRUCT_TRADE:,}; auction {AUCTION_TRADE:,}" if name.startswith("trade") else ""


def table(measured: Gas) -> Table:
    """Everything measured, as one table."""
    out = Table("what", "measured", "goal", "reference", title="The ledger: gas, speed, homes")
    for name, value in measured.items():
        aim = goal(name)
        met = "" if aim is None else f"{aim:,}" if value <= aim else f"{aim:,} (missed)"
        out.add_row(f"gas per {name}", f"{value:,.0f}", met, reference(name))
    one, many = speed(in_process())
    out.add_row("deposits per s, in process, one by one | in one submission", f"{one:.0f} | {many:.0f}", "", "")
    with tempfile.TemporaryDirectory() as folder, anvil.running(Path(folder) / "anvil.log") as url:
        one, many = speed(EvmLedger.deploy(nodes.connect(url), DSO.address, GRID))
    out.add_row("deposits per s, anvil, one by one | in one submission", f"{one:.0f} | {many:.0f}", "", "")
    home, homes = homes_served(measured)
    out.add_row("gas per home and quarter-hour: 6 withdrawn + 6 mixed + 1/2 trade + 6 deposits", f"{home:,.0f}", "", "")
    out.add_row("homes that 30 M gas per 5 s block serve: 30 M x 180 blocks / gas per home", f"{homes:,.0f}", "", "")
    return out


def main() -> None:
    """Print the table, or write the snapshot."""
    if sys.argv[1:] == ["--write-snapshot"]:
        SNAPSHOT.write_text(json.dumps(snapshot(), indent=1) + "\n", encoding="utf-8")
        return
    start = time.perf_counter()
    console = Console()
    console.width = max(console.width, 150)
    console.print(table(gas()))
    console.print(f"measured in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

"""``petra village report``: what a village did, recomputed from its ledger, books and states; files for the audit."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.chainlog import Genesis
from assets.keys import Address
from assets.port import Entry
from petra.bills import HomeBill, home_bills
from petra.inbox import BID_STORE, DSO
from petra.knowledge import Learnt, Observer, learn
from petra.ledgers import shown
from petra.prosumer.records import OrderFate
from petra.summary import STAGES
from petra.trade import trades_of
from petra.village import homes as village_homes
from petra.village.latency import AUTHORS_2017_MEAN_S, from_gate, from_posting
from petra.village.layout import Layout
from petra.village.market import Market, Window
from petra.village.options import ANVIL
from petra.village.plan import gate_s
from petra.village.reading import HomeSecrets, bills_of, covered, ledger_of, owners, secrets_of
from petra.village.runfiles import RunFacts, write_files
from petra.village.state import Phase, VillageState, read_state
from smartmeter.billing import BillingRecord

if TYPE_CHECKING:
    from contracts.ledger import EvmLedger


def make_report(folder: Path) -> dict[str, Any]:
    """Write ``DIR/run`` and return the figures. Stops nothing; works after ``down`` as well.

    Raises ``ValueError`` or ``OSError`` that says what is missing.
    """
    layout, state = Layout(folder.absolute()), read_state(folder)
    ended = state.phase in (Phase.STOPPED, Phase.FAILED)
    if not layout.of(f"wallet{state.options.homes}").exists():
        when = "ended before its homes were made; start another" if ended else "is starting; wait until it runs"
        raise ValueError(f"the village {when}")
    secrets = [secrets_of(layout, i) for i in range(1, state.options.homes + 1)]
    with ledger_of(layout, state) as ledger:
        intervals, records = bills_of(layout, state)
        if not intervals:
            when = "ended too early; start another" if ended else "goes on; wait for the first bills"
            raise ValueError(f"no interval is billed by all meters, and the village {when}")
        everything = ledger.entries()
        entries = covered(everything, intervals)
        gas, stated = _gas(ledger), _stated(layout, ledger)
    market = Market(ledger.grid)
    market.follow(entries)
    known = owners(secrets, entries, ledger.grid.interval_s)
    facts = RunFacts(
        genesis=Genesis(ledger.domain, ledger.grid, ledger.founder),
        entries=entries,
        records=records,
        trades=list(trades_of(entries, ledger.grid.interval_s)),
        mixes=[size for window in market.windows.values() for size in window.mixes],
        owners=known,
        learnt=_learnt(entries, known, secrets, len(stated)),
        intervals=intervals,
        start=datetime.fromisoformat(str(state.facts["start"])),
        scenario=str(state.facts["source"]),
        seed=state.options.seed,
        ledger="anvil" if state.options.chain == ANVIL else shown(state.options.chain),
        gate_s=state.options.interval_s // 2,
        standard_set=village_homes.scenario(state.options).standard_set,
        transport=state.options.transport,
        gas=gas,
        seconds=_seconds(state, market.windows, intervals),
    )
    summary = write_files(facts, layout.run)
    return {
        "run": str(layout.run),
        "intervals_delivered": intervals,
        "ledger_entries": len(entries),
        "entries_left_out": len(everything) - len(entries),
        "windows": _windows(market.windows),
        "orders": _orders(secrets),
        "trades": len(facts.trades),
        "traded_wh": summary["traded_wh"],
        "bills": [_bill(bill) for bill in home_bills(records)],
        "statements": _statements(stated, records, intervals),
        "restarts": {p.name: p.restarts for p in state.processes if p.restarts},
        "offer_to_settled": _latencies(folder, state, ledger.grid.genesis_s, secrets),
        "transport": state.options.transport,
        "speed": state.options.speed,
    }


def _gas(ledger: "EvmLedger") -> int:
    """Gas of all relay transactions on the chain, which is the village's own."""
    w3 = ledger._w3
    return sum(w3.eth.get_block(number)["gasUsed"] for number in range(ledger.since_block, w3.eth.block_number + 1))


def _stated(layout: Layout, ledger: "EvmLedger") -> dict[int, int]:
    """What the DSO has booked: Σ B by meter."""
    from dso.service.intake import Intake
    from dso.service.store import StatementStore

    store = StatementStore(layout.desk / "bills.db")
    try:
        totals: Counter[int] = Counter()
        for statement in Intake(ledger, store, ledger.grid.interval_s // 2).statements():
            totals[statement.meter] += statement.bill_nano
        return dict(totals)
    finally:
        store.close()


def _statements(stated: Mapping[int, int], records: Sequence[BillingRecord], intervals: int) -> dict[str, Any]:
    billed: Counter[int] = Counter()
    for record in records:
        billed[record.meter] += record.bill_nano
    equal = sum(stated.get(meter) == bill_nano for meter, bill_nano in billed.items())
    return {"received": len(stated), "equal_to_bills": equal, "homes": len(billed), "intervals": intervals}


def _windows(windows: Mapping[int, Window]) -> dict[str, dict[str, Any]]:
    return {
        str(t): {
            "withdrawals": w.withdrawals,
            "mix_peers": sorted(w.mixes),
            "trades": len(w.trades),
            "traded_wh": w.traded_wh,
            "price_nano_per_wh": w.trades[0].price_nano_per_wh if w.trades else None,
            "deposits": w.deposits,
        }
        for t, w in sorted(windows.items())
        if w.withdrawals
    }


def _orders(secrets: Sequence[HomeSecrets]) -> dict[str, int]:
    fates = Counter(order.fate.value for one in secrets for order in one.orders)
    return {"posted": sum(fates.values()), **{fate.value: fates[fate.value] for fate in OrderFate}}


def _bill(bill: HomeBill) -> dict[str, int]:
    return {**asdict(bill), "saved_nano": bill.saved_nano}


def _latencies(folder: Path, state: VillageState, genesis_s: int, secrets: Sequence[HomeSecrets]) -> dict[str, Any]:
    orders = [order for one in secrets for order in one.orders]
    options = state.options
    clock = json.loads((folder / state.clock).read_text(encoding="utf-8"))
    gates: dict[int, float] = {}
    for window in {order.window for order in orders}:
        closes_s = genesis_s + window * options.interval_s - gate_s(options.interval_s)
        gates[window] = clock["real_s"] + (closes_s - clock["simulated_s"]) / clock["speed"]
    return {
        "from_posting": asdict(from_posting(orders)),
        "from_gate_closure": asdict(from_gate(orders, gates)),
        "authors_2017_mean_s": AUTHORS_2017_MEAN_S,
    }


def _learnt(
    entries: Sequence[Entry], known: Mapping[Address, tuple[int, object]], secrets: Sequence[HomeSecrets], stated: int
) -> list[Learnt]:
    """What the public ledger tells each party; boards' logs and what the bid store received are not looked into."""
    truth = {address: home for address, (home, _) in known.items()}
    observers = [Observer(name) for name in ("ledger readers", "board (ledger only)", f"{BID_STORE} (ledger only)")]
    rows = [learn(observer, entries, truth) for observer in observers]
    rows.append(replace(learn(Observer(DSO), entries, truth), bills=stated))
    rows += [learn(Observer(f"home {s.home}", own=frozenset({s.home})), entries, truth) for s in secrets]
    return rows


def _seconds(state: VillageState, windows: Mapping[int, Window], intervals: int) -> dict[str, float]:
    """How long each stage took on the ledger, summed over all windows, in real seconds; total: of the whole run."""
    speed, length_s = state.options.speed, state.options.interval_s
    genesis_s = int(state.facts["genesis_s"])
    found = dict.fromkeys(STAGES, 0.0)
    for t, w in windows.items():
        start_s = genesis_s + t * length_s
        spans = {
            "withdraw": (w.first_withdrawn_s, w.withdrawn_s),
            "mix": (start_s - length_s + length_s // 4, w.mixed_s),
            "settle": (start_s - gate_s(length_s), w.settled_s),
            "deposit": (w.first_deposited_s, w.deposited_s),
        }
        for stage, (first_s, last_s) in spans.items():
            if first_s is not None and last_s is not None:
                found[stage] += max(0, last_s - first_s) / speed
    found["trade"] = sum(gate_s(length_s) for w in windows.values() if w.withdrawals) / speed
    found["total"] = (intervals + 0.5) * length_s / speed
    return {stage: round(seconds, 3) for stage, seconds in found.items()}

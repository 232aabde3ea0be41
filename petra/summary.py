"""``summary.json``: the figures of a run."""

from collections.abc import Sequence
from dataclasses import asdict

from assets.keys import Address, Digest
from assets.notes import Kind
from petra import boards
from petra.bills import home_bills
from petra.conservation import balances
from petra.crypto import COUNTED, COUNTED_BANNER
from petra.inbox import BID_STORE, DSO
from petra.knowledge import Learnt, Observer, candidates_of, learn
from petra.ledgers import gas_total, shown
from petra.neighbours import learn_as_neighbours
from petra.simulation import Run

STAGES = ("withdraw", "mix", "trade", "settle", "deposit", "bill", "total")
"""Stages whose wall-clock time the summary gives."""


def summarise(run: Run, learnt: Sequence[Learnt], ledger_head: Digest) -> dict[str, object]:
    """The summary as JSON values; ``ledger_head`` is the last hash of ``ledger.jsonl``."""
    scenario, bills = run.scenario, home_bills(run.bills)
    crypto = {"crypto": _crypto(run)} if run.grid.counts is not None else {}
    outstanding = {b.kind: b.outstanding for b in balances(run.entries, run.bills, scenario.interval_s)}
    peers = [n for market in run.markets for n in market.mix_peers]
    trades = [trade for market in run.markets for trade in market.trades]
    return {
        **crypto,
        "scenario": scenario.name,
        "seed": scenario.seed,
        "ledger": shown(scenario.ledger),
        "homes": len(run.grid.homes),
        "start": scenario.profiles.start.isoformat(),
        "intervals": scenario.intervals,
        "interval_s": scenario.interval_s,
        "gate_s": scenario.gate_s,
        "standard_set": asdict(scenario.standard_set),
        "measured_import_wh": sum(b.measured_import_wh for b in bills),
        "measured_export_wh": sum(b.measured_export_wh for b in bills),
        "residual_wh": sum(b.residual_wh for b in bills),
        "traded_wh": sum(trade.energy_wh for trade in trades),
        "trades": len(trades),
        "sum_bills_nano": sum(b.bill_nano for b in bills),
        "sum_bills_without_trading_nano": sum(b.bill_without_trading_nano for b in bills),
        "conservation": {
            "epa_outstanding_wh": outstanding[Kind.EPA],
            "eca_outstanding_wh": outstanding[Kind.ECA],
            "fa_outstanding_nano": outstanding[Kind.FA],
            "dso_shortfall_nano": run.reconciliation.shortfall_nano,
        },
        "transport": {"name": run.grid.transport.name, "anonymous": run.grid.transport.anonymous},
        "mix": {"sessions": len(peers), "peers_min": min(peers, default=0), "peers_max": max(peers, default=0)},
        "learnt": [asdict(row) for row in learnt],
        "ledger_stats": {"transactions": len(run.entries), "gas_total": gas_total(run.grid.ledger)},
        "ledger_head": "0x" + ledger_head.hex(),
        "seconds": {stage: round(run.seconds.get(stage, 0.0), 3) for stage in STAGES},
    }


def _crypto(run: Run) -> dict[str, object]:
    """What a run did not execute: absent from the summary of one that executed everything."""
    return {
        "mode": COUNTED,
        "statement": COUNTED_BANNER,
        "cpu_s": round(sum(cost.cpu_s for cost in run.costs), 3),
        "operations": [{**asdict(cost), "cpu_s": round(cost.cpu_s, 3)} for cost in run.costs],
    }


def who_learnt_what(run: Run) -> Sequence[Learnt]:
    """One row for each kind of observer, and one for each neighbour.

    Neighbours that received nothing, as all do where orders go to the bid store and mixes over a board, are computed
    together.
    """
    truth = owners_of_addresses(run)
    inboxes = run.grid.inboxes
    observers = [
        Observer("ledger readers"),
        Observer("board", linked=boards.links(run.grid.mix_logs, truth)),
        Observer(BID_STORE, received=inboxes.received(BID_STORE)),
        Observer(DSO, received=inboxes.received(DSO)),
    ]
    public = candidates_of(Observer("the public"), run.entries, truth)
    rows = [learn(observer, run.entries, truth, public) for observer in observers]
    told = [home for home in run.grid.homes if inboxes.received(home.name)]
    names = {home.number: home.name for home in run.grid.homes if not inboxes.received(home.name)}
    by_name = {row.observer: row for row in learn_as_neighbours(names, run.entries, truth, public)}
    for home in told:
        observer = Observer(home.name, received=inboxes.received(home.name), own=frozenset({home.number}))
        by_name[home.name] = learn(observer, run.entries, truth)
    return [*rows, *(by_name[home.name] for home in run.grid.homes)]


def owners_of_addresses(run: Run) -> dict[Address, int]:
    """The home behind every address of the run: what nobody but the simulation knows."""
    return {
        address: home.number
        for home in run.grid.homes
        for addresses in (home.wallet.uses, home.deposit_addresses)
        for address in addresses
    }

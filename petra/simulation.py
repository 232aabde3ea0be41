"""A whole run: build the parties, trade and bill every interval, settle with the DSO."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from assets.keys import Address
from assets.port import Entry
from assets.transactions import Authorisation, FeederCapacity
from bidstore.book import BidStore
from dso.accounts import Accounts, Reconciliation
from dso.operator import Dso
from petra.counted_mix import CountedTransport
from petra.crypto import Crypto, crypto_named
from petra.cycle import Market, bill_interval, trade_interval
from petra.homes.battery import net_after_battery
from petra.homes.profile import HomeProfile
from petra.inbox import DSO
from petra.ledgers import open_ledger, reopen_ledger
from petra.microgrid import Home, Microgrid, SimulatedLedger
from petra.resume import ResumedLedger
from petra.scenario import Scenario
from petra.stopwatch import Stopwatch
from petra.strategy import PersistenceTrader, Strategy
from petra.transports import MemoryTransport, Transport
from petra.unit_costs import Cost, costs_of
from petra.wallet import Wallet
from smartmeter.billing import BillingRecord
from smartmeter.meter import Meter


@dataclass(frozen=True)
class Run:
    """Everything that a finished simulation knows, its secrets included."""

    scenario: Scenario
    grid: Microgrid
    entries: Sequence[Entry]
    """The whole ledger."""
    markets: Sequence[Market]
    """By interval."""
    bills: Sequence[BillingRecord]
    """By interval, then home."""
    reconciliation: Reconciliation
    seconds: dict[str, float]
    """Wall-clock time by stage, and ``total``."""
    watch: Stopwatch = field(default_factory=Stopwatch)
    """CPU time and memory by stage."""
    costs: Sequence[Cost] = ()
    """What was counted and not executed, with what it would have cost; empty if all was executed."""


def simulate(
    scenario: Scenario,
    progress: Callable[[int], None],
    transport: Transport | None = None,
    watch: Stopwatch | None = None,
) -> Run:
    """Run ``scenario``; ``progress`` is called with the number of intervals traded so far.

    ``transport`` carries the messages of the mix; in memory unless given. Where cryptography is counted, none does.
    Raises ``ValueError`` for a scenario whose parts do not fit together.
    """
    watch = Stopwatch() if watch is None else watch
    with watch("total"):
        with watch("enrol"):
            grid = build(scenario)
            if transport is not None and grid.counts is not None and not isinstance(transport, MemoryTransport):
                raise ValueError("--crypto counted sends no message; leave --transport out")
            if transport is not None and grid.counts is None:
                grid.transport = transport
        times = grid.ledger.grid
        markets: list[Market] = []
        bills: list[BillingRecord] = []
        for t in range(scenario.intervals):
            grid.advance_to(times.start_s(t) - scenario.lead_s)
            bills += _bill_closed(grid, scenario, len(markets), len(bills), watch)
            prices = grid.ledger.price_at(t)
            if prices is None:
                raise ValueError(f"the DSO has announced no price for interval {t}")
            markets.append(trade_interval(grid, t, prices, watch))
            progress(t + 1)
        grid.advance_to(times.end_s(scenario.intervals - 1) + scenario.gate_s)
        bills += _bill_closed(grid, scenario, len(markets), len(bills), watch)
        with watch("reconcile"):
            reconciliation = settle(grid, scenario)
        with watch("unit costs"):
            costs = costs_of(grid.counts) if grid.counts is not None else []
    return Run(scenario, grid, grid.ledger.entries(), markets, bills, reconciliation, dict(watch.seconds), watch, costs)


def build(scenario: Scenario) -> Microgrid:
    """Open the ledger, enrol every home's meter, and announce the prices."""
    crypto = crypto_named(scenario.crypto)
    dso_key = crypto.keys(scenario.seed, "dso").fresh()
    ledger = _open(scenario, dso_key.address, crypto)
    dso = Dso(dso_key, ledger)
    homes = [_home(scenario, profile, ledger, crypto) for profile in scenario.profiles.homes]
    grid = Microgrid(
        ledger=ledger,
        dso=dso,
        accounts=Accounts(ledger, scenario.gate_s),
        bidstore=BidStore(ledger),
        homes=homes,
        standard_set=scenario.standard_set,
        seed=scenario.seed,
        counts=crypto.counts,
    )
    if crypto.counts is not None:
        grid.transport = CountedTransport(crypto.counts)
    notes = scenario.standard_set
    export_w, import_w = notes.epa_notes * notes.note_power_w, notes.eca_notes * notes.note_power_w
    credit_nano = notes.fa_notes * notes.fa_amount_nano * scenario.intervals
    feeder_of = {profile.home: profile.node for profile in scenario.profiles.homes}
    sizes = Counter(feeder_of.values())
    grid.submit(
        [
            dso.enrol(
                [FeederCapacity(f, n * export_w, n * import_w) for f, n in sorted(sizes.items())],
                [
                    Authorisation(h.number, h.meter.address, feeder_of[h.number], export_w, import_w, credit_nano)
                    for h in homes
                ],
            )
        ]
    )
    grid.submit([dso.announce(scenario.tariff.price_changes(ledger.grid))])
    return grid


def _open(scenario: Scenario, dso: Address, crypto: Crypto) -> SimulatedLedger:
    if scenario.resume and scenario.record_in is not None:
        left = reopen_ledger(scenario.ledger, dso, scenario.interval_s, scenario.record_in)
        if left is not None:
            return ResumedLedger(left)
    return open_ledger(scenario.ledger, dso, scenario.start_s, scenario.interval_s, scenario.record_in, crypto)


def _home(scenario: Scenario, profile: HomeProfile, ledger: SimulatedLedger, crypto: Crypto) -> Home:
    label = f"home {profile.home}"
    seed = scenario.seed
    net_wh = net_after_battery(profile, scenario.interval_s)
    return Home(
        number=profile.home,
        meter=Meter(
            profile.home,
            crypto.keys(seed, f"{label} meter").fresh(),
            crypto.keys(seed, f"{label} deposits"),
            ledger.domain,
            ledger.grid,
            scenario.standard_set,
            scenario.gate_s,
        ),
        wallet=Wallet(ledger.domain, ledger.grid, crypto.keys(seed, f"{label} wallet")),
        strategy=_strategy(scenario, profile.home, net_wh, ledger),
        net_wh=net_wh,
    )


def _strategy(scenario: Scenario, home: int, net_wh: Sequence[int], ledger: SimulatedLedger) -> Strategy:
    if scenario.strategy is None:
        return PersistenceTrader(scenario.seed, home)
    from petra.strategies import named
    from petra.strategies.simulated import Simulated

    drawn = {"seed": scenario.seed, "home": home} if scenario.strategy == "zero-intelligence" else {}
    return Simulated(named(scenario.strategy, **drawn), net_wh, ledger.price_at, scenario.interval_s)


def _bill_closed(
    grid: Microgrid, scenario: Scenario, traded: int, billed: int, watch: Stopwatch
) -> list[BillingRecord]:
    """Bills of all traded intervals whose deposit deadline has passed and that are not billed yet."""
    first = billed // len(grid.homes)
    closed = [t for t in range(first, traded) if grid.ledger.grid.end_s(t) + scenario.gate_s <= grid.ledger.now_s]
    return [record for t in closed for record in bill_interval(grid, t, watch)]


def settle(grid: Microgrid, scenario: Scenario) -> Reconciliation:
    """Every meter states the period's totals to the DSO, which reconciles them and settles the FA."""
    last = scenario.intervals - 1
    measured_wh: Counter[int] = Counter()
    for home, profile in zip(grid.homes, scenario.profiles.homes, strict=True):
        statement = home.meter.statement(0, last, grid.ledger.price_at)
        grid.accounts.receive(grid.inboxes.deliver(DSO, statement))
        measured_wh[profile.node] += sum(home.net_wh)
    reconciliation = grid.accounts.reconcile(0, last, measured_wh)
    grid.submit([grid.dso.settle(grid.accounts.settlements(0, last))])
    return reconciliation

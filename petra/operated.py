"""The community under an operator: the real market and ledger, with the DSO's automatic loop on or off.

Every day the DSO publishes prices ahead and settles the bills of the day before; ahead of every interval it checks the
grid and sets limits; then the homes withdraw, mix, trade, settle and deposit as in :mod:`petra.cycle`. Homes answer the
prices that the ledger shows with a part of their load, and keep their exchange within their meters' limits.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.intervals import IntervalGrid
from assets.keys import ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.rules.state import Standing
from assets.transactions import Authorisation, FeederCapacity, PriceChange, Regulate, Signed, Transact, sign
from assets.units import SECONDS_PER_HOUR, energy_wh
from bidstore.book import BidStore
from dso.accounts import Accounts, Reconciliation
from dso.controller.autopilot import Autopilot, Guarded
from dso.controller.controller import Bounds, Controller, Decision
from dso.desk.desk import Desk, KeySigner
from dso.desk.log import ActionLog
from dso.grid.check import GridCheck
from dso.grid.cigre import NODE_BUS, residential
from dso.operator import Dso
from petra import stages
from petra.flexibility import shift
from petra.homes.battery import SelfConsumption, net_after_battery
from petra.homes.profile import HomeProfile, Profiles
from petra.ledgers import SPEC_DOMAIN
from petra.membership import mix_sessions
from petra.microgrid import Home, Microgrid
from petra.standard import whole_power_w
from petra.strategy import PersistenceTrader
from petra.wallet import Purpose, Wallet
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet

CREDIT_DAYS = 3
"""Days of FA that a meter may owe: more than pass between a day and its settlement, less than the run lasts."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is played."""

    seed: int
    base: PriceChange
    """The tariff."""
    scale: int = 1
    """Factor on every home's power, and on its notes."""
    notes: int = 2
    """EPA, ECA and FA notes of a home in an interval, of 200 W times the scale."""
    controller: bool = False
    check: bool = False
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True)
class Played:
    """What came of it, from the second day on: the first only gives history. Energy in Wh, money in nano-units."""

    net_wh: tuple[tuple[int, ...], ...]
    """Measured net consumption by home and interval."""
    feeder_w: tuple[tuple[int, ...], ...]
    """Net import by interval and feeder, in the order of :data:`dso.grid.cigre.NODE_BUS`."""
    bills_nano: tuple[int, ...]
    """By home: what the meters stated and the DSO booked."""
    traded_wh: int
    trades: int
    withheld_wh: int
    """Exchange that the meters' limits did not permit."""
    decisions: tuple[Decision, ...]
    guarded: tuple[Guarded, ...]
    """What the grid check did, where it did something."""
    reconciliations: tuple[Reconciliation, ...]
    """By day."""
    regulations: int
    """Regulatory transactions on the ledger."""


def play(profiles: Profiles, options: Options, check: GridCheck | None = None) -> Played:
    """Play ``profiles`` on the specification's ledger. Raises ``ValueError`` unless they are whole days, two or more.

    Mixes are made by one hand that holds all keys, which the ledger cannot tell from CoinShuffle's and which changes
    no bill and no load. ``check``: a grid check to use again; made if it is needed and missing.
    """
    with TemporaryDirectory() as folder:
        return _Operated(profiles, options, check, Path(folder)).run()


def nameplate_w(profiles: Profiles, scale: int) -> int:
    """What every home may exchange when nothing is in the way: the largest exchange of any home, for all alike."""
    largest_wh = max(abs(wh) for p in profiles.homes for wh in net_after_battery(p, profiles.interval_s))
    return largest_wh * SECONDS_PER_HOUR // profiles.interval_s * scale


def permitted(whole: StandardSet, standings: Sequence[Standing]) -> StandardSet | None:
    """The set that every home issues: as much of the standard set as the tightest limits leave; ``None`` for nothing.

    All homes issue the same, so that a note does not tell whose it is; everybody can read the limits.
    """
    grants = [s.authorisation for s in standings if not s.banned]
    eca = min(whole.eca_notes, min(g.max_eca_w for g in grants) // whole.note_power_w)
    epa = min(whole.epa_notes, min(g.max_epa_w for g in grants) // whole.note_power_w)
    if not eca or not epa:
        return None
    return StandardSet(whole.note_power_w, epa, eca, min(whole.fa_notes, eca), whole.fa_amount_nano)


class _Operated:
    def __init__(self, profiles: Profiles, options: Options, check: GridCheck | None, folder: Path) -> None:
        self.profiles, self.options = profiles, options
        self.per_day = 86_400 // profiles.interval_s
        if 86_400 % profiles.interval_s or profiles.intervals % self.per_day or profiles.intervals < 2 * self.per_day:
            raise ValueError("give whole days, at least two: the first only gives history")
        unknown = {p.node for p in profiles.homes} - set(NODE_BUS)
        if unknown:
            raise ValueError(f"homes are at the nodes {sorted(unknown)}; the network has homes at {list(NODE_BUS)}")
        times = IntervalGrid(0, profiles.interval_s)
        key = ThrowAwayKeys(options.seed, "dso").fresh()
        self.ledger = SpecLedger(SPEC_DOMAIN, times, key.address, time_s=0)
        self.gate_s, self.lead_s = profiles.interval_s // 2, profiles.interval_s // 4
        power_w = whole_power_w(200, profiles.interval_s) * options.scale
        dearest = options.base.consumption_nano_per_wh * 2  # the controller's bounds stay below twice the tariff
        amount_nano = energy_wh(power_w, profiles.interval_s) * dearest
        self.whole = StandardSet(power_w, options.notes, options.notes, options.notes, amount_nano)
        homes = [self._home(profile) for profile in profiles.homes]
        self.grid = Microgrid(
            ledger=self.ledger,
            dso=Dso(key, self.ledger),
            accounts=Accounts(self.ledger, self.gate_s),
            bidstore=BidStore(self.ledger),
            homes=homes,
            standard_set=self.whole,
            seed=options.seed,
        )
        self.desk, self.signer = Desk(self.ledger, ActionLog(folder / "actions.jsonl")), KeySigner(key)
        self.nameplate = self._nameplate(amount_nano)
        check = check or (GridCheck(residential(), tuple(NODE_BUS)) if options.check else None)
        controller = Controller(self.per_day, options.bounds) if options.controller else None
        self.autopilot = Autopilot(self.desk, self.signer, self.nameplate, controller, check)
        self.loads = [[wh * options.scale for wh in profile.load_wh] for profile in profiles.homes]
        self.made = [[wh * options.scale for wh in profile.generation_wh] for profile in profiles.homes]
        self.batteries = [self._battery(profile) for profile in profiles.homes]
        self.nets: list[list[int]] = [[] for _ in homes]
        for home, net in zip(homes, self.nets, strict=True):
            home.net_wh = net
        self.bills_nano = [0] * len(homes)
        self.traded_wh = self.trades = self.withheld_wh = 0
        self.decisions: list[Decision] = []
        self.guarded: list[Guarded] = []
        self.reconciliations: list[Reconciliation] = []

    def _home(self, profile: HomeProfile) -> Home:
        label, seed = f"home {profile.home}", self.options.seed
        key, deposits = ThrowAwayKeys(seed, f"{label} meter").fresh(), ThrowAwayKeys(seed, f"{label} deposits")
        domain, times = self.ledger.domain, self.ledger.grid
        return Home(
            number=profile.home,
            meter=Meter(profile.home, key, deposits, domain, times, self.whole, self.gate_s),
            wallet=Wallet(domain, times, ThrowAwayKeys(seed, f"{label} wallet")),
            strategy=PersistenceTrader(seed, profile.home),
            net_wh=[],
        )

    def _battery(self, profile: HomeProfile) -> SelfConsumption | None:
        if profile.battery is None:
            return None
        b, scale = profile.battery, self.options.scale
        bigger = type(b)(b.capacity_wh * scale, b.power_w * scale, b.efficiency_permille)
        return SelfConsumption(bigger, self.profiles.interval_s)

    def _nameplate(self, fa_nano: int) -> dict[int, Authorisation]:
        limit_w = nameplate_w(self.profiles, self.options.scale)
        credit_nano = self.options.notes * fa_nano * self.per_day * CREDIT_DAYS
        return {
            home.number: Authorisation(home.number, home.meter.address, profile.node, limit_w, limit_w, credit_nano)
            for home, profile in zip(self.grid.homes, self.profiles.homes, strict=True)
        }

    def run(self) -> Played:
        times, days = self.ledger.grid, self.profiles.intervals // self.per_day
        self._enrol()
        for t in range(self.profiles.intervals):
            self.grid.advance_to(max(0, times.start_s(t) - self.lead_s))
            day, slot = divmod(t, self.per_day)
            if slot == 1 and day > 1:
                self._settle(day - 1)
            if slot == self.per_day - 1 and day + 1 < days and self.options.controller:
                self._plan(day + 1, t)
            if day:
                if self.options.check:
                    guarded = self.autopilot.guard(t, t)
                    self.guarded += [guarded] if guarded.receipt else []
                self.grid.follow()
                self._trade(t)
            self._deliver(t)
        self.grid.advance_to(times.end_s(self.profiles.intervals - 1) + self.gate_s)
        self._settle(days - 1)
        return self._played()

    def _enrol(self) -> None:
        feeders: Counter[int] = Counter()
        for grant in self.nameplate.values():
            feeders[grant.feeder] += grant.max_eca_w
        capacities = tuple(FeederCapacity(f, w, w) for f, w in sorted(feeders.items()))
        self._regulate(Regulate(0, feeders=capacities, authorise=tuple(self.nameplate.values())))
        self._regulate(Regulate(0, prices=(self._tariff(0),)))

    def _regulate(self, tx: Regulate) -> None:
        self.desk.release(self.desk.propose(tx), self.signer).require()
        self.grid.follow()

    def _tariff(self, t: int) -> PriceChange:
        base = self.options.base
        start_s = self.ledger.grid.start_s(t)
        return PriceChange(start_s, base.consumption_nano_per_wh, base.production_nano_per_wh)

    def _plan(self, day: int, now: int) -> None:
        """Publish the prices of ``day``; every home reads them from the ledger and moves load."""
        first = day * self.per_day
        measured = [sum(column) for column in zip(*self.nets, strict=True)][: now - 1]  # the last one is still running
        history_w = {t: wh * SECONDS_PER_HOUR // self.profiles.interval_s for t, wh in enumerate(measured)}
        self.decisions += self.autopilot.plan_day(first, self._tariff, history_w)
        self.grid.follow()
        span = range(first, first + self.per_day)
        prices = [price for t in span if (price := self.ledger.price_at(t)) is not None]
        for home, load in zip(self.grid.homes, self.loads, strict=True):
            rng = random.Random(f"petra week/{self.options.seed}/{home.number}/{day}")  # noqa: S311 - simulation
            load[first : first + self.per_day] = shift(
                load[first : first + self.per_day], prices, self.profiles.interval_s, rng
            )

    def _trade(self, t: int) -> None:
        """The cycle of :mod:`petra.cycle`, with the set of notes that the limits on the ledger leave."""
        grid, prices = self.grid, self.ledger.price_at(t)
        standings = list(self._standings().values())
        notes = permitted(self.whole, standings)
        if notes is None or prices is None:
            return
        withdrawals = []
        for home in grid.homes:
            owners = [home.wallet.fresh_address(Purpose.WITHDRAWN, t) for _ in range(notes.count)]
            withdrawals.append(home.meter.withdraw(t, grid.ledger.meter_nonce(home.number), owners, notes))
        grid.submit(withdrawals)
        grid.submit(self._mixes(t))
        stages.post_orders(grid, t, prices)
        fills = grid.bidstore.clear(t, stages.tie_break(grid, t))
        trades = stages.settle(grid, fills)
        grid.submit(stages.deposits(grid, t))
        self.trades += len(trades)
        self.traded_wh += sum(trade.energy_wh for trade in trades)

    def _standings(self) -> dict[int, Standing]:
        """What every meter may do now, as the public ledger shows it."""
        now_s, meters = self.ledger.now_s, self.ledger.state.meters
        found = {number: account.ruling.at(now_s) for number, account in meters.items()}
        return {number: standing for number, standing in found.items() if standing is not None}

    def _mixes(self, t: int) -> list[Signed[Transact]]:
        wallets = {
            note: home.wallet for home in self.grid.homes for note, use in home.wallet.uses.items() if use.window == t
        }
        signed = []
        for session in mix_sessions(self.ledger.domain, self.grid.latest, t):
            peers = [wallets[owner] for owner in session.owners]
            tx = session.transact([peer.fresh_address(Purpose.MIXED, t) for peer in peers], session.id)
            signed.append(sign(self.ledger.domain, tx, *(wallets[owner].key(owner) for owner in tx.owners)))
        return signed

    def _deliver(self, t: int) -> None:
        """What flows in interval ``t``, within the limits that the meters have."""
        standings = self._standings()
        for i, home in enumerate(self.grid.homes):
            wanted = self.loads[i][t] - self.made[i][t]
            battery = self.batteries[i]
            wanted = wanted if battery is None else battery.step(wanted)
            grant = standings[home.number].authorisation
            low, high = -self._wh(grant.max_epa_w), self._wh(grant.max_eca_w)
            kept = max(low, min(high, wanted))
            if t >= self.per_day:
                self.withheld_wh += abs(wanted - kept)
            self.nets[i].append(kept)

    def _wh(self, power_w: int) -> int:
        return power_w * self.profiles.interval_s // SECONDS_PER_HOUR

    def _settle(self, day: int) -> None:
        """Meters state the day, the DSO checks and books it, reconciles, and settles the FA: credit is free again."""
        first, last = day * self.per_day, (day + 1) * self.per_day - 1
        measured_wh: Counter[int] = Counter()
        for i, (home, profile) in enumerate(zip(self.grid.homes, self.profiles.homes, strict=True)):
            for t in range(first, last + 1):
                home.meter.record_reading(t, self.nets[i][t])
            statement = home.meter.statement(first, last, self.ledger.price_at)
            self.grid.accounts.receive(statement)
            self.bills_nano[i] += statement.statement.bill_nano
            measured_wh[profile.node] += sum(self.nets[i][first : last + 1])
        self.reconciliations.append(self.grid.accounts.reconcile(first, last, measured_wh))
        settlements = self.grid.accounts.settlements(first, last)
        if settlements:
            self._regulate(Regulate(0, settle=settlements))

    def _played(self) -> Played:
        first, feeders = self.per_day, tuple(NODE_BUS)
        place = [feeders.index(profile.node) for profile in self.profiles.homes]
        feeder_w = []
        for row in list(zip(*self.nets, strict=True))[first:]:
            sums = [0] * len(feeders)
            for wh, at in zip(row, place, strict=True):
                sums[at] += wh * SECONDS_PER_HOUR // self.profiles.interval_s
            feeder_w.append(tuple(sums))
        return Played(
            tuple(tuple(net[first:]) for net in self.nets),
            tuple(feeder_w),
            tuple(self.bills_nano),
            self.traded_wh,
            self.trades,
            self.withheld_wh,
            tuple(self.decisions),
            tuple(self.guarded),
            tuple(self.reconciliations),
            self.ledger.regulation_nonce(),
        )

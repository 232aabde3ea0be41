"""A microgrid in memory whose homes have real wallets: withdrawals, mixes, trades and deposits on the specification."""

from dataclasses import dataclass, field
from pathlib import Path

from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import IssuedNote, Kind, Note
from assets.orders import Fill, Order, Side, sign_order
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settle,
    Signed,
    Transact,
    Withdraw,
    sign,
)
from petra.prosumer.account import Account
from petra.prosumer.keychain import Keychain, Purpose
from petra.prosumer.seed import HomeSeed, SeedPhrase
from petra.prosumer.state import State
from smartmeter.identity import OwnerSeed
from smartmeter.standard_set import StandardSet

GRID = IntervalGrid(1_000_000, 3600)
DOMAIN = Domain(1, Address(b"\xaa" * 20))
NOTES = StandardSet(3600, 2, 2, 2, 1_000_000_000)
PRICES = PriceChange(GRID.genesis_s, 240_000, 90_000)


@dataclass
class HomeOf:
    """One home: its seed, its meter's key, and its wallet with a memory of its own."""

    number: int
    seed: HomeSeed
    meter: SigningKey
    state: State
    keychain: Keychain
    account: Account
    nonce: int = 0


@dataclass
class World:
    """The ledger and its homes; every method is one thing that homes do."""

    size: int = 3
    ledger: SpecLedger = field(init=False)
    homes: list[HomeOf] = field(init=False)

    def __post_init__(self) -> None:
        keys = ThrowAwayKeys(7, "world")
        dso = keys.fresh()
        self.ledger = SpecLedger(DOMAIN, GRID, dso.address)
        self.homes = []
        for number in range(1, self.size + 1):
            seed = HomeSeed(SeedPhrase(bytes([number]) * 32))
            state = State(Path(":memory:"), seed.state_secret)
            chain = Keychain(seed, state)
            self.homes.append(HomeOf(number, seed, keys.fresh(), state, chain, Account(chain, GRID)))
        watts = 10**6
        grants = tuple(Authorisation(h.number, h.meter.address, 1, watts, watts, 10**15) for h in self.homes)
        tx = Regulate(0, (FeederCapacity(1, 10**8, 10**8),), grants, prices=(PRICES,))
        self.ledger.submit([sign(DOMAIN, tx, dso)])[0].require()

    def follow(self) -> None:
        for home in self.homes:
            home.account.follow(self.ledger.entries(home.account.cursor))

    def withdraw(self, home: HomeOf, window: int) -> None:
        owners = OwnerSeed(home.seed.meter_seed).owners(window, NOTES.count)
        tx = Withdraw(home.number, home.nonce, window, NOTES.notes(window, owners))
        self.ledger.submit([sign(DOMAIN, tx, home.meter)])[0].require()
        home.nonce += 1
        self.follow()

    def mix(self, homes: list[HomeOf], window: int, kind: Kind) -> bool:
        """One note of each of ``homes`` to a fresh address each, by address; whether it was played."""
        inputs = []
        for home in homes:
            held = home.account.notes(Purpose.WITHDRAWN, window, kind)
            if not held:
                return False
            inputs.append((home, held[0]))
        fresh = sorted(home.keychain.fresh(Purpose.MIXED, window) for home in homes)
        n = inputs[0][1].note
        outputs = tuple(Note(n.kind, to, n.quantity, n.start, n.end) for to in fresh)
        tx = Transact(tuple(note for _, note in inputs), outputs)
        keys = [home.keychain.key(note.note.owner) for home, note in inputs]
        self.ledger.submit([sign(DOMAIN, tx, *keys)])[0].require()
        self.follow()
        return True

    def deposit(self, home: HomeOf, note: IssuedNote, window: int) -> None:
        n = note.note
        to = home.keychain.fresh(Purpose.DEPOSIT, window)
        tx = Transact((note,), (Note(n.kind, to, n.quantity, n.start, n.end),))
        self.ledger.submit([sign(DOMAIN, tx, home.keychain.key(n.owner))])[0].require()
        self.follow()

    def join(self, home: HomeOf, notes: list[IssuedNote], window: int) -> None:
        """Spend notes of one class together into one deposit: what links them."""
        n = notes[0].note
        to = home.keychain.fresh(Purpose.DEPOSIT, window)
        tx = Transact(tuple(notes), (Note(n.kind, to, sum(i.note.quantity for i in notes), n.start, n.end),))
        keys = [home.keychain.key(i.note.owner) for i in notes]
        self.ledger.submit([sign(DOMAIN, tx, *keys)])[0].require()
        self.follow()

    def order(self, home: HomeOf, side: Side, energy: IssuedNote, money: tuple[IssuedNote, ...], window: int) -> Order:
        return Order(
            side=side,
            energy=energy,
            money=money,
            limit_nano_per_wh=150_000,
            deliver_to=home.keychain.fresh(Purpose.DEPOSIT, window),
            pay_to=home.keychain.fresh(Purpose.DEPOSIT, window),
            expires_s=GRID.start_s(window),
            least_w=energy.note.quantity,
        )

    def trade(self, seller: HomeOf, buyer: HomeOf, window: int) -> bool:
        epa, eca, fa = (
            home.account.notes(Purpose.MIXED, window, kind)
            for home, kind in ((seller, Kind.EPA), (buyer, Kind.ECA), (buyer, Kind.FA))
        )
        if seller is buyer or not (epa and eca and fa):
            return False
        orders = [
            (seller, self.order(seller, Side.SELL, epa[0], (), window)),
            (buyer, self.order(buyer, Side.BUY, eca[0], (fa[0],), window)),
        ]
        sell, buy = (sign_order(DOMAIN, o, *(home.keychain.key(a) for a in o.owners)) for home, o in orders)
        receipt = self.ledger.submit([Signed(Settle((Fill(sell, buy, 3600, 150_000),)), ())])[0]
        for refusal in receipt.fills:
            assert refusal is None, refusal
        receipt.require()
        self.follow()
        return True

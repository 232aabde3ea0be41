"""An in-process chain, ledgers on it, and a small world of actors.

With PETRA_TEST_RPC=URL in the environment the chain is the node at that URL instead, so that the same tests hold any
network against the specification; docs/chain.md says which tests need a chain whose time can be set.
"""

import os
import secrets

import pytest

from assets.intervals import IntervalGrid
from assets.keys import ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import Kind, Note, issued
from assets.orders import Fill, Order, Side, sign_order
from assets.transactions import (
    Authorisation,
    FeederCapacity,
    PriceChange,
    Regulate,
    Transact,
    Withdraw,
    digest,
    sign,
)
from contracts import nodes
from contracts.ledger import EvmLedger
from contracts.relayer import RELAYER_KEY

RPC = os.environ.get("PETRA_TEST_RPC")
GENESIS_S = 4_102_444_800 if RPC else 1_700_000_000  # on a network of its own time: in the year 2100, so never past
METER, OTHER_METER, BANNED_METER = 1, 2, 3
FEEDER = 0

_keys = ThrowAwayKeys(11, "contracts")


class World:
    """A ledger with a DSO, three meters on one feeder (one of them banned), and a few owners."""

    METER, OTHER_METER, BANNED_METER, FEEDER = METER, OTHER_METER, BANNED_METER, FEEDER
    GENESIS_S = GENESIS_S
    dso = _keys.fresh()
    meters = {m: _keys.fresh() for m in (METER, OTHER_METER, BANNED_METER)}  # noqa: RUF012
    alice, bob, carol = _keys.fresh(), _keys.fresh(), _keys.fresh()
    grid = IntervalGrid(GENESIS_S, 3600)

    def __init__(self, ledger):
        self.ledger = ledger
        grants = [Authorisation(m, key.address, FEEDER, 5000, 6000, 10**9) for m, key in self.meters.items()]
        self.submit(
            self.signed_by_dso(
                Regulate(
                    0,
                    feeders=(FeederCapacity(FEEDER, 7000, 9000),),
                    authorise=tuple(grants),
                    ban=(BANNED_METER,),
                    prices=(PriceChange(GENESIS_S, 240_000, 90_000),),
                )
            )
        ).require()

    @property
    def domain(self):
        return self.ledger.domain

    def submit(self, signed):
        return self.ledger.submit([signed])[0]

    def signed_by_dso(self, tx):
        return sign(self.domain, tx, self.dso)

    def regulate(self, **fields):
        return self.signed_by_dso(Regulate(self.ledger.regulation_nonce(), **fields))

    def withdraw(self, *outputs, meter=METER, nonce=None):
        nonce = self.ledger.meter_nonce(meter) if nonce is None else nonce
        return sign(self.domain, Withdraw(meter, nonce, 0, outputs), self.meters.get(meter, self.alice))

    def issue(self, *outputs, meter=METER):
        """Withdraw the notes and return them as they stand on the ledger."""
        signed = self.withdraw(*outputs, meter=meter)
        self.submit(signed).require()
        return issued(outputs, digest(self.domain, signed.tx))

    def transact(self, inputs, outputs, *keys):
        return sign(self.domain, Transact(tuple(inputs), tuple(outputs)), *keys)

    def epa(self, power_w=1000, start=0, end=0, owner=None):
        return Note(Kind.EPA, (owner or self.alice).address, power_w, start, end)

    def eca(self, power_w=1000, start=0, end=0, owner=None):
        return Note(Kind.ECA, (owner or self.alice).address, power_w, start, end)

    def fa(self, amount_nano=1000, owner=None):
        return Note(Kind.FA, (owner or self.alice).address, amount_nano, 0, 0)

    def order(self, side, energy, money=(), limit=1, key=None, **changes):
        """An order of the owners of the notes; Alice's by default."""
        note = energy.note
        fields = {
            "deliver_to": self.carol.address,
            "pay_to": self.carol.address,
            "expires_s": self.GENESIS_S + 10**6,
            "least_w": note.quantity,
            **changes,
        }
        order = Order(side, energy, tuple(money), limit, **fields)
        by_address = {k.address: k for k in (self.alice, self.bob, self.carol)}
        keys = [key] if key else [by_address[owner] for owner in order.owners]
        return sign_order(self.domain, order, *keys)

    def market(self, power_w=1000, amount_nano=5000):
        """A seller's EPA note of Alice's, and Bob's ECA and FA notes."""
        (energy,) = self.issue(self.epa(power_w, 2, 3))
        demand, money = self.issue(
            self.eca(power_w, 2, 3, owner=self.bob), self.fa(amount_nano, owner=self.bob), meter=self.OTHER_METER
        )
        return energy, demand, money

    def fill(self, notes, price=2, power_w=None, sell=None, buy=None):
        """The fill of a market's notes at a price; ``sell`` and ``buy`` change the orders."""
        energy, demand, money = notes
        return Fill(
            self.order(Side.SELL, energy, limit=1, **(sell or {})),
            self.order(Side.BUY, demand, (money,), **{"limit": 2, **(buy or {})}),
            energy.note.quantity if power_w is None else power_w,
            price,
        )


def open_chain():
    """A new chain in this process, or the node that is to be tested."""
    if RPC is None:
        return nodes.in_process(GENESIS_S - 1_000_000)
    # Where gas is free, an account that owns nothing relays; each worker has its own, so that no two share a nonce.
    os.environ.setdefault(RELAYER_KEY, secrets.token_hex(32))
    return nodes.connect(RPC)


@pytest.fixture(scope="session")
def chain():
    return open_chain()


@pytest.fixture
def evm(chain):
    return EvmLedger.deploy(chain, World.dso.address, World.grid)


@pytest.fixture(scope="session")
def make_world(chain):
    """Makes worlds, each on a ledger of its own."""
    return lambda: World(EvmLedger.deploy(chain, World.dso.address, World.grid))


@pytest.fixture
def world(evm):
    return World(evm)


@pytest.fixture(params=["spec", "evm"])
def either(request, evm):
    """The world on the specification, and the same on the contract."""
    if request.param == "evm":
        return World(evm)
    return World(SpecLedger(evm.domain, World.grid, World.dso.address, time_s=evm.now_s))

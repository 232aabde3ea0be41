"""A small community on a fresh ledger: two feeders, three meters, and signed transactions made short."""

from dataclasses import dataclass, field

import pytest

from assets.chainlog import Genesis
from assets.errors import Refusal
from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.ledger import LedgerState, SpecLedger
from assets.notes import IssuedNote, Note, issued
from assets.port import Receipt
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    Transact,
    Transaction,
    Withdraw,
    digest,
    sign,
)

DOMAIN = Domain(chain_id=1337, contract=Address(bytes(range(1, 21))))
GRID = IntervalGrid(genesis_s=1_600_000_000, interval_s=3600)


@dataclass
class Community:
    """A ledger, the keys of the DSO and of meters 1 to 3, and three homes' keys.

    Meters 1 and 2 are on feeder 7 (export 5 kW, import 6 kW), meter 3 on feeder 8 (export and import 2 kW). Every
    meter may issue 3 kW of EPA, 4 kW of ECA and 1000 nano-units of credit.
    """

    ledger: SpecLedger = field(init=False)
    dso: SigningKey = field(init=False)
    meters: dict[int, SigningKey] = field(init=False)
    homes: list[SigningKey] = field(init=False)

    def __post_init__(self) -> None:
        keys = ThrowAwayKeys(1, "community")
        self.dso = keys.fresh()
        self.meters = {meter: keys.fresh() for meter in (1, 2, 3)}
        self.homes = [keys.fresh() for _ in range(3)]
        self.ledger = SpecLedger(DOMAIN, GRID, self.dso.address)
        self.regulate(
            feeders=(FeederCapacity(7, 5000, 6000), FeederCapacity(8, 2000, 2000)),
            authorise=tuple(self.grant(meter) for meter in self.meters),
        ).require()

    @property
    def state(self) -> LedgerState:
        return self.ledger.state

    def grant(
        self,
        meter: int,
        feeder: int | None = None,
        max_epa_w: int = 3000,
        max_eca_w: int = 4000,
        credit_nano: int = 1000,
        key: Address | None = None,
    ) -> Authorisation:
        on = (8 if meter == 3 else 7) if feeder is None else feeder
        owner = self.meters[meter].address if key is None else key
        return Authorisation(meter, owner, on, max_epa_w, max_eca_w, credit_nano)

    def submit(self, signed: Signed[Transaction]) -> Receipt:
        return self.ledger.submit([signed])[0]

    def regulate(
        self,
        feeders: tuple[FeederCapacity, ...] = (),
        authorise: tuple[Authorisation, ...] = (),
        ban: tuple[int, ...] = (),
        settle: tuple[Settlement, ...] = (),
        prices: tuple[PriceChange, ...] = (),
        nonce: int | None = None,
        key: SigningKey | None = None,
    ) -> Receipt:
        number = self.ledger.regulation_nonce() if nonce is None else nonce
        tx = Regulate(number, feeders, authorise, ban, settle, prices)
        return self.submit(sign(DOMAIN, tx, key or self.dso))

    def withdraw(
        self, meter: int, *outputs: Note, nonce: int | None = None, key: SigningKey | None = None
    ) -> tuple[Receipt, tuple[IssuedNote, ...]]:
        number = self.ledger.meter_nonce(meter) if nonce is None else nonce
        tx = Withdraw(meter, number, 0, outputs)
        receipt = self.submit(sign(DOMAIN, tx, key or self.meters[meter]))
        return receipt, issued(outputs, digest(DOMAIN, tx))

    def issue(self, meter: int, *outputs: Note) -> tuple[IssuedNote, ...]:
        receipt, notes = self.withdraw(meter, *outputs)
        receipt.require()
        return notes

    def transact(
        self, inputs: tuple[IssuedNote, ...], outputs: tuple[Note, ...], *keys: SigningKey
    ) -> tuple[Receipt, tuple[IssuedNote, ...]]:
        tx = Transact(inputs, outputs)
        return self.submit(sign(DOMAIN, tx, *keys)), issued(outputs, digest(DOMAIN, tx))


def refused(receipt: Receipt, expected: Refusal) -> None:
    """The verdict is exactly ``expected``, and its message says what to do."""
    assert receipt.refusal == expected
    assert not receipt.accepted
    message = str(receipt.refusal)
    assert message.startswith(type(expected).__name__ + "(")
    assert message.endswith(": " + type(expected).advice)
    assert len(type(expected).advice) > 10


@pytest.fixture
def community() -> Community:
    return Community()


@pytest.fixture(scope="session")
def new_community() -> type[Community]:
    """Makes a fresh community for each example of a property."""
    return Community


@pytest.fixture
def assert_refused():
    return refused


@pytest.fixture
def domain() -> Domain:
    return DOMAIN


@pytest.fixture
def genesis(community: Community) -> Genesis:
    return Genesis(DOMAIN, GRID, community.dso.address)

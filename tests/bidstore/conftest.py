"""A ledger with real, withdrawn notes, and traders who know the keys of their addresses."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import IssuedNote, Note, eca, epa, fa, issued
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    Regulate,
    Signed,
    Transact,
    Withdraw,
    digest,
    sign,
)
from bidstore.book import BidStore, TradeProposal
from bidstore.offer import Offer, Side, SignedOffer, sign_offer

DOMAIN = Domain(31, Address(bytes(19) + b"\x01"))
GRID = IntervalGrid(1_000_000, 900)
LIMIT_W = 10**9


@dataclass
class Market:
    """One meter that issues whatever notes a test asks for, one address each, and a bid store."""

    ledger: SpecLedger
    store: BidStore
    meter: SigningKey
    source: ThrowAwayKeys
    keys: dict[Address, SigningKey] = field(default_factory=dict)

    def address(self) -> Address:
        key = self.source.fresh()
        self.keys[key.address] = key
        return key.address

    def withdraw(self, *notes: Note) -> tuple[IssuedNote, ...]:
        signed = sign(self.ledger.domain, Withdraw(1, self.ledger.meter_nonce(1), 5, notes), self.meter)
        self.ledger.submit([signed])[0].require()
        return issued(notes, digest(self.ledger.domain, signed.tx))

    def sale(self, limit: int = 100_000, *, power_w: int = 400, start: int = 5, end: int = 5) -> Offer:
        (note,) = self.withdraw(epa(self.address(), power_w, start, end))
        return Offer(Side.SELL, note, (), limit, self.address(), self.address(), GRID.end_s(end))

    def purchase(
        self,
        limit: int = 200_000,
        *,
        power_w: int = 400,
        start: int = 5,
        end: int = 5,
        money_nano: tuple[int, ...] = (10**9,),
        owners: tuple[Address, ...] = (),
    ) -> Offer:
        owners = owners or tuple(self.address() for _ in range(1 + len(money_nano)))
        notes = (eca(owners[0], power_w, start, end), *(fa(o, m) for o, m in zip(owners[1:], money_nano, strict=True)))
        energy, *money = self.withdraw(*notes)
        return Offer(Side.BUY, energy, tuple(money), limit, self.address(), self.address(), GRID.end_s(end))

    def sign(self, offer: Offer, challenge: bytes | None = None) -> SignedOffer:
        challenge = self.store.challenge() if challenge is None else challenge
        return sign_offer(self.ledger.domain, offer, challenge, *(self.keys[o] for o in offer.owners))

    def post(self, *offers: Offer) -> list[bytes]:
        return [self.store.post(self.sign(offer)) for offer in offers]

    def approvals(self, proposal: TradeProposal) -> dict[Address, bytes]:
        message = digest(self.ledger.domain, proposal.transact)
        return {owner: self.keys[owner].sign(message) for owner in proposal.transact.owners}

    def complete(self, proposal: TradeProposal) -> Signed[Transact]:
        approvals = self.approvals(proposal)
        return self.store.complete(proposal, [approvals[o] for o in proposal.transact.owners])

    def spend(self, note: IssuedNote) -> None:
        """Move a note elsewhere, behind the bid store's back."""
        n = note.note
        moved = Transact((note,), (Note(n.kind, self.address(), n.quantity, n.start, n.end),))
        self.ledger.submit([sign(self.ledger.domain, moved, self.keys[n.owner])])[0].require()


def _open_market(domain: Domain = DOMAIN) -> Market:
    source = ThrowAwayKeys(1, "bidstore tests")
    dso, meter = source.fresh(), source.fresh()
    ledger = SpecLedger(domain, GRID, dso.address)
    grant = Authorisation(1, meter.address, 1, LIMIT_W, LIMIT_W, 2**63 - 1)
    regulation = Regulate(0, feeders=(FeederCapacity(1, LIMIT_W, LIMIT_W),), authorise=(grant,))
    ledger.submit([sign(domain, regulation, dso)])[0].require()
    return Market(ledger, BidStore(ledger), meter, source)


@pytest.fixture
def market() -> Market:
    return _open_market()


@pytest.fixture(scope="session")
def open_market() -> Callable[..., Market]:
    """For property tests, which need a new market for every example."""
    return _open_market

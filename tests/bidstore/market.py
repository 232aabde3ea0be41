"""Traders on a ledger with real, withdrawn notes, who know the keys of their addresses."""

from dataclasses import dataclass, field

from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.notes import IssuedNote, Note, eca, epa, fa, issued
from assets.orders import Order, Side, SignedOrder, sign_order
from assets.port import Ledger
from assets.transactions import (
    Authorisation,
    Cancel,
    FeederCapacity,
    Regulate,
    Transact,
    Withdraw,
    digest,
    sign,
)
from bidstore.book import BidStore
from bidstore.posting import Posting, sign_posting

LIMIT_W = 10**9


@dataclass
class Market:
    """One meter that issues whatever notes a test asks for, one address each, and a bid store."""

    ledger: Ledger
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

    def sale(self, limit: int = 100_000, *, power_w: int = 400, start: int = 5, end: int = 5) -> Order:
        (note,) = self.withdraw(epa(self.address(), power_w, start, end))
        return Order(Side.SELL, note, (), limit, self.address(), self.address(), self.ledger.grid.end_s(end), power_w)

    def purchase(
        self,
        limit: int = 200_000,
        *,
        power_w: int = 400,
        start: int = 5,
        end: int = 5,
        money_nano: tuple[int, ...] = (10**9,),
        owners: tuple[Address, ...] = (),
    ) -> Order:
        owners = owners or tuple(self.address() for _ in range(1 + len(money_nano)))
        notes = (eca(owners[0], power_w, start, end), *(fa(o, m) for o, m in zip(owners[1:], money_nano, strict=True)))
        energy, *money = self.withdraw(*notes)
        return Order(
            Side.BUY, energy, tuple(money), limit, self.address(), self.address(), self.ledger.grid.end_s(end), power_w
        )

    def signed(self, order: Order) -> SignedOrder:
        return sign_order(self.ledger.domain, order, *(self.keys[o] for o in order.owners))

    def sign(self, order: Order, challenge: bytes | None = None) -> Posting:
        challenge = self.store.challenge() if challenge is None else challenge
        return sign_posting(self.ledger.domain, self.signed(order), challenge, self.keys[order.energy.note.owner])

    def post(self, *orders: Order) -> list[bytes]:
        return [self.store.post(self.sign(order)) for order in orders]

    def cancel(self, order: Order) -> None:
        """Void an order on the ledger, behind the bid store's back."""
        owner = order.energy.note.owner
        cancellation = sign(self.ledger.domain, Cancel(owner, 1 << order.nonce), self.keys[owner])
        self.ledger.submit([cancellation])[0].require()

    def spend(self, note: IssuedNote) -> None:
        """Move a note elsewhere, behind the bid store's back."""
        n = note.note
        moved = Transact((note,), (Note(n.kind, self.address(), n.quantity, n.start, n.end),))
        self.ledger.submit([sign(self.ledger.domain, moved, self.keys[n.owner])])[0].require()


def found(ledger: Ledger, dso: SigningKey, source: ThrowAwayKeys) -> Market:
    """A market on a new ledger of ``dso``: one meter, without limits that matter."""
    meter = source.fresh()
    grant = Authorisation(1, meter.address, 1, LIMIT_W, LIMIT_W, 2**63 - 1)
    regulation = Regulate(0, feeders=(FeederCapacity(1, LIMIT_W, LIMIT_W),), authorise=(grant,))
    ledger.submit([sign(ledger.domain, regulation, dso)])[0].require()
    return Market(ledger, BidStore(ledger), meter, source)

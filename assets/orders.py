"""Signed orders and their settlement: how strangers trade without signing a transaction together.

An order promises one energy note for at least, or at most, a price. Its owners sign it once; then anybody may match it
and carry the match to the ledger, which checks every order's terms itself. So whoever matches can delay, never
redirect, re-price, replay or take. Source: DESIGN §7; the checks stand in :mod:`assets.ledger`.
"""

from dataclasses import dataclass
from enum import IntEnum

from assets.domain import Domain
from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import ZERO_ADDRESS, Address, Digest, SigningKey
from assets.notes import IssuedNote, Note, eca, epa, fa, owner_runs
from assets.units import energy_wh
from assets.words import address_word, word

MAX_MONEY = 16
"""Most FA notes of one order."""

MAX_FILLS = 64
"""Most fills of one settlement: bounds its gas."""


class Side(IntEnum):
    """Which way the energy goes; the numbers are those that are signed."""

    SELL = 1
    """Gives an EPA note; gets an ECA note and money."""
    BUY = 2
    """Gives an ECA note and money; gets an EPA note and change."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a wallet offers. Construction checks nothing; the ledger refuses what is wrong."""

    side: Side
    energy: IssuedNote
    """SELL: an EPA note. BUY: an ECA note."""
    money: tuple[IssuedNote, ...]
    """SELL: nothing. BUY: FA notes that cover the price."""
    limit_nano_per_wh: int
    """SELL: lowest price that is accepted. BUY: highest."""
    deliver_to: Address
    """SELL: gets the buyer's ECA note. BUY: gets the EPA note."""
    pay_to: Address
    """SELL: gets the proceeds. BUY: gets the change."""
    expires_s: int
    """Ledger time, Unix seconds, from which on the order is void."""
    least_w: int
    """Least power that may be traded; that of the note: all or nothing."""
    keep_at: Address = ZERO_ADDRESS
    """Gets what is left of the energy note when only a part is traded; zero where ``least_w`` allows no part."""
    nonce: int = 0
    """0 to 255: tells apart the orders of one owner, and names them when they are cancelled."""

    @property
    def notes(self) -> tuple[IssuedNote, ...]:
        """All notes that the order spends: the energy note, then the money."""
        return (self.energy, *self.money)

    @property
    def owners(self) -> tuple[Address, ...]:
        """Who has to sign, in order: one entry for each run of consecutive notes of the same owner."""
        return owner_runs(self.notes)


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with one 65-byte signature for each entry of its ``owners``."""

    order: Order
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """A matched pair of orders, how much of them trades, and at what price."""

    sell: SignedOrder
    buy: SignedOrder
    power_w: int
    price_nano_per_wh: int

    def energy_wh(self, interval_s: int) -> int:
        """Energy that changes hands, over all intervals of the notes, in watt-hours.

        Raises :class:`~assets.errors.FractionalEnergy` if an interval's energy is not whole.
        """
        note = self.sell.order.energy.note
        return energy_wh(self.power_w, interval_s) * (note.end - note.start + 1)

    def outputs(self, interval_s: int) -> tuple[Note, ...]:
        """The notes that the trade creates, in the ledger's order.

        EPA to the buyer, ECA and proceeds to the seller; then, where there are any: the buyer's change, what is left
        of the EPA note and of the ECA note.
        """
        sell, buy = self.sell.order, self.buy.order
        sold, bought = sell.energy.note, buy.energy.note
        proceeds_nano = self.price_nano_per_wh * self.energy_wh(interval_s)
        change_nano = sum(i.note.quantity for i in buy.money) - proceeds_nano
        notes = [
            epa(buy.deliver_to, self.power_w, sold.start, sold.end),
            eca(sell.deliver_to, self.power_w, bought.start, bought.end),
            fa(sell.pay_to, proceeds_nano),
        ]
        if change_nano:
            notes.append(fa(buy.pay_to, change_nano))
        if sold.quantity != self.power_w:
            notes.append(epa(sell.keep_at, sold.quantity - self.power_w, sold.start, sold.end))
        if bought.quantity != self.power_w:
            notes.append(eca(buy.keep_at, bought.quantity - self.power_w, bought.start, bought.end))
        return tuple(notes)


_ORDER_TYPE = keccak(
    b"Order(uint8 side,bytes32 energy,bytes32[] money,uint64 limitNanoPerWh,address deliverTo,address payTo,"
    b"uint64 expiresS,uint32 leastW,address keepAt,uint8 nonce)"
)
FILL = b"Fill(bytes32 sell,bytes32 buy,uint32 powerW,uint64 priceNanoPerWh)"
"""EIP-712 type of a fill; ``sell`` and ``buy`` are the digests of the orders."""
_FILL_TYPE = keccak(FILL)


def order_digest(domain: Domain, order: Order) -> Digest:
    """The EIP-712 digest of an order: what is signed, and what identifies it.

    Raises :class:`~assets.errors.EncodingError` for an order that no ledger can be asked about.
    """
    if (order.side is Side.SELL and order.money) or len(order.money) > MAX_MONEY:
        raise EncodingError(f"an order to sell names no money, one to buy at most {MAX_MONEY} notes of it")
    body = (
        _ORDER_TYPE
        + word(order.side, 8)
        + order.energy.id
        + keccak(b"".join(note.id for note in order.money))
        + word(order.limit_nano_per_wh, 64)
        + address_word(order.deliver_to)
        + address_word(order.pay_to)
        + word(order.expires_s, 64)
        + word(order.least_w, 32)
        + address_word(order.keep_at)
        + word(order.nonce, 8)
    )
    return domain.seal(keccak(body))


def sign_order(domain: Domain, order: Order, *keys: SigningKey) -> SignedOrder:
    """``order`` signed by ``keys`` in the order of its ``owners``; the ledger judges whether they are right."""
    message = order_digest(domain, order)
    return SignedOrder(order, tuple(key.sign(message) for key in keys))


def fill_hash(domain: Domain, fill: Fill) -> bytes:
    """``hashStruct`` of a fill; raises ``EncodingError`` unless its orders are one to sell and one to buy."""
    if (fill.sell.order.side, fill.buy.order.side) != (Side.SELL, Side.BUY):
        raise EncodingError("a fill has an order to sell and an order to buy, in this order")
    return keccak(
        _FILL_TYPE
        + order_digest(domain, fill.sell.order)
        + order_digest(domain, fill.buy.order)
        + word(fill.power_w, 32)
        + word(fill.price_nano_per_wh, 64)
    )

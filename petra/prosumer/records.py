"""What a wallet remembers of its orders, of its owner's instructions, and of what happened."""

from dataclasses import asdict, dataclass
from enum import Enum

from assets.keys import Address, Digest
from assets.notes import NoteId
from assets.orders import Order, Side
from petra.prosumer.vault import Value


class OrderFate(Enum):
    """What became of an order."""

    OPEN = "open"
    SETTLED = "settled"
    EXPIRED = "expired"
    """Its notes were free again at the end of its window."""
    REFUSED = "refused"
    """No bid store took it."""


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One order, from its posting on."""

    id: Digest
    window: int
    side: Side
    energy: NoteId
    power_w: int
    limit_nano_per_wh: int
    deliver_to: Address
    pay_to: Address
    expires_s: int
    posted_ms: int | None
    """Real time, Unix milliseconds; ``None`` for one that a restore found in the public book."""
    posted_s: int | None
    """Ledger time, Unix seconds."""
    fate: OrderFate = OrderFate.OPEN
    closed_ms: int | None = None
    """Real time at which the wallet saw its fate on the ledger."""
    closed_s: int | None = None
    """Ledger time of its fate."""
    price_nano_per_wh: int | None = None
    """What it was settled at."""
    reason: str | None = None

    @classmethod
    def of(
        cls, order_id: Digest, order: Order, window: int, posted_ms: int | None, posted_s: int | None
    ) -> "OrderRecord":
        """The record of an order that was just posted, or found."""
        return cls(
            order_id,
            window,
            order.side,
            order.energy.id,
            order.energy.note.quantity,
            order.limit_nano_per_wh,
            order.deliver_to,
            order.pay_to,
            order.expires_s,
            posted_ms,
            posted_s,
        )

    def to_value(self) -> Value:
        """As it is kept."""
        value = asdict(self)
        value |= {name: value[name].hex() for name in ("id", "energy", "deliver_to", "pay_to")}
        return value | {"side": int(self.side), "fate": self.fate.value}

    @classmethod
    def from_value(cls, value: Value) -> "OrderRecord":
        """The opposite of :meth:`to_value`."""
        fields = dict(value)
        fields |= {name: bytes.fromhex(str(value[name])) for name in ("id", "energy", "deliver_to", "pay_to")}  # type: ignore[misc]
        return cls(**(fields | {"side": Side(value["side"]), "fate": OrderFate(value["fate"])}))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the owner told the wallet to offer in one window, in place of its strategy."""

    number: int
    window: int
    side: Side
    notes: int
    """How many notes; 0: nothing is to be offered."""
    limit_nano_per_wh: int
    given_ms: int
    """Real time, Unix milliseconds."""
    outcome: str | None = None
    """What was done; ``None`` as long as it waits."""

    def to_value(self) -> Value:
        """As it is kept."""
        return asdict(self) | {"side": int(self.side)}

    @classmethod
    def from_value(cls, value: Value) -> "Instruction":
        """The opposite of :meth:`to_value`."""
        return cls(**(value | {"side": Side(value["side"])}))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    number: int
    kind: str
    real_ms: int
    """Real time, Unix milliseconds."""
    ledger_s: int | None
    """Ledger time, Unix seconds, if it was known."""
    facts: Value

"""What a wallet has decided for a window and must not decide twice: signed orders, and where each note goes back to.

A window's orders are one record, so that a process that dies leaves all of them or none; the next one posts the very
same. A note's deposit address is remembered, so that however often its deposit is made it is the same transaction.
"""

import json
from dataclasses import dataclass
from typing import Protocol

from assets.keys import Address
from assets.notes import NoteId
from assets.orders import SignedOrder
from petra.prosumer.vault import Value

PLAN, RETURN = "plan", "return"
"""Kinds of records."""


class Drawer(Protocol):
    """Durable records by kind and name."""

    def keep(self, kind: str, name: str, value: Value) -> None:
        """Keep a record in place of what was there; durable when it returns."""

    def kept(self, kind: str) -> list[tuple[str, Value]]:
        """All records of a kind."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One order that is to be posted."""

    signed: SignedOrder
    moment_s: int
    """Ledger time from which on it is posted."""
    instruction: int | None = None
    """Number of the owner's instruction that it follows; ``None``: the strategy's decision."""


class Plans:
    """The plans of the present windows, durable."""

    def __init__(self, drawer: Drawer) -> None:
        self._drawer = drawer
        self._plans = {int(name): _decoded(value) for name, value in drawer.kept(PLAN)}
        self._returns = {
            NoteId(bytes.fromhex(name)): Address(bytes.fromhex(str(value["to"]))) for name, value in drawer.kept(RETURN)
        }

    def of(self, window: int) -> tuple[Planned, ...] | None:
        """The orders planned for a window; ``None`` as long as nothing was decided."""
        return self._plans.get(window)

    def plan(self, window: int, orders: tuple[Planned, ...]) -> None:
        """Decide; durable when this returns."""
        self._drawer.keep(PLAN, str(window), _encoded(orders))
        self._plans[window] = orders

    def order_of(self, note: NoteId) -> SignedOrder | None:
        """The order that names a note of the home."""
        for orders in self._plans.values():
            for planned in orders:
                if any(n.id == note for n in planned.signed.order.notes):
                    return planned.signed
        return None

    def return_of(self, note: NoteId) -> Address | None:
        """Where a note goes back to, if that is decided."""
        return self._returns.get(note)

    def return_to(self, note: NoteId, to: Address) -> None:
        """Decide where a note goes back to; durable when this returns."""
        self._drawer.keep(RETURN, note.hex(), {"to": to.hex()})
        self._returns[note] = to

    def __repr__(self) -> str:
        return "Plans()"


def _encoded(orders: tuple[Planned, ...]) -> Value:
    from bidstore.service.wire import order_to_json

    rows = [[order_to_json(p.signed), p.moment_s, p.instruction] for p in orders]
    return {"orders": json.dumps(rows, separators=(",", ":"))}


def _decoded(value: Value) -> tuple[Planned, ...]:
    rows = json.loads(str(value["orders"]))
    if not rows:
        return ()
    from bidstore.service.wire import order_from_json

    return tuple(Planned(order_from_json(order), moment_s, instruction) for order, moment_s, instruction in rows)

"""Orders: one for each note that the home wants to trade."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

from assets.keys import Address
from assets.notes import IssuedNote, Kind, NoteId
from assets.orders import Order, Side, sign_order
from assets.transactions import Domain
from assets.units import energy_wh
from petra.prosumer.account import Account
from petra.prosumer.keychain import GapReached, Keychain, Purpose
from petra.prosumer.plans import Planned
from petra.prosumer.schedule import Schedule
from petra.strategy import Decision


class Holdings:
    """The mixed notes of a window that are in no order yet; no energy of other intervals, which anybody can send."""

    def __init__(self, account: Account, window: int, named: Iterable[NoteId]) -> None:
        taken = set(named)
        self.by_kind: dict[Kind, list[IssuedNote]] = {
            kind: [
                n
                for n in account.notes(Purpose.MIXED, window, kind)
                if n.id not in taken and (kind is Kind.FA or (n.note.start, n.note.end) == (window, window))
            ]
            for kind in Kind
        }

    @property
    def sellable(self) -> int:
        """How many notes can be sold."""
        return len(self.by_kind[Kind.EPA])

    @property
    def buyable(self) -> int:
        """How many notes can be bought and paid for."""
        return min(len(self.by_kind[Kind.ECA]), len(self.by_kind[Kind.FA]))


def drafts(
    decision: Decision, holdings: Holdings, expires_s: int, interval_s: int, fresh: Callable[[], Address]
) -> list[Order]:
    """The orders that carry out a decision, as far as notes are there; a buyer's limit is what its money can pay.

    ``fresh`` gives deposit addresses; when it has no more for now, there are no more orders.
    """
    selling = decision.side is Side.SELL
    energy = holdings.by_kind[Kind.EPA if selling else Kind.ECA]
    money = holdings.by_kind[Kind.FA]
    orders = []
    for i in range(min(decision.notes, holdings.sellable if selling else holdings.buyable)):
        limit = decision.limit_nano_per_wh
        if not selling:
            limit = min(limit, money[i].note.quantity // energy_wh(energy[i].note.quantity, interval_s))
        if limit < 1:
            continue
        try:
            deliver_to, pay_to = fresh(), fresh()
        except GapReached:
            break
        orders.append(
            Order(
                side=decision.side,
                energy=energy[i],
                money=() if selling else (money[i],),
                limit_nano_per_wh=limit,
                deliver_to=deliver_to,
                pay_to=pay_to,
                expires_s=expires_s,
                least_w=energy[i].note.quantity,
            )
        )
    return orders


def planned(
    orders: Sequence[Order],
    window: int,
    now_s: int,
    schedule: Schedule,
    domain: Domain,
    keychain: Keychain,
    rng: Random,
    instruction: int | None = None,
) -> tuple[Planned, ...]:
    """The orders signed, each for a random moment of what is left of the time."""
    return tuple(
        Planned(
            sign_order(domain, order, *(keychain.key(owner) for owner in order.owners)),
            schedule.order_moment_s(window, now_s, rng),
            instruction,
        )
        for order in orders
    )

"""What a wallet that has nothing but its phrase finds: notes from the ledger, pending offers from the public book.

The book of a class is read in whole, as anybody reads it: asking for one's own order would say whose it is.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from assets.orders import SignedOrder, order_digest
from assets.transactions import Domain
from bidstore.posting import NoteClass
from petra.prosumer.account import Account
from petra.prosumer.keychain import Keychain
from petra.prosumer.schedule import Schedule
from petra.prosumer.state import State

Book = Callable[[NoteClass], Awaitable[Sequence[SignedOrder]]]
"""Gives all open orders of a class."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of looking through the public book."""

    orders: int
    """Pending offers of the home."""
    read: int
    """Orders that were read to find them."""


def last_touched(schedule: Schedule, now_s: int) -> int:
    """The last window that a wallet lost at ``now_s`` may have begun to mix: none is, before its members are fixed."""
    t = schedule.next_window(now_s)
    return t if schedule.mix_s(t) < now_s else t - 1


def open_classes(account: Account, power_w: int, schedule: Schedule, now_s: int) -> list[NoteClass]:
    """The classes in which orders of any home may still be pending.

    They follow from the time and from what everybody withdraws, not from what this home has: the store learns nothing.
    """
    first = schedule.next_window(now_s)
    last = max([first, *account.windows])
    return [NoteClass(power_w, t, t) for t in range(first, last + 1)]


async def find_orders(
    classes: Sequence[NoteClass], book: Book, domain: Domain, account: Account, keychain: Keychain, state: State
) -> Found:
    """Read whole books, and remember the orders in them that spend notes of the home."""
    own = read = 0
    for note_class in classes:
        for signed in await book(note_class):
            read += 1
            order = signed.order
            held = account.holding(order.energy.id)
            if held is None or order.energy.note != held.note.note:
                continue
            for address in (order.deliver_to, order.pay_to):
                if (place := keychain.place_of(address)) is not None:
                    keychain.reserve(place)
            own += state.add_order(order_digest(domain, order), order, held.place.window, None, found=True)
    return Found(own, read)

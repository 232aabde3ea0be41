"""Returning what was not traded: every note on its own, to an address that only the home's meter knows."""

from collections.abc import Callable, Mapping
from random import Random

from assets.keys import Address, SigningKey
from assets.notes import IssuedNote, Kind, Note, NoteId
from assets.transactions import Domain, Signed, Transact, sign
from petra.prosumer.account import Account
from petra.prosumer.keychain import GapReached, Keychain, Purpose
from petra.prosumer.moments import Moments
from petra.prosumer.plans import Plans
from petra.prosumer.schedule import Schedule

SPENDABLE = (Purpose.WITHDRAWN, Purpose.MIXED)
"""Addresses whose notes the wallet can move."""


def owned_windows(account: Account) -> set[int]:
    """Windows of which notes are still the home's."""
    return {w for w in account.windows if any(account.notes(purpose, w) for purpose in SPENDABLE)}


def unmixed_windows(account: Account) -> set[int]:
    """Windows of which notes are still where the meter issued them."""
    return {w for w in account.windows if account.notes(Purpose.WITHDRAWN, w)}


def move(domain: Domain, note: IssuedNote, to: Address, key: SigningKey) -> Signed[Transact]:
    """A transfer of one whole note."""
    n = note.note
    return sign(domain, Transact((note,), (Note(n.kind, to, n.quantity, n.start, n.end),)), key)


def _urgency(issued: IssuedNote, window: int) -> tuple[int, int, int]:
    note = issued.note
    counts = (note.start, note.end) == (window, window)  # energy of other intervals anybody can send
    rank = 1 if note.kind == Kind.FA else 2 if counts else 0
    return rank, note.quantity, -window


class Depositing:
    """Which deposits are to be made now. The same note always gives the same transaction, whoever died meanwhile."""

    def __init__(
        self, domain: Domain, schedule: Schedule, account: Account, keychain: Keychain, plans: Plans, rng: Random
    ) -> None:
        self._domain, self._schedule, self._account = domain, schedule, account
        self._keychain, self._plans, self._rng = keychain, plans, rng
        self._moments: Moments[NoteId] = Moments()

    def due(self, window: int, now_s: int, late: Callable[[IssuedNote], None]) -> list[IssuedNote]:
        """The notes of a window whose moment has come; ask again as long as they are the home's.

        When the deadline is over the meter counts no energy for the window any more: ``late`` is told of such notes,
        and they stay. Money goes on the bill of the interval that starts next: it has no window of its own.
        """
        overdue = now_s >= self._schedule.overdue_s(window)
        found = []
        for purpose in SPENDABLE:
            for note in self._account.notes(purpose, window):
                if overdue and note.note.kind is not Kind.FA:
                    late(note)
                elif self._moment_s(note, window, now_s) <= now_s:
                    found.append(note)
        return found

    def turn(self, due: Mapping[IssuedNote, int]) -> IssuedNote | None:
        """Which of the notes of these windows goes now; the others' moments are chosen anew.

        Energy that counts goes before money, which counts later, too; the largest first: crumbs, of which anybody can
        send a home thousands, hold none of its own notes up; of equal ones that whose deadline comes first.
        """
        urgency = {note.id: _urgency(note, window) for note, window in due.items()}
        most = max(urgency.values(), default=None)
        first = [note for note, much in urgency.items() if much == most]
        goes = self._moments.turn(list(urgency), self._rng, first)
        return next((note for note in due if note.id == goes), None)

    def deposit(self, note: IssuedNote, window: int, now_s: int) -> Signed[Transact] | None:
        """The deposit of a note; ``None`` if there is no address for it at the moment: it waits.

        Anybody can send a home more notes than it has addresses.
        """
        to = self._address(note, window, now_s, now_s >= self._schedule.overdue_s(window))
        return None if to is None else move(self._domain, note, to, self._keychain.key(note.note.owner))

    def postpone(self, note: NoteId) -> None:
        """Choose another moment for a note: it did not go, or the ledger may never show it."""
        self._moments.drop(note)

    def postpone_missed(self, now_s: int) -> None:
        """Choose other moments for all that is due."""
        self._moments.postpone(now_s)

    def _moment_s(self, note: IssuedNote, window: int, now_s: int) -> int:
        return self._moments.of(note.id, lambda: self._schedule.deposit_moment_s(window, now_s, self._rng))

    def _address(self, note: IssuedNote, window: int, now_s: int, overdue: bool) -> Address | None:
        """Where a note goes. One that stood in an order goes where the order said: both were named together already."""
        known = self._plans.return_of(note.id)
        if known is not None and not (overdue and self._counts_no_more(known, now_s)):
            return known
        signed = self._plans.order_of(note.id)
        if signed is not None and not overdue:
            order = signed.order
            return order.deliver_to if note.id == order.energy.id else order.pay_to
        to = self._fresh(window, now_s, overdue)
        if to is not None:
            self._plans.return_to(note.id, to)
        return to

    def _fresh(self, window: int, now_s: int, overdue: bool) -> Address | None:
        """An address of the window, else of the next one: energy counts for its own interval at any of the meter's."""
        following = self._schedule.next_window(now_s)
        for at in (following,) if overdue else (window, following):
            try:
                return self._keychain.fresh(Purpose.DEPOSIT, at)
            except GapReached:
                continue
        return None

    def _counts_no_more(self, address: Address, now_s: int) -> bool:
        place = self._keychain.place_of(address)
        return place is None or now_s >= self._schedule.overdue_s(place.window)

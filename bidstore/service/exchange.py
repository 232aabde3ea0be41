"""Taking orders: what a replica does for whoever asks. It keeps nothing that the database does not have."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import select

from assets.codec import canonical
from assets.hashing import keccak
from assets.keys import Digest, recover_address
from assets.orders import SignedOrder
from assets.port import Ledger
from bidstore import errors
from bidstore.admission import check_ownership, check_terms, identify
from bidstore.posting import NoteClass, Posting
from bidstore.service import refusals
from bidstore.service.challenges import SECRET_BYTES, SealedChallenges
from bidstore.service.intake import Intake
from bidstore.service.limits import Limits
from bidstore.service.store import Offered, Rate, Standing, Status, Store
from bidstore.service.tables import ORDERS
from bidstore.service.view import LedgerView
from bidstore.service.wire import Cancellation, cancellation_digest, hex_of, order_from_bytes

ORDERS_AT_ONCE = 256
"""Most orders of one answer."""


class Exchange:
    """The bid store, as its clients see it."""

    def __init__(self, store: Store, ledger: Ledger, limits: Limits | None = None) -> None:
        self.store = store
        self.view = LedgerView(ledger)
        self.limits = limits or Limits()
        self._intake = Intake(store)
        self._challenges: SealedChallenges | None = None
        self._working = 0

    async def prepare(self) -> None:
        """Open the database. Raises ``ValueError`` if it holds the book of another ledger."""
        await self.store.prepare()
        secret = await self.store.meta("challenge secret", secrets.token_bytes(SECRET_BYTES))
        self._challenges = SealedChallenges(secret, self.limits.challenge_s)
        grid = self.view.grid
        ours = keccak(self.view.domain.separator + canonical([grid.genesis_s, grid.interval_s]))
        if await self.store.meta("ledger", ours) != ours:
            raise ValueError("the database holds the book of another ledger; give each ledger a database of its own")

    @property
    def challenges(self) -> SealedChallenges:
        """The challenges of all replicas."""
        if self._challenges is None:
            raise RuntimeError("prepare the exchange before it is asked")
        return self._challenges

    async def challenge(self) -> bytes:
        """A fresh challenge, 32 bytes, for one posting or cancellation."""
        return self.challenges.issue(await self.view.now_s())

    async def post(self, posting: Posting, replaces: Digest | None = None) -> Digest:
        """Take an order into the book, in place of the open order ``replaces`` if given; returns its id.

        Posting an open order again changes nothing. Raises an :class:`~bidstore.errors.OrderRefused`, or
        :class:`~bidstore.service.refusals.Busy`; nothing has changed then.
        """
        with self._room():
            order = posting.signed.order
            order_id = identify(posting.signed, self.view.domain)
            now_s = await self.view.ask(lambda ledger: self._verify(ledger, posting, order_id))
            lapses_s = min(order.expires_s, self.view.grid.end_s(order.energy.note.end))
            offered = Offered(order_id, posting.signed, lapses_s, posting.challenge, now_s, self._rate(now_s), replaces)
            await self._intake.add(offered)
            return order_id

    def _verify(self, ledger: Ledger, posting: Posting, order_id: Digest) -> int:
        """Raise what is wrong with a posting; gives ledger time. In one go, since every change of threads costs."""
        order, now_s = posting.signed.order, ledger.now_s
        check_terms(order, ledger)
        self.challenges.check(posting.challenge, now_s)
        start = order.energy.note.start
        if (closed_s := ledger.grid.start_s(start) - self.limits.gate_s) <= now_s:
            raise refusals.GateClosed(start, closed_s, now_s)
        check_ownership(posting, order_id, self.view.domain)
        self.view.follow(ledger)
        self.view.check_stands(order, ledger)
        return now_s

    async def cancel(self, cancellation: Cancellation) -> None:
        """Take an open order out of the book, if the owner of its energy note says so.

        Raises an :class:`~bidstore.errors.OrderRefused` or :class:`~bidstore.errors.OrderUnknown`.
        """
        with self._room():
            now_s = await self.view.now_s()
            self.challenges.check(cancellation.challenge, now_s)
            order = order_from_bytes(await self.store.body(cancellation.order_id)).order
            owner = order.energy.note.owner
            message = cancellation_digest(self.view.domain, cancellation.order_id, cancellation.challenge)
            if await asyncio.to_thread(recover_address, message, cancellation.signature) != owner:
                raise errors.ForeignSignature(owner)
            if self.view.grid.start_s(order.energy.note.start) - self.limits.gate_s <= now_s:
                raise refusals.NotCancellable("past gate closure")
            await self.store.cancel(
                cancellation.order_id, order.energy.id, cancellation.challenge, now_s, self._rate(now_s)
            )

    async def standing(self, order_id: Digest) -> Standing:
        """Where an order stands. Raises :class:`~bidstore.errors.OrderUnknown`."""
        return await self.store.standing(order_id)

    async def open_orders(self, note_class: NoteClass, after: bytes = b"") -> tuple[SignedOrder, ...]:
        """The first open orders of a class after an id, in the order of their ids, which says nothing of their arrival.

        Fewer than :data:`ORDERS_AT_ONCE` are the last.
        """
        query = select(ORDERS.c.body).where(
            ORDERS.c.status == Status.OPEN.value,
            ORDERS.c.power_w == note_class.power_w,
            ORDERS.c.start == note_class.start,
            ORDERS.c.end == note_class.end,
            ORDERS.c.id > after,
        )
        rows = await self.store.rows(query.order_by(ORDERS.c.id).limit(ORDERS_AT_ONCE))
        return tuple(order_from_bytes(bytes(row.body)) for row in rows)

    def describe(self) -> dict[str, object]:
        """The ledger that orders are signed for, and the limits that clients should keep to."""
        view, limits = self.view, self.limits
        return {
            "chain_id": view.domain.chain_id,
            "contract": hex_of(view.domain.contract),
            "genesis_s": view.grid.genesis_s,
            "interval_s": view.grid.interval_s,
            "gate_s": limits.gate_s,
            "body_bytes": limits.body_bytes,
            "requests_per_note": limits.requests_per_note,
            "note_window_s": limits.note_window_s,
        }

    def _rate(self, now_s: int) -> Rate:
        window_s = self.limits.note_window_s
        return Rate(self.limits.requests_per_note, now_s // window_s, window_s)

    @contextmanager
    def _room(self) -> Iterator[None]:
        if self._working >= self.limits.waiting:
            raise refusals.Busy
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1

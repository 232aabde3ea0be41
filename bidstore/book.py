"""The book of open orders on one ledger, in process.

It is trusted with nothing but promptness: it cannot alter, redirect or re-price an order beyond its limit, since the
ledger checks every order of a settlement itself. It forgets an order when it has lapsed.

    post -> OPEN -> clear -> MATCHED -> settle -> SETTLED on the ledger
              ^                 |          |
              +---- abandon ----+          +-- a refused fill: DROPPED with the reason whoever caused it,
              +----------------------------+   the other side returns to OPEN
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from assets.keys import Address, Digest
from assets.notes import NoteId
from assets.orders import Fill, Order, Side, SignedOrder, order_digest
from assets.port import Ledger, Receipt
from assets.transactions import Cancel, Settle, Signed
from bidstore import auction, errors, outcome
from bidstore.admission import check_ownership, check_stands, check_terms, identify
from bidstore.challenge import Challenges
from bidstore.posting import NoteClass, Posting, class_of
from contracts.settlements import batches


class Status(Enum):
    """Where an order stands."""

    OPEN = "open"
    """Waits for the next clearing of its class."""
    MATCHED = "matched"
    """Stands in a fill; its notes cannot be offered again."""
    SETTLED = "settled"
    """Traded: the ledger has it."""
    DROPPED = "dropped"
    """Left the book for the reason given; its notes may be offered again, those of them that are unspent."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the owner of an order is told."""

    status: Status
    reason: str | None = None
    """Why the order was dropped, or did not trade in the last clearing; a sentence without ids or addresses."""


_NEW = Standing(Status.OPEN)
_MATCHED = Standing(Status.MATCHED)
_SETTLED = Standing(Status.SETTLED)


@dataclass(slots=True)
class _Record:
    signed: SignedOrder
    standing: Standing


_Match = tuple[Digest, Digest]
"""Ids of the order to sell and of the order to buy."""


class BidStore:
    """Takes signed orders, clears them by auction, and carries the matches to the ledger."""

    def __init__(self, ledger: Ledger, challenges: Challenges | None = None) -> None:
        self._ledger = ledger
        self._challenges = Challenges() if challenges is None else challenges
        self._records: dict[Digest, _Record] = {}
        self._holder: dict[NoteId, Digest] = {}
        """Which open or matched order holds a note."""
        self._lapses: list[tuple[int, Digest]] = []
        """Heap of when each order lapses."""
        self._fills: dict[_Match, Fill] = {}
        """Matches that are neither settled nor given up."""
        self._cancelled: defaultdict[Address, int] = defaultdict(int)
        """By owner: the nonces that the ledger's cancellations void, a bit each."""
        self._next_seq = 0

    # --- Orders --------------------------------------------------------------------------------------------

    def challenge(self) -> bytes:
        """A fresh challenge, 32 bytes, to sign together with an order's digest; good for one posting."""
        return self._challenges.issue(self._ledger.now_s)

    def post(self, posting: Posting) -> Digest:
        """Take an order into the book; returns its id, which is its digest.

        Raises an :class:`~bidstore.errors.OrderRefused`; book and challenge are then as before.
        """
        now_s = self._forget_lapsed()
        order = posting.signed.order
        new_id = identify(posting.signed, self._ledger.domain)
        self._challenges.check(posting.challenge, now_s)
        check_terms(order, self._ledger)
        check_ownership(posting, new_id, self._ledger.domain)
        note_ids = [note.id for note in order.notes]
        for note_id in note_ids:
            if note_id in self._holder:
                raise errors.NoteOnOffer(note_id)
        self._follow_ledger()
        check_stands(order, self._ledger, self._cancelled)
        self._challenges.use(posting.challenge, now_s)
        self._records[new_id] = _Record(posting.signed, _NEW)
        self._holder.update(dict.fromkeys(note_ids, new_id))
        heapq.heappush(self._lapses, (self._lapses_s(order), new_id))
        return new_id

    def open_orders(self, note_class: NoteClass) -> tuple[SignedOrder, ...]:
        """The open orders of a class, in the order of their ids, which says nothing about when they arrived."""
        self._forget_lapsed()
        return tuple(self._records[i].signed for i in sorted(self._open()) if self._class_of(i) == note_class)

    def standing(self, order_id: Digest) -> Standing:
        """Where an order stands. Raises :class:`~bidstore.errors.OrderUnknown` for one that lapsed or never was."""
        self._forget_lapsed()
        if order_id not in self._records:
            raise errors.OrderUnknown
        return self._records[order_id].standing

    # --- Matching ------------------------------------------------------------------------------------------

    def clear(self, t: int, seed: bytes) -> list[Fill]:
        """Match the open orders whose delivery starts in interval ``t``, whole notes only: one auction per class.

        Call it at the gate closure of ``t``, with a seed that nobody knew while orders could still arrive. Orders that
        were cancelled, or with a note that was spent meanwhile, are dropped before the auction: they move no price.
        """
        self._forget_lapsed()
        self._follow_ledger()
        ids_by_class: defaultdict[NoteClass, list[Digest]] = defaultdict(list)
        for order_id in self._open():
            note_class = self._class_of(order_id)
            if note_class.start == t and self._still_stands(order_id):
                ids_by_class[note_class].append(order_id)
        return [fill for note_class in sorted(ids_by_class) for fill in self._auction(ids_by_class[note_class], seed)]

    def _auction(self, order_ids: Iterable[Digest], seed: bytes) -> list[Fill]:
        units: dict[Side, list[auction.Order]] = {Side.SELL: [], Side.BUY: []}
        for order_id in order_ids:
            order = self._records[order_id].signed.order
            units[order.side].append(auction.Order(order.limit_nano_per_wh, order.energy.note.owner, order_id))
        clearing = auction.clear(units[Side.SELL], units[Side.BUY], seed)
        for left in clearing.unmatched:
            self._records[Digest(left.order.reference)].standing = Standing(Status.OPEN, left.reason.value)
        price = clearing.price_nano_per_wh
        if price is None:
            return []
        return [self._match(Digest(ask.reference), Digest(bid.reference), price) for ask, bid in clearing.pairs]

    def _match(self, sell_id: Digest, buy_id: Digest, price: int) -> Fill:
        sell, buy = (self._records[i].signed for i in (sell_id, buy_id))
        fill = Fill(sell, buy, sell.order.energy.note.power_w, price)
        self._fills[sell_id, buy_id] = fill
        for order_id in (sell_id, buy_id):
            self._records[order_id].standing = _MATCHED
        return fill

    # --- Settling ------------------------------------------------------------------------------------------

    def settle(self, fills: Sequence[Fill]) -> list[Receipt]:
        """Carry ``fills`` of a clearing to the ledger, and take its verdicts into the book: a receipt per settlement.

        Orders of fills that settled leave the book. Of a refused fill, the order that the refusal blames is dropped
        with the reason, and the other returns to the book. Raises :class:`~bidstore.errors.FillUnknown`, and whatever
        the connection to the ledger raises; the fills whose fate is then open stay matched: call again, or
        :meth:`abandon` them. What the ledger has settled meanwhile, unnoticed, is not submitted again.
        """
        self._forget_lapsed()
        for fill in fills:
            self._require_matched(fill)
        self._follow_ledger()
        waiting = [fill for fill in fills if not self._settled_already(fill)]
        receipts = []
        for batch in batches(waiting):
            (receipt,) = self._ledger.submit([Signed(Settle(batch), ())])
            receipts.append(receipt)
            self._record(batch, receipt)
        return receipts

    def abandon(self, fills: Iterable[Fill]) -> None:
        """Give up fills that were not settled: their orders return to the book, if their notes are still unspent.

        Raises :class:`~bidstore.errors.FillUnknown`; nothing has changed then.
        """
        self._forget_lapsed()
        self._follow_ledger()
        matches = [self._require_matched(fill) for fill in fills]
        for match in matches:
            del self._fills[match]
            for order_id in match:
                self._reopen(order_id, outcome.GIVEN_UP)

    def _record(self, fills: Sequence[Fill], receipt: Receipt) -> None:
        self._follow_ledger()
        verdicts = receipt.fills or (receipt.refusal,) * len(fills)
        for fill, refusal in zip(fills, verdicts, strict=True):
            match = self._match_of(fill)
            self._fills.pop(match, None)
            for order_id in match:
                if self._is_settled(order_id):
                    continue
                if refusal is None:
                    self._leave(order_id, _SETTLED)
                elif (reason := outcome.blame(refusal, order_id)) is not None:
                    self._leave(order_id, Standing(Status.DROPPED, reason))
                else:
                    self._reopen(order_id, outcome.OTHER_SIDE)

    def _settled_already(self, fill: Fill) -> bool:
        """Whether the ledger has this very match; then it is forgotten here."""
        match = self._match_of(fill)
        if not all(self._is_settled(order_id) for order_id in match):
            return False
        del self._fills[match]
        return True

    def _is_settled(self, order_id: Digest) -> bool:
        record = self._records.get(order_id)
        return record is not None and record.standing.status is Status.SETTLED

    def _match_of(self, fill: Fill) -> _Match:
        sell_id, buy_id = (order_digest(self._ledger.domain, s.order) for s in (fill.sell, fill.buy))
        return sell_id, buy_id

    def _require_matched(self, fill: Fill) -> _Match:
        match = self._match_of(fill)
        if self._fills.get(match) != fill:
            raise errors.FillUnknown
        return match

    # --- Bookkeeping ---------------------------------------------------------------------------------------

    def _open(self) -> list[Digest]:
        return [i for i, record in self._records.items() if record.standing.status is Status.OPEN]

    def _class_of(self, order_id: Digest) -> NoteClass:
        return class_of(self._records[order_id].signed.order)

    def _lapses_s(self, order: Order) -> int:
        return min(order.expires_s, self._ledger.grid.end_s(order.energy.note.end))

    def _follow_ledger(self) -> None:
        for entry in self._ledger.entries(self._next_seq):
            tx = entry.signed.tx
            if isinstance(tx, Cancel):
                self._cancelled[tx.owner] |= tx.nonces
            elif isinstance(tx, Settle):  # whoever relayed it, and whether or not its receipt came back
                for fill in tx.fills:
                    for order_id in self._match_of(fill):
                        self._leave(order_id, _SETTLED)
            self._next_seq = entry.seq + 1

    def _still_stands(self, order_id: Digest) -> bool:
        """Whether an order is not cancelled and all its notes are unspent; if not, it is dropped."""
        try:
            check_stands(self._records[order_id].signed.order, self._ledger, self._cancelled)
        except errors.Cancelled:
            self._leave(order_id, Standing(Status.DROPPED, outcome.CANCELLED))
        except (errors.NoteGone, errors.NoteUnknown):
            self._leave(order_id, Standing(Status.DROPPED, outcome.SPENT))
        else:
            return True
        return False

    def _reopen(self, order_id: Digest, reason: str) -> None:
        record = self._records.get(order_id)
        if record is not None and record.standing.status is Status.MATCHED and self._still_stands(order_id):
            record.standing = Standing(Status.OPEN, reason)

    def _leave(self, order_id: Digest, standing: Standing) -> None:
        record = self._records.get(order_id)
        if record is not None:  # it may have lapsed while the ledger was asked
            record.standing = standing
            self._release(order_id, record)

    def _release(self, order_id: Digest, record: _Record) -> None:
        for note in record.signed.order.notes:
            if self._holder.get(note.id) == order_id:
                del self._holder[note.id]

    def _forget_lapsed(self) -> int:
        """Forget the orders, and their fills, that lapsed by now; returns ledger time."""
        now_s = self._ledger.now_s
        gone = set()
        while self._lapses and self._lapses[0][0] <= now_s:
            _, order_id = heapq.heappop(self._lapses)
            if (record := self._records.pop(order_id, None)) is not None:  # an order that was posted twice lapses once
                self._release(order_id, record)
            gone.add(order_id)
        if gone:
            self._fills = {match: fill for match, fill in self._fills.items() if gone.isdisjoint(match)}
        return now_s

"""The book of open offers on one ledger, in process.

It is trusted with nothing but promptness: it cannot alter, redirect or re-price an offer beyond its limit, since the
wallets check and sign the joint transaction themselves. It forgets an offer when it has lapsed.

    post -> OPEN -> clear -> MATCHED -> complete -> the ledger
                      ^         |
                      +-- abandon: who signed returns to OPEN, who did not is DROPPED with the reason
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from assets.keys import Address, Digest, recover_address
from assets.notes import NoteId
from assets.port import Ledger
from assets.transactions import Signed, Transact, digest
from bidstore import auction, errors
from bidstore.admission import check_notes, check_ownership, check_terms, identify
from bidstore.challenge import Challenges
from bidstore.offer import NoteClass, Offer, Side, SignedOffer
from bidstore.trade import joint_transaction


@dataclass(frozen=True, slots=True)
class TradeProposal:
    """A matched pair and the joint transaction that its owners are asked to sign."""

    sell_id: Digest
    """Id of the seller's offer."""
    buy_id: Digest
    """Id of the buyer's offer."""
    sell: Offer
    buy: Offer
    price_nano_per_wh: int
    """The price of the auction, the same for all its pairs."""
    energy_wh: int
    """Energy that changes hands, over the whole span of the notes."""
    transact: Transact

    @property
    def amount_nano(self) -> int:
        """What the buyer pays."""
        return self.price_nano_per_wh * self.energy_wh


class Status(Enum):
    """Where an offer stands."""

    OPEN = "open"
    """Waits for the next clearing of its class."""
    MATCHED = "matched"
    """Stands in a proposal; its notes cannot be offered again."""
    DROPPED = "dropped"
    """Left the book for the reason given; its notes may be offered again, those of them that are unspent."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the owner of an offer is told."""

    status: Status
    reason: str | None = None
    """Why the offer was dropped, or did not match in the last clearing; a sentence without ids or addresses."""


_NEW = Standing(Status.OPEN)
_MATCHED = Standing(Status.MATCHED)
_SPENT = Standing(Status.DROPPED, "a note of the offer is no longer unspent on the ledger")
_SILENT = Standing(Status.DROPPED, "its owner did not sign the matched trade")
_LEFT = Standing(Status.OPEN, "the other side of the matched trade did not complete it")


@dataclass(slots=True)
class _Record:
    signed: SignedOffer
    standing: Standing


class BidStore:
    """Takes signed offers, clears them by auction, and assembles the trades that both sides signed."""

    def __init__(self, ledger: Ledger, challenges: Challenges | None = None) -> None:
        self._ledger = ledger
        self._challenges = Challenges() if challenges is None else challenges
        self._records: dict[Digest, _Record] = {}
        self._holder: dict[NoteId, Digest] = {}
        """Which open or matched offer holds a note."""
        self._lapses: list[tuple[int, Digest]] = []
        """Heap of when each offer lapses."""
        self._proposals: dict[tuple[Digest, Digest], TradeProposal] = {}

    # --- Offers --------------------------------------------------------------------------------------------

    def challenge(self) -> bytes:
        """A fresh challenge, 32 bytes, to sign together with an offer; good for one posting."""
        return self._challenges.issue(self._ledger.now_s)

    def post(self, signed: SignedOffer) -> Digest:
        """Take an offer into the book; returns its id.

        Raises an :class:`~bidstore.errors.OfferRefused`; book and challenge are then as before.
        """
        now_s = self._forget_lapsed()
        new_id = identify(signed, self._ledger.domain)
        self._challenges.check(signed.challenge, now_s)
        check_terms(signed.offer, self._ledger)
        check_ownership(signed, new_id)
        note_ids = [note.id for note in signed.offer.notes]
        for note_id in note_ids:
            if note_id in self._holder:
                raise errors.NoteOnOffer(note_id)
        check_notes(signed.offer, self._ledger)
        self._challenges.use(signed.challenge, now_s)
        self._records[new_id] = _Record(signed, _NEW)
        self._holder.update(dict.fromkeys(note_ids, new_id))
        heapq.heappush(self._lapses, (self._lapses_s(signed.offer), new_id))
        return new_id

    def open_offers(self, note_class: NoteClass) -> tuple[SignedOffer, ...]:
        """The open offers of a class, in the order of their ids, which says nothing about when they arrived."""
        self._forget_lapsed()
        return tuple(self._records[i].signed for i in sorted(self._open()) if self._class_of(i) == note_class)

    def standing(self, offer_id: Digest) -> Standing:
        """Where an offer stands. Raises :class:`~bidstore.errors.OfferUnknown` for one that lapsed or never was."""
        self._forget_lapsed()
        if offer_id not in self._records:
            raise errors.OfferUnknown
        return self._records[offer_id].standing

    # --- Matching ------------------------------------------------------------------------------------------

    def clear(self, t: int, seed: bytes) -> list[TradeProposal]:
        """Match the open offers whose delivery starts in interval ``t``: one auction per class.

        Call it at the gate closure of ``t``, with a seed that nobody knew while offers could still arrive. Offers with
        a note that was spent meanwhile are dropped before the auction, so that they move no price.
        """
        self._forget_lapsed()
        ids_by_class: defaultdict[NoteClass, list[Digest]] = defaultdict(list)
        for offer_id in self._open():
            note_class = self._class_of(offer_id)
            if note_class.start == t and self._still_unspent(offer_id):
                ids_by_class[note_class].append(offer_id)
        return [p for note_class in sorted(ids_by_class) for p in self._auction(ids_by_class[note_class], seed)]

    def _auction(self, offer_ids: Iterable[Digest], seed: bytes) -> list[TradeProposal]:
        orders: dict[Side, list[auction.Order]] = {Side.SELL: [], Side.BUY: []}
        for offer_id in offer_ids:
            offer = self._records[offer_id].signed.offer
            orders[offer.side].append(auction.Order(offer.limit_nano_per_wh, offer.energy.note.owner, offer_id))
        clearing = auction.clear(orders[Side.SELL], orders[Side.BUY], seed)
        for left in clearing.unmatched:
            self._records[Digest(left.order.reference)].standing = Standing(Status.OPEN, left.reason.value)
        price = clearing.price_nano_per_wh
        if price is None:
            return []
        return [self._propose(Digest(ask.reference), Digest(bid.reference), price) for ask, bid in clearing.pairs]

    def _propose(self, sell_id: Digest, buy_id: Digest, price: int) -> TradeProposal:
        sell, buy = (self._records[i].signed.offer for i in (sell_id, buy_id))
        interval_s = self._ledger.grid.interval_s
        transact = joint_transaction(sell, buy, price, interval_s)
        proposal = TradeProposal(sell_id, buy_id, sell, buy, price, sell.energy_wh(interval_s), transact)
        self._proposals[sell_id, buy_id] = proposal
        for offer_id in (sell_id, buy_id):
            self._records[offer_id].standing = _MATCHED
        return proposal

    # --- Completing ----------------------------------------------------------------------------------------

    def complete(self, proposal: TradeProposal, signatures: Sequence[bytes]) -> Signed[Transact]:
        """The joint transaction with its owners' signatures, in the order of its ``owners``, ready for the ledger.

        Raises a :class:`~bidstore.errors.TradeRefused`; nothing has changed then, and the proposal still stands.
        """
        self._require_standing(proposal)
        owners = proposal.transact.owners
        if len(signatures) != len(owners):
            raise errors.TradeSignatureCount(len(owners), len(signatures))
        message = digest(self._ledger.domain, proposal.transact)
        for owner, signature in zip(owners, signatures, strict=True):
            if recover_address(message, signature) != owner:
                raise errors.TradeNotSigned(owner)
        return Signed(proposal.transact, tuple(signatures))

    def abandon(self, proposal: TradeProposal, signatures: Mapping[Address, bytes]) -> None:
        """Give up a proposal that was not completed in time, or that the ledger refused.

        ``signatures`` are those that did arrive. An offer with a spent note, or with an owner who did not sign
        correctly, is dropped with the reason; the other one returns to the book. Raises
        :class:`~bidstore.errors.ProposalUnknown`.
        """
        self._require_standing(proposal)
        del self._proposals[proposal.sell_id, proposal.buy_id]
        message = digest(self._ledger.domain, proposal.transact)
        signed = {owner for owner, signature in signatures.items() if recover_address(message, signature) == owner}
        for offer_id, offer in ((proposal.sell_id, proposal.sell), (proposal.buy_id, proposal.buy)):
            if not self._still_unspent(offer_id):
                continue
            if signed.issuperset(offer.owners):
                self._records[offer_id].standing = _LEFT
            else:
                self._drop(offer_id, _SILENT)

    def _require_standing(self, proposal: TradeProposal) -> None:
        self._forget_lapsed()
        if self._proposals.get((proposal.sell_id, proposal.buy_id)) != proposal:
            raise errors.ProposalUnknown

    # --- Bookkeeping ---------------------------------------------------------------------------------------

    def _open(self) -> list[Digest]:
        return [i for i, record in self._records.items() if record.standing.status is Status.OPEN]

    def _class_of(self, offer_id: Digest) -> NoteClass:
        return self._records[offer_id].signed.offer.note_class

    def _lapses_s(self, offer: Offer) -> int:
        return min(offer.expires_s, self._ledger.grid.end_s(offer.note_class.end))

    def _still_unspent(self, offer_id: Digest) -> bool:
        """Whether all notes of an offer are unspent; if not, the offer is dropped."""
        try:
            check_notes(self._records[offer_id].signed.offer, self._ledger)
        except (errors.NoteGone, errors.NoteUnknown):
            self._drop(offer_id, _SPENT)
            return False
        return True

    def _drop(self, offer_id: Digest, standing: Standing) -> None:
        record = self._records[offer_id]
        record.standing = standing
        self._release(offer_id, record)

    def _release(self, offer_id: Digest, record: _Record) -> None:
        for note in record.signed.offer.notes:
            if self._holder.get(note.id) == offer_id:
                del self._holder[note.id]

    def _forget_lapsed(self) -> int:
        """Forget the offers, and their proposals, that lapsed by now; returns ledger time."""
        now_s = self._ledger.now_s
        gone = set()
        while self._lapses and self._lapses[0][0] <= now_s:
            _, offer_id = heapq.heappop(self._lapses)
            self._release(offer_id, self._records.pop(offer_id))
            gone.add(offer_id)
        if gone:
            self._proposals = {k: p for k, p in self._proposals.items() if gone.isdisjoint(k)}
        return now_s

"""Carrying what was taken to the ledger, batch by batch, until it is there for good."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice

from assets.errors import BadNonce, EncodingError, UnknownMeter, UnknownNote
from assets.keys import Digest
from assets.port import Ledger
from contracts.errors import RelayError
from petra.relay.mirror import Mirror
from petra.relay.queue import Item, Queue

log = logging.getLogger("petra.relay")

KEEP_S = 600
"""How long what is on the ledger is kept, real seconds, in case that the chain drops it."""

BATCH = 256
"""Transactions of one tick."""

TRIES = 5
"""How often a transaction is tried that may pass later, or whose relay transaction was undone as a whole."""

PERHAPS_LATER = (UnknownNote, BadNonce, UnknownMeter)
"""Refusals that a chain which dropped entries gives to what will pass once they are back."""


class Carrier:
    """Moves a queue to the ledger. Use :meth:`step` from one thread at a time."""

    def __init__(
        self,
        queue: Queue,
        mirror: Mirror,
        ledger: Ledger,
        count: Callable[[str, int], None] = lambda _, __: None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """``ledger`` is used by nobody else: it waits for blocks. ``count`` is told what became of how many."""
        self._queue, self._mirror, self._ledger, self._count, self._now_s = queue, mirror, ledger, count, now_s
        self._tried: Counter[Digest] = Counter()

    def step(self) -> int:
        """Carry what waits; how many were recorded.

        Raises what the connection to the ledger raises. Nothing is lost then: the next step goes on from the file.
        """
        due = list(islice(filter(self._may_pass, self._settled()), BATCH))
        if due:
            try:
                self._submit(due)
            finally:
                self._tried = Counter({d: n for d, n in self._tried.items() if self._queue.has(d)})
            self._settled()
        return sum(self._mirror.recorded(item.digest) for item in due)

    def _settled(self) -> list[Item]:
        """Compare the queue with the ledger; gives what is still to be carried, in the order of digests."""
        self._mirror.refresh()
        now_s, items = int(self._now_s()), self._queue.items()
        there = {item.digest for item in items if self._mirror.recorded(item.digest)}
        fresh = [i.digest for i in items if i.recorded_s is None and i.digest in there]
        lost = [i.digest for i in items if i.recorded_s is not None and i.digest not in there]
        old = [
            i.digest
            for i in items
            if i.recorded_s is not None and i.digest in there and not 0 <= now_s - i.recorded_s < KEEP_S
        ]
        self._queue.note_recorded(fresh, now_s)
        self._queue.note_recorded(lost, None)
        self._queue.drop(old)
        self._count("recorded", len(fresh))
        self._count("lost by the chain", len(lost))
        return [item for item in items if item.digest not in there]

    def _may_pass(self, item: Item) -> bool:
        """Whether the ledger would take it now; what it never will is dropped."""
        refusal = self._mirror.refusal(item.signed, item.digest)
        if refusal is None:
            return True
        if isinstance(refusal, PERHAPS_LATER):
            self._tried[item.digest] += 1
            if self._tried[item.digest] < TRIES:
                return False
        self._drop(item, type(refusal).__name__)
        return False

    def _submit(self, items: Sequence[Item]) -> None:
        try:
            receipts = self._ledger.submit([item.signed for item in items])
        except (RelayError, EncodingError) as failure:  # of the batch as a whole: one of them may spoil it for all
            if len(items) == 1:
                self._undone(items[0], failure)
                return
            for item in items:
                self._submit([item])
            return
        refused = [(i, r.refusal) for i, r in zip(items, receipts, strict=True) if r.refusal is not None]
        if refused:
            self._mirror.refresh()  # one that somebody else carried before us is refused, and recorded
        for item, refusal in refused:
            if not self._mirror.recorded(item.digest) and not isinstance(refusal, PERHAPS_LATER):
                self._drop(item, type(refusal).__name__)

    def _undone(self, item: Item, failure: Exception) -> None:
        self._tried[item.digest] += 1
        if self._tried[item.digest] >= TRIES:
            self._drop(item, type(failure).__name__)

    def _drop(self, item: Item, why: str) -> None:
        log.info("a transaction that was taken is refused by the ledger: %s", why)
        self._count("refused", 1)
        self._queue.drop([item.digest])

"""The ledger's state as its rules see it, folded from its entries: what the ledger would say, without asking it."""

from threading import Lock, RLock

from assets.errors import Refusal
from assets.keys import Address, Digest
from assets.ledger import LedgerState, apply, check
from assets.port import Entry, Ledger
from assets.transactions import Cancel, Signed, outputs_of
from contracts.errors import NodeUnreachable, Reorganised
from petra.relay.refusals import AgainstTheRules
from petra.relay.wire import Carried

TURN_S = 5.0
"""How long to wait while somebody else reads the ledger, seconds: the node may hang."""


class Mirror:
    """A copy of the ledger's state that is brought up to date when told so. Safe to use from several threads."""

    def __init__(self, ledger: Ledger) -> None:
        """``ledger`` is used by nobody else."""
        self._ledger, self._reading, self._lock = ledger, Lock(), RLock()
        self.domain = ledger.domain
        self._forget()

    def _forget(self) -> None:
        ledger = self._ledger
        self._count = 0
        self._last: Digest | None = None
        self._recorded: set[Digest] = set()
        self._owners: set[Address] = set()
        self._state = LedgerState(ledger.domain, ledger.grid, ledger.founder, ledger.grid.genesis_s)

    def refresh(self) -> None:
        """Read the ledger on; all of it again if the chain dropped entries.

        Raises :class:`~contracts.errors.NodeError` or ``ConnectionError``; the copy is then what it was, or newer.
        """
        if not self._reading.acquire(timeout=TURN_S):
            raise NodeUnreachable("the ledger's node hangs; check that it runs")
        try:
            now_s = self._ledger.now_s
            try:
                entries = self._ledger.entries(self._count)
            except Reorganised:
                with self._lock:
                    self._forget()  # first of all: the ledger says so once, whether or not it answers next
                entries = self._ledger.entries(0)
            with self._lock:
                for entry in entries:
                    self._fold(entry)
                self._state.time_s = max(self._state.time_s, now_s)
        finally:
            self._reading.release()

    def _fold(self, entry: Entry) -> None:
        self._count += 1
        self._recorded.add(entry.digest)
        self._state.time_s = max(self._state.time_s, entry.time_s)
        self._owners |= {note.owner for note in outputs_of(entry.signed.tx, self._state.grid.interval_s)}
        apply(self._state, entry.signed.tx, entry.digest)

    def recorded(self, digest: Digest) -> bool:
        """Whether a transaction is on the ledger, as far as it was read."""
        with self._lock:
            return digest in self._recorded

    def check(self, signed: Carried, digest: Digest) -> None:
        """Raise the :class:`~assets.errors.Refusal` that the ledger would give, or :class:`AgainstTheRules`."""
        with self._lock:
            if isinstance(signed.tx, Cancel) and signed.tx.owner not in self._owners:
                raise AgainstTheRules("no note was ever this owner's, so there is no order to cancel")
            check(self._state, Signed(signed.tx, signed.signatures), digest)

    def refusal(self, signed: Carried, digest: Digest) -> Refusal | AgainstTheRules | None:
        """What :meth:`check` raises; ``None`` if it passes."""
        try:
            self.check(signed, digest)
        except (Refusal, AgainstTheRules) as refusal:
            return refusal
        return None

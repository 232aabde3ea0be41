"""Who mixes with whom at the cut-off: the same for every wallet that has read the ledger up to it."""

from collections import defaultdict
from collections.abc import Iterable

from assets.notes import NoteId, issued
from assets.port import Entry
from assets.transactions import Domain, Withdraw, inputs_of
from mixer.session import MixSession
from petra.membership import MIN_PEERS, mix_sessions


class Members:
    """The withdrawals of the windows to come, and which of their notes were spent since.

    A note that its owner spent before the cut-off is in no session: the board would refuse all of it for that note.
    """

    def __init__(self) -> None:
        self._withdrawals: defaultdict[int, list[Entry]] = defaultdict(list)
        self._window_of: dict[NoteId, int] = {}
        self._spent_s: dict[NoteId, int] = {}
        self._first = 0

    def restart(self) -> None:
        """Forget everything that was followed: the chain took entries back."""
        self.__init__()  # type: ignore[misc]

    def follow(self, entries: Iterable[Entry]) -> None:
        """Take in the next entries of the ledger, in order."""
        for entry in entries:
            tx = entry.signed.tx
            if isinstance(tx, Withdraw) and tx.window >= self._first:
                self._withdrawals[tx.window].append(entry)
                self._window_of |= {n.id: tx.window for n in issued(tx.outputs, entry.digest)}
            if self._window_of:
                self._spent_s |= {n.id: entry.time_s for n in inputs_of(tx) if n.id in self._window_of}

    def forget_before(self, window: int) -> None:
        """Windows before this one are not asked for any more."""
        self._first = max(self._first, window)
        for old in [w for w in self._withdrawals if w < window]:
            del self._withdrawals[old]
        for note in [n for n, w in self._window_of.items() if w < window]:
            del self._window_of[note]
            self._spent_s.pop(note, None)

    def sessions(self, domain: Domain, window: int, until_s: int) -> list[MixSession]:
        """All sessions of ``window`` as of ledger time ``until_s`` (inclusive), in a fixed order."""
        entries = [e for e in self._withdrawals.get(window, ()) if e.time_s <= until_s]
        found = []
        for session in mix_sessions(domain, entries, window):
            standing = tuple(n for n in session.inputs if self._spent_s.get(n.id, until_s + 1) > until_s)
            if len(standing) == session.size:
                found.append(session)
            elif len(standing) >= MIN_PEERS:
                found.append(MixSession(domain, window, standing, session.anchor))
        return found

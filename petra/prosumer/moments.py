"""When each order is to be posted, and each note to go back: at a random moment of its own."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Moments(Generic[K]):
    """Ledger times by thing. What an outage made late gets another moment, or all of it would go out at once."""

    def __init__(self) -> None:
        self._at_s: dict[K, int] = {}
        self._postponed: set[K] = set()

    def of(self, thing: K, choose: Callable[[], int]) -> int:
        """The moment of ``thing``, chosen at the first question."""
        if thing not in self._at_s:
            self._at_s[thing] = choose()
        return self._at_s[thing]

    def change(self, thing: K, at_s: int) -> None:
        """Give ``thing`` another moment."""
        self._at_s[thing] = at_s

    def drop(self, thing: K) -> None:
        """Let the moment of ``thing`` be chosen anew."""
        self._at_s.pop(thing, None)

    def postpone(self, now_s: int) -> set[K]:
        """Drop the moments that passed unseen; of which things. Once for each: where every look comes late, it
        would never be done.
        """
        missed = {thing for thing, at_s in self._at_s.items() if at_s <= now_s} - self._postponed
        self._postponed |= missed
        for thing in missed:
            self.drop(thing)
        return missed

    def clear(self) -> None:
        """Forget all."""
        self._at_s, self._postponed = {}, set()

"""When each order is to be posted, and each note to go back: at a random moment of its own."""

from collections.abc import Callable, Hashable, Sequence
from random import Random
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Moments(Generic[K]):
    """Ledger times by thing. What is late goes one by one: what goes out together is known to be one home's."""

    def __init__(self) -> None:
        self._at_s: dict[K, int] = {}

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

    def turn(self, due: Sequence[K], rng: Random, first: Sequence[K] = ()) -> K | None:
        """Which of the things whose moment has come goes now: one, at random. The others' moments are chosen anew.

        ``first``: those of them that go before the others.
        """
        goes = rng.choice(first or due) if due else None
        for thing in due:
            if thing != goes:
                self.drop(thing)
        return goes

    def postpone(self, now_s: int) -> None:
        """Let all moments that have come be chosen anew."""
        self._at_s = {thing: at_s for thing, at_s in self._at_s.items() if at_s > now_s}

    def clear(self) -> None:
        """Forget all."""
        self._at_s = {}

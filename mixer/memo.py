"""Spares members that share a process each other's work on public data, where somebody asks for it.

Every member checks every signature itself. Where a simulation plays all members in one process, the same check of the
same bytes is made again and again on one processor, while real homes make it side by side, each on its own. Inside
:func:`shared_work` such a result is computed once and used by all. Outside of it nothing is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

KEPT = 4096
"""Results kept of each function."""

_sharing = 0
_caches: list[Callable[[], None]] = []


@contextmanager
def shared_work() -> Iterator[None]:
    """Meanwhile, the members of this process share what each would find in the same public data."""
    global _sharing  # noqa: PLW0603 - one count for the process, as its caches are the process's
    _sharing += 1
    try:
        yield
    finally:
        _sharing -= 1
        if not _sharing:
            for clear in _caches:
                clear()


def public(function: Callable[P, T]) -> Callable[P, T]:
    """Mark a pure function of public, hashable data, whose result nobody changes. It is never one of a secret."""
    kept = lru_cache(maxsize=KEPT)(function)
    _caches.append(kept.cache_clear)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return kept(*args, **kwargs) if _sharing else function(*args, **kwargs)  # type: ignore[arg-type] # lru_cache forgets types

    return call

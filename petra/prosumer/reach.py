"""How a wallet reaches board, bid stores and relays: every client an identity of its own, which nothing else shares.

There are two ways and no third: through Tor, where each client has circuits of its own, or directly, which is NOT
ANONYMOUS. Neither ever stands in for the other.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    import httpx2

    from petra.onion.proxy import TorProxy

TIMEOUT_S = 60
"""How long an answer may take: circuits of a busy network take their time."""

Answer = TypeVar("Answer")


class Unserved(Exception):
    """No replica of a service answered. What was asked of them may have been done; asking again does no harm."""


class Reach(Protocol):
    """A way to services that are not the home's own."""

    @property
    def anonymous(self) -> bool:
        """Whether services are kept from learning who asks."""

    def verify(self) -> None:
        """Raise :class:`~petra.onion.errors.NotTor` unless the way is what it is said to be."""

    def client(self) -> "httpx2.AsyncClient":
        """A client that nobody can tie to any other of this wallet. Close it when its one task is done."""


@dataclass(frozen=True, slots=True)
class DirectReach:
    """Plain HTTP. NOT ANONYMOUS: whoever answers sees this machine's address."""

    anonymous: bool = False

    def verify(self) -> None:
        """There is nothing to verify."""

    def client(self) -> "httpx2.AsyncClient":
        """Connections of its own; the address is the same."""
        from petra.onion.proxy import direct_client

        return direct_client(TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class TorReach:
    """Through the SOCKS port of a tor process, to onion services only."""

    proxy: "TorProxy"
    anonymous: bool = True

    def verify(self) -> None:
        """Ask the port whether it is Tor's."""
        self.proxy.verify()

    def client(self) -> "httpx2.AsyncClient":
        """Circuits of its own."""
        from petra.onion.proxy import Identity

        return self.proxy.client(Identity.fresh(), TIMEOUT_S)


def open_reach(transport: str, socks_port: int) -> Reach:
    """The way called ``transport``: ``tor`` or ``http``. Raises ``ValueError`` for any other."""
    if transport == "http":
        return DirectReach()
    if transport != "tor":
        raise ValueError(f"transport is tor or http, not {transport!r}; correct wallet.toml")
    from petra.onion.proxy import TorProxy

    return TorReach(TorProxy(socks_port))


async def first_that_answers(
    urls: Sequence[str],
    ask: Callable[[str], Awaitable[Answer]],
    failures: tuple[type[Exception], ...],
    rng: Random,
) -> Answer:
    """What the first of the replicas says that does not fail with one of ``failures``; tried in random order.

    Raises :class:`Unserved` if all of them do.
    """
    last: Exception | None = None
    for url in rng.sample(list(urls), len(urls)):
        try:
            return await ask(url)
        except failures as error:
            last = error
    raise Unserved("no replica answers" if urls else "no replica is configured") from last

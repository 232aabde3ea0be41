"""Getting signed transactions recorded: through relays, again and again until the ledger has them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from random import Random

from assets.keys import Digest
from assets.transactions import Domain, Signed, Transact, digest
from petra.prosumer.reach import Reach, first_that_answers
from petra.prosumer.troubles import Troubles

AGAIN_S = 12.0
"""Real seconds after which a transaction that the ledger does not show is handed in again."""


class Carrier:
    """Hands transactions to relays, each over an identity of its own. The ledger alone tells whether one counts."""

    def __init__(
        self,
        domain: Domain,
        relays: Sequence[str],
        reach: Reach,
        rng: Random,
        troubles: Troubles,
        clock: Callable[[], float] = time.monotonic,
        spread_s: float = 0.0,
    ) -> None:
        """``spread_s``: real seconds over which those are spread that nobody else hands in; see :meth:`carry`."""
        self._domain, self._relays, self._reach, self._rng, self._troubles = domain, tuple(relays), reach, rng, troubles
        self._handed: dict[Digest, float] = {}
        self._under_way: set[Digest] = set()
        self._clock, self._spread_s = clock, spread_s

    def wants(self, signed: Signed[Transact]) -> bool:
        """Whether it is time to hand a transaction in: nobody is doing it, and it was not done a moment ago."""
        message = digest(self._domain, signed.tx)
        return message not in self._under_way and self._clock() - self._handed.get(message, -AGAIN_S) >= AGAIN_S

    async def carry(self, signed: Signed[Transact], part: str | None = None) -> None:
        """Hand a transaction in, unless that was done a moment ago.

        Call it again as long as the ledger lacks it. It never raises: what goes wrong is told as a trouble of the
        relay, and a refusal as one of ``part``, or of nothing where others hand in the same.
        """
        if not self.wants(signed):
            return
        message = digest(self._domain, signed.tx)
        from petra.relay.client import RelayRefused, RelayUnreachable

        self._under_way.add(message)
        try:
            if part is not None:  # two that come at the same instant again and again would be of one home
                await asyncio.sleep(self._rng.uniform(0, self._spread_s))
            await first_that_answers(self._relays, lambda url: self._hand(url, signed), (RelayUnreachable,), self._rng)
        except RelayRefused as refusal:
            if part is not None:
                self._troubles.failed(part, refusal)
        except Exception as failure:  # of any library on the way; the transaction is handed in again
            self._troubles.failed("relay", failure)
        else:
            self._troubles.works("relay")
        finally:
            self._under_way.discard(message)
            self._handed[message] = self._clock()  # however slow the way is, one attempt at a time

    async def _hand(self, url: str, signed: Signed[Transact]) -> None:
        from petra.relay.client import RelayClient

        async with self._reach.client() as http:
            await RelayClient(url, http).submit(signed)

    def forget(self) -> None:
        """Drop what was handed in long ago."""
        now = self._clock()
        self._handed = {m: at for m, at in self._handed.items() if now - at < 10 * AGAIN_S}

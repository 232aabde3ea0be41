"""The bid store as a home has it: replicas of one service, each order handed in over an identity of its own."""

import asyncio
from collections.abc import Sequence
from random import Random

from assets.keys import Digest
from assets.orders import SignedOrder
from assets.transactions import Domain
from petra.prosumer.keychain import Keychain
from petra.prosumer.reach import Reach, first_that_answers


class Replicas:
    """Hands orders to replicas of one bid store."""

    def __init__(
        self,
        domain: Domain,
        bidstores: Sequence[str],
        reach: Reach,
        keychain: Keychain,
        rng: Random,
        spread_s: float = 0.5,
    ) -> None:
        """``spread_s``: real seconds over which orders are spread that are due at one look at the ledger."""
        self._domain, self._bidstores, self._reach = domain, tuple(bidstores), reach
        self._keychain, self._rng, self._spread_s = keychain, rng, spread_s

    async def post(self, signed: SignedOrder) -> Digest:
        """Post one order; the same order may be posted again, and is taken once.

        Raises :class:`bidstore.service.client.Refused`, or :class:`~petra.prosumer.reach.Unserved` if no replica
        answers: then nobody can tell whether one has taken it.
        """
        from bidstore.service.client import HttpClient, Refused, Unreachable, post

        key = self._keychain.key(signed.order.energy.note.owner)

        async def at(url: str) -> Digest:
            async with self._reach.client() as http:
                client = HttpClient(url, http)
                try:
                    return await post(client, self._domain, signed, key)
                except Refused as refusal:
                    if refusal.status >= 500:  # busy: another replica may not be
                        raise Unreachable from refusal
                    raise

        await asyncio.sleep(self._rng.uniform(0, self._spread_s))  # not in step with the looking at the ledger
        return await first_that_answers(self._bidstores, at, (Unreachable,), self._rng)

"""The bid store as a home has it: replicas of one service, each order handed in over an identity of its own."""

import asyncio
from collections.abc import Sequence
from random import Random

from assets.orders import SignedOrder
from assets.transactions import Domain
from petra.prosumer.keychain import Keychain
from petra.prosumer.reach import Reach, Unserved, first_that_answers

TRY_AGAIN = frozenset({"ChallengeUnknown", "RateLimited", "NoteGone", "Busy"})
"""Refusals of a bid store that may not be repeated: one that is behind the ledger does not know a note yet."""

TAKEN = frozenset({"OrderKnown"})
"""Refusals that say that the very same order was taken before."""


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

    async def post(self, signed: SignedOrder) -> None:
        """Post one order, until one replica has it; the same order may be posted again, and is taken once.

        Raises :class:`bidstore.service.client.Refused` if every replica refuses the order, for a reason in
        ``TRY_AGAIN`` if one of them gives such a reason: a replica that lies or is broken does not decide for the
        others. Raises :class:`~petra.prosumer.reach.Unserved` if one does not answer: it may have taken the order.
        """
        from bidstore.service.client import HttpClient, Refused, Unreachable, post

        key = self._keychain.key(signed.order.energy.note.owner)
        refusals: list[Refused] = []

        async def at(url: str) -> None:
            async with self._reach.client() as http:
                try:
                    await post(HttpClient(url, http), self._domain, signed, key)
                except Refused as refusal:
                    if refusal.reason in TAKEN:
                        return
                    if refusal.status < 500:  # others are busy, which is no answer
                        refusals.append(refusal)
                    raise

        await asyncio.sleep(self._rng.uniform(0, self._spread_s))  # not in step with the looking at the ledger
        try:
            await first_that_answers(self._bidstores, at, (Unreachable, Refused), self._rng)
        except Unserved:
            if len(refusals) < len(self._bidstores):
                raise
            raise next((r for r in refusals if r.reason in TRY_AGAIN), refusals[0]) from None

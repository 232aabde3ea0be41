"""Whether a simulation executes its cryptography, or counts it: keys, ledger and mix that belong together.

Counting is for communities so large that the real thing would take days on one machine, where in life every home has a
processor of its own. Ledger rules, markets, bills and files are the same; keys and signatures are those of
:mod:`assets.counted`, and a mix session takes its outcome without its messages (:mod:`petra.counted_mix`).
"""

from collections import Counter
from dataclasses import dataclass

from assets.counted import CountedDomain, CountedKeys, Counts
from assets.domain import Domain
from assets.keys import KeySource, ThrowAwayKeys

EXECUTED, COUNTED = "executed", "counted"
NAMES = (EXECUTED, COUNTED)

COUNTED_BANNER = (
    "CRYPTOGRAPHY COUNTED, NOT EXECUTED: no signature, key or mix message of this run was computed, and none proves "
    "anything. Nothing but the audit reads its ledger."
)
"""What everybody who sees such a run is told."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """How keys are made; ``counts`` is where their operations are counted, ``None`` if they are executed."""

    counts: Counts | None = None

    def keys(self, seed: int, label: str) -> KeySource:
        """Reproducible keys of a simulation, as :class:`assets.keys.ThrowAwayKeys`."""
        return ThrowAwayKeys(seed, label) if self.counts is None else CountedKeys(seed, label, self.counts)

    def domain(self, domain: Domain) -> Domain:
        """``domain``, or the same ledger with signatures that are counted."""
        return domain if self.counts is None else CountedDomain(domain.chain_id, domain.contract, self.counts)


def crypto_named(name: str) -> Crypto:
    """Fresh, with nothing counted yet. Raises ``ValueError`` for an unknown name."""
    if name not in NAMES:
        raise ValueError(f"--crypto is {EXECUTED} or {COUNTED}; not {name!r}")
    return Crypto(Counter() if name == COUNTED else None)

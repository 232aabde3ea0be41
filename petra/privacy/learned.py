"""Adversaries that learn: from other mixes whose truth they know, as anybody does who simulates PETra at home.

:class:`LearnedLinker` learns only how an output's public features relate to its owner's input, not who is who: what
it learns on one run holds for every other. :class:`Insider` knows more than anybody should: how often each home sold,
bought or did neither in the windows before.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assets.keys import Address
from assets.orders import Side
from petra.privacy.adversaries import Posterior
from petra.privacy.view import Mix, Output, View

Features = NDArray[np.float64]

STEPS = 300
RATE = 0.5
RIDGE = 1e-3


@dataclass(frozen=True)
class LearnedLinker:
    """Conditional logit over pairs of an output and an input (McFadden, 1974)."""

    weights: Features
    name: str = "learned linker"

    @classmethod
    def train(cls, view: View, truth: Mapping[Address, int], windows: frozenset[int]) -> "LearnedLinker":
        """Learn from the mixes of ``windows``."""
        lessons = []
        for mix in view.mixes:
            meters = [i.meter for i in view.honest_inputs(mix)]
            known = [(k, meters.index(truth[o.owner])) for k, o in enumerate(view.honest_outputs(mix))]
            if mix.window in windows and known:
                lessons.append((_features(view, mix), [right for _, right in known]))
        weights = np.zeros(len(FEATURES))
        count = sum(len(right) for _, right in lessons)
        for _ in range(STEPS if count else 0):
            slope = -RIDGE * weights
            for pairs, right in lessons:
                expected = np.einsum("oi,oif->f", _softmax(pairs @ weights), pairs)
                slope += (pairs[np.arange(len(right)), right].sum(axis=0) - expected) / count
            weights += RATE * slope
        return cls(weights)

    def guess(self, view: View) -> Posterior:
        """Probabilities by the learned weights."""
        found: Posterior = {}
        for mix in view.mixes:
            meters = [i.meter for i in view.honest_inputs(mix)]
            beliefs = _softmax(_features(view, mix) @ self.weights)
            for o, belief in zip(view.honest_outputs(mix), beliefs, strict=True):
                found[o.owner] = dict(zip(meters, map(float, belief), strict=True))
        return found


@dataclass(frozen=True)
class Insider:
    """Knows every home's past trades by kind of note, and nothing of the present."""

    past: Mapping[tuple[int, int, str], int]
    """How often a home's note of a kind ended in that way."""
    totals: Mapping[tuple[int, int], int]
    name: str = field(default="insider")

    @classmethod
    def train(cls, view: View, truth: Mapping[Address, int], windows: frozenset[int]) -> "Insider":
        """Learn from the mixes of ``windows``."""
        past: Counter[tuple[int, int, str]] = Counter()
        totals: Counter[tuple[int, int]] = Counter()
        for mix in view.mixes:
            if mix.window in windows:
                for o in mix.outputs:
                    past[truth[o.owner], mix.note_class[0], _fate(view, o)] += 1
                    totals[truth[o.owner], mix.note_class[0]] += 1
        return cls(past, totals)

    def guess(self, view: View) -> Posterior:
        """Weights by how often the home's notes ended like this one."""
        found: Posterior = {}
        for mix in view.mixes:
            kind = mix.note_class[0]
            for o in view.honest_outputs(mix):
                fate = _fate(view, o)
                found[o.owner] = {
                    i.meter: (self.past.get((i.meter, kind, fate), 0) + 1) / (self.totals.get((i.meter, kind), 0) + 3)
                    for i in view.honest_inputs(mix)
                }
        return found


def _fate(view: View, output: Output) -> str:
    spend = view.spends.get(output.owner)
    if spend is None or spend.order is None:
        return "kept"
    return "sold" if spend.order.side is Side.SELL else "bought"


def _softmax(scores: Features) -> Features:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


FEATURES = ("place", "same place", "time", "same time", "name", "same name", "amount", "nonce")
"""What the learned linker looks at, for a pair of an output and an input; distances are of ranks from 0 to 1."""


def _features(view: View, mix: Mix) -> Features:
    """Outputs × inputs × :data:`FEATURES`."""
    inputs, outputs = view.honest_inputs(mix), view.honest_outputs(mix)
    spends = [view.spends.get(o.owner) for o in outputs]
    place = _distances([o.place for o in outputs], list(range(len(inputs))))
    time = _distances([_NEVER if s is None else s.rank for s in spends], [i.seq for i in inputs])
    name = _distances([o.owner for o in outputs], [i.owner for i in inputs])
    same_name = np.array([[i.owner == o.owner for i in inputs] for o in outputs])
    amount = np.array([[i.quantity == o.quantity for i in inputs] for o in outputs])
    nonces = [0 if s is None or s.order is None else s.order.nonce for s in spends]
    nonce = np.array([[n > 0 and n in (i.nonce, i.meter) for i in inputs] for n in nonces])
    return np.stack([place, place < _SAME, time, time < _SAME, name, same_name, amount, nonce], axis=2).astype(float)


_NEVER = (1 << 62, 0)
_SAME = 1e-9


def _distances(outputs: Sequence[object], inputs: Sequence[object]) -> Features:
    """Distances between ranks, outputs × inputs."""
    return np.asarray(np.abs(_ranks(outputs)[:, None] - _ranks(inputs)[None, :]))


def _ranks(values: Sequence[object]) -> Features:
    """Places from 0 to 1."""
    places = np.zeros(len(values))
    for rank, index in enumerate(sorted(range(len(values)), key=lambda i: values[i])):  # type: ignore[arg-type, return-value]
        places[index] = rank / max(1, len(values) - 1)
    return places

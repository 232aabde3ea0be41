"""How often adversaries are right, in numbers that can be compared with guessing.

For an output with posterior p an adversary names a meter of the greatest weight; of several, one at random. Its rate
is the share of outputs for which that is right. Guessing is right with probability 1/(N−f), where N counts the meters
that the DSO authorised and f the corrupted homes. The effective set size is 2^H (Serjantov and Danezis, 2002) of the
adversary's belief, calibrated: its guess carries the probability with which its guesses are right, the other meters of
the mix share the rest. An adversary's own confidence would make a wrong one look dangerous, or a modest one harmless.

A leak may show a few notes only. So the same is measured over an adversary's *claims*: the outputs of which it does
not weigh all inputs alike.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

from assets.keys import Address
from petra.privacy.adversaries import Adversary, Posterior, Weights, standard
from petra.privacy.bounds import CONFIDENCE, lower_bound, upper_bound
from petra.privacy.learned import Insider, LearnedLinker
from petra.privacy.view import Mix, Record, View, by_window

CERTAINTY = 0.999
"""Confidence with which an adversary is said to link. Higher than that of the bounds, because so many are tried."""


@dataclass(frozen=True, slots=True)
class Row:
    """One adversary in one window, or in all."""

    adversary: str
    window: int | None
    """``None``: all windows together."""
    outputs: int
    set_size: float
    """Mean number of honest inputs of an output's mix."""
    rate: float
    """Share of outputs linked rightly, chance included."""
    lower: float
    """99 % one-sided."""
    upper: float
    """99 % one-sided: the maximum linkage probability that this measurement cannot exclude."""
    effective_set: float
    """2^H, with the rate as measured."""
    claims: int
    """Outputs of which the adversary says something."""
    claims_right: float
    """Share of its claims that are right, chance included."""
    guessing: float
    """1/(N−f)."""
    certain: float
    """The rate, or that of the claims, that is reached with confidence :data:`CERTAINTY`."""

    @property
    def links(self) -> bool:
        """Whether the adversary certainly is better than guessing, on all outputs or on those of its claims.

        Who took part is public: that a mix has fewer inputs than there are honest homes needs no statistics.
        """
        return self.certain > self.guessing or self.set_size < 1 / self.guessing - 1e-9

    def passes(self, gate: float) -> bool:
        """Whether even the upper bound is within ``gate`` times guessing, and no claims are certainly better."""
        return self.upper <= gate * self.guessing and not self.links


def measure(
    record: Record, corrupted: int = 0, seed: int = 0, adversaries: Iterable[Adversary] | None = None
) -> list[Row]:
    """Rows of all adversaries, each over all windows and then by window.

    The ones that learn do so on the first half of the windows, and are measured on the second. Raises ``ValueError``
    for a run without mixes.
    """
    view = record.view(corrupted, seed)
    mixes = by_window(view)
    if not mixes:
        raise ValueError("the run has no mixes to measure; simulate at least one interval with two homes")
    rows = []
    for adversary in standard() if adversaries is None else adversaries:
        rows += _rows(adversary, view, record.truth, mixes)
    if adversaries is None and len(mixes) > 1:
        windows = sorted(mixes)
        taught = frozenset(windows[: len(windows) // 2])
        rest = {t: mixes[t] for t in windows if t not in taught}
        rows += _rows(LearnedLinker.train(view, record.truth, taught), view, record.truth, rest)
        rows += _rows(Insider.train(view, record.truth, taught), view, record.truth, rest)
    return rows


def _rows(
    adversary: Adversary, view: View, truth: Mapping[Address, int], mixes: Mapping[int, Sequence[Mix]]
) -> list[Row]:
    posterior = adversary.guess(view)
    every = [mix for window in sorted(mixes) for mix in mixes[window]]
    rows = [_row(adversary.name, None, view, truth, every, posterior)]
    rows += [_row(adversary.name, t, view, truth, mixes[t], posterior) for t in sorted(mixes)]
    return rows


def _row(
    name: str,
    window: int | None,
    view: View,
    truth: Mapping[Address, int],
    mixes: Sequence[Mix],
    posterior: Posterior,
) -> Row:
    hits, outputs, size, claims, claims_hit = 0.0, 0, 0, 0, 0.0
    for mix in mixes:
        honest = len(view.honest_inputs(mix))
        for output in view.honest_outputs(mix):
            weights = posterior[output.owner]
            hit = chance_of_naming(weights, truth[output.owner])
            hits += hit
            outputs += 1
            size += honest
            if len(weights) < honest or max(weights.values()) > min(weights.values()):
                claims += 1
                claims_hit += hit
    guessing = 1 / (view.meters - len(view.corrupted))
    rate, mean_size = hits / max(1, outputs), size / max(1, outputs)
    return Row(
        adversary=name,
        window=window,
        outputs=outputs,
        set_size=mean_size,
        rate=rate,
        lower=lower_bound(hits, outputs, CONFIDENCE),
        upper=upper_bound(hits, outputs, CONFIDENCE),
        effective_set=effective_set(rate, mean_size),
        claims=claims,
        claims_right=claims_hit / max(1, claims),
        guessing=guessing,
        certain=max(lower_bound(hits, outputs, CERTAINTY), lower_bound(claims_hit, claims, CERTAINTY)),
    )


def chance_of_naming(weights: Weights, right: int) -> float:
    """Probability that a guess among the greatest weights is ``right``."""
    greatest = max(weights.values())
    best = [meter for meter, weight in weights.items() if weight >= greatest * (1 - 1e-12)]
    return (right in best) / len(best)


def effective_set(rate: float, size: float) -> float:
    """2^H of a belief that gives one of ``size`` meters probability ``rate``, and the others equal shares."""
    if size <= 1 or rate >= 1:
        return 1.0
    entropy = -rate * log2(rate) if rate > 0 else 0.0
    rest = 1 - rate
    return float(2 ** (entropy - rest * log2(rest / (size - 1))))

"""Replaying a shuffle with revealed keys: who made which onion, and where it went wrong.

Each onion of each hop is traced to the peer that made it. From the first hop to the last,

* a peer has to pass on everything that it got, one layer deeper, and add one onion; else it has changed the shuffle;
* an onion that cannot be opened, or holds the zero address, is its maker's fault, since all in between passed it on;
* of two onions with equal content the later one is a copy: sealed boxes are random and addresses fresh, and the earlier
  maker had posted its own before the later one wrote anything;
* a peer that goes on although it got such onions had to complain, and a complaint has to be true.

Peers are named by position. Without somebody's key, what that hop hides is judged neither way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from assets.keys import ZERO_ADDRESS
from mixer.faults import Reason
from mixer.onion import BoxKey, UnreadableOnion


class Finding(NamedTuple):
    """What one peer did."""

    position: int
    reason: Reason
    hop: int
    """Position of the peer at whose hop it shows."""


Makers = dict[bytes, int | None]
"""Who made each onion of a hop; ``None`` if that cannot be told."""


@dataclass
class _Opened:
    """What a peer got, after taking off its layer."""

    makers: Makers = field(default_factory=dict)
    wrong: list[tuple[int | None, Reason]] = field(default_factory=list)

    @property
    def complaint(self) -> Reason | None:
        """What the peer has to complain about: of several things the one that it notices first."""
        return min((reason for _, reason in self.wrong), default=None)


def replay(
    hops: Sequence[Sequence[bytes]],
    keys: Sequence[BoxKey | None],
    complaints: Mapping[int, Reason],
) -> list[Finding]:
    """Everybody who is to blame. ``hops[i]`` is what the peer at position ``i`` posted; ``keys`` are all peers'.

    ``complaints`` are the reasons given, by position: either that of the peer whose hop is the first without a message,
    or, after a complete shuffle, those of peers that miss their output.
    """
    findings: list[Finding] = []
    makers: Makers = {}
    for hop, key in enumerate(keys):
        if key is None:
            if hop == len(hops):
                return findings
            makers = dict.fromkeys(hops[hop])
            continue
        opened = _open(makers, key, last=hop == len(keys) - 1)
        findings += [Finding(maker, reason, hop) for maker, reason in opened.wrong if maker is not None]
        if hop == len(hops):
            if complaints[hop] != opened.complaint:
                findings.append(Finding(hop, Reason.FALSE_ACCUSATION, hop))
            return findings
        posted = hops[hop]
        if opened.wrong:
            findings.append(Finding(hop, Reason.WENT_ON, hop))
        elif not opened.makers.keys() <= set(posted):
            findings.append(Finding(hop, Reason.CHANGED_SHUFFLE, hop))
        makers = {onion: opened.makers.get(onion, hop) for onion in posted}
    if len(hops) == len(keys):
        findings += _false_complaints(makers, complaints)
    return findings


def _open(makers: Makers, key: BoxKey, *, last: bool) -> _Opened:
    opened = _Opened()
    for onion, maker in makers.items():
        try:
            content = key.peel(onion)
        except UnreadableOnion:
            opened.wrong.append((maker, Reason.UNREADABLE_ONION))
            continue
        if content in opened.makers:
            first = opened.makers[content]
            copier = None if maker is None or first is None else max(maker, first)
            opened.wrong.append((copier, Reason.DUPLICATE_INSIDE))
            if copier == first:
                opened.makers[content] = maker
            continue
        opened.makers[content] = maker
        if last and content == ZERO_ADDRESS:
            opened.wrong.append((maker, Reason.BAD_OUTPUT_INSIDE))
    return opened


def _false_complaints(makers: Makers, complaints: Mapping[int, Reason]) -> list[Finding]:
    """Who misses an output although one that it made is there."""
    if None in makers.values():
        return []
    last = len(makers) - 1
    return [Finding(peer, Reason.FALSE_ACCUSATION, last) for peer in complaints if peer in makers.values()]

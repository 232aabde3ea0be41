"""A meter as a member of its feeder's group: a protocol object without I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.commitments.feeder import (
    MIN_GROUP,
    MODULUS,
    NOBODY,
    Answer,
    Fault,
    FeederGroup,
    FeederRefusal,
    Member,
    Step,
    check_answer,
    check_group,
    group_digest,
    mask_key_digest,
    presence_digest,
    sign_answer,
)
from assets.keys import Digest, Signer
from assets.transactions import Domain
from smartmeter.feeder_load.masks import Masks, MaskSecret

MAX_READING_WH = 2**40
"""Readings lie between minus this and this: no group's sum wraps around 2**64."""

KEPT = 16
"""For how many of the latest intervals a meter still agrees and unmasks."""


@dataclass(frozen=True, slots=True)
class _Joined:
    group: FeederGroup
    digest: Digest
    masks: Masks


@dataclass(slots=True)
class _Interval:
    joined: _Joined
    masked: Answer
    present: tuple[int, ...] | None = None
    """Who the meter agreed is present."""
    unmasked: bool = False
    """Whether it saw a quorum agree to the same."""


class FeederMember:
    """One meter's part in the sums of its feeder.

    For every interval it gives one masked reading, to one group; agrees once who is present; and unmasks once, for
    those, when enough others agreed to the very same. Every method that raises leaves it as it was. It keeps nothing
    on disk: a meter that starts again answers from the next interval on, ``first``, and never for one that it may have
    answered for before.
    """

    def __init__(self, meter: int, key: Signer, secret: MaskSecret, domain: Domain, first: int) -> None:
        self._meter, self._key, self._secret, self._domain, self._first = meter, key, secret, domain, first
        self._joined: dict[Digest, _Joined] = {}
        self._intervals: dict[int, _Interval] = {}

    def announce(self) -> Member:
        """This meter's entry for a group."""
        digest = mask_key_digest(self._domain, self._meter, self._secret.public)
        return Member(self._meter, self._key.address, self._secret.public, self._key.sign(digest))

    def join(self, group: FeederGroup) -> Digest:
        """Take part in a group from its first interval on, in place of the group before; returns what names it.

        Raises :class:`~assets.commitments.feeder.FeederRefusal` for a group that is too small, badly made, without
        this meter and its own mask key, or that overlaps another one in an interval already answered for.
        """
        check_group(self._domain, group)
        if group.member(self._meter) != self.announce():
            raise FeederRefusal(self._meter, Fault.BAD_GROUP)
        digest = group_digest(self._domain, group)
        if any(t >= group.first and i.joined.digest != digest for t, i in self._intervals.items()):
            raise FeederRefusal(self._meter, Fault.OVERLAP)
        if any(j.group.first >= group.first and d != digest for d, j in self._joined.items()):
            raise FeederRefusal(self._meter, Fault.OVERLAP)
        self._joined.setdefault(digest, _Joined(group, digest, self._secret.masks_for(digest, group, self._meter)))
        return digest

    def mask(self, t: int, reading_wh: int) -> Answer:
        """The masked reading of interval ``t``, for the group that is in force there; the same again if asked again.

        Raises :class:`FeederRefusal` without a group or for an interval that is past, ``ValueError`` for a second
        reading that differs or one that no home has.
        """
        if not -MAX_READING_WH < reading_wh < MAX_READING_WH:
            raise ValueError("a reading lies between -2**40 and 2**40 Wh")
        joined = self._in_force(t)
        value = (reading_wh + joined.masks.all(t)) % MODULUS
        known = self._intervals.get(t)
        if known is not None:
            if known.masked.value != value:
                raise ValueError(f"interval {t} has a masked reading already; a reading is never changed")
            return known.masked
        if t < self._first or t < self._latest() - KEPT:
            raise FeederRefusal(self._meter, Fault.NOT_READY)
        answer = self._sign(Answer(joined.digest, t, self._meter, Step.MASKED, value, NOBODY))
        self._intervals[t] = _Interval(joined, answer)
        for past in [other for other in self._intervals if other < self._latest() - KEPT]:
            del self._intervals[past]
        return answer

    def agree(self, t: int, present: Sequence[int]) -> Answer:
        """Agree that ``present`` (sorted numbers) are those whose masked readings arrived.

        Raises :class:`FeederRefusal` unless this meter is among them, they are a quorum of the group, and it agreed to
        no others for this interval.
        """
        interval = self._interval(t)
        group, chosen = interval.joined.group, tuple(present)
        if list(chosen) != sorted(set(chosen)) or not set(chosen) <= set(group.meters):
            raise FeederRefusal(self._meter, Fault.BAD_GROUP)
        if self._meter not in chosen:
            raise FeederRefusal(self._meter, Fault.NOT_A_MEMBER)
        if len(chosen) < MIN_GROUP:
            raise FeederRefusal(self._meter, Fault.TOO_SMALL)
        if len(chosen) < group.quorum:
            raise FeederRefusal(self._meter, Fault.NO_QUORUM)
        if interval.present not in (None, chosen):
            raise FeederRefusal(self._meter, Fault.OTHER_PRESENCE)
        interval.present = chosen
        return self._sign(self._answer(interval, t, Step.AGREED, 0))

    def unmask(self, t: int, agreements: Sequence[Answer]) -> Answer:
        """The masks that do not cancel among those present, once a quorum agreed to the same as this meter.

        Raises :class:`FeederRefusal` for an agreement that is forged, foreign, repeated or to others present, and if
        they are too few.
        """
        interval = self._interval(t)
        if interval.present is None:
            raise FeederRefusal(self._meter, Fault.NOT_READY)
        group, present = interval.joined.group, interval.present
        expected = self._answer(interval, t, Step.AGREED, 0)
        agreed = set()
        for agreement in agreements:
            check_answer(self._domain, group, agreement)
            said = (agreement.group, agreement.t, agreement.step, agreement.value, agreement.present)
            right = (expected.group, t, Step.AGREED, 0, expected.present)
            if said != right or agreement.meter not in present:
                raise FeederRefusal(agreement.meter, Fault.OTHER_PRESENCE)
            agreed.add(agreement.meter)
        if len(agreed | {self._meter}) < group.quorum:
            raise FeederRefusal(self._meter, Fault.NO_QUORUM)
        absent = [meter for meter in group.meters if meter not in present]
        value = interval.joined.masks.own_and_shared(t, absent)
        interval.unmasked = True
        return self._sign(self._answer(interval, t, Step.UNMASKED, value))

    def stand_in(self, t: int, silent: int) -> Answer:
        """This meter's part of what ``silent`` should have unmasked, and did not.

        Harmless whether or not it is silent in earnest: a quorum agreed that it is present, so its own mask is due.
        Raises :class:`FeederRefusal` before this meter has unmasked, and for a meter that is not among those present.
        """
        interval = self._interval(t)
        if not interval.unmasked:
            raise FeederRefusal(self._meter, Fault.NOT_READY)
        if silent == self._meter or silent not in (interval.present or ()):
            raise FeederRefusal(silent, Fault.NOT_A_MEMBER)
        digest = interval.joined.digest
        value = interval.joined.masks.part_of(t, silent)
        stand_in = Answer(digest, t, self._meter, Step.STOOD_IN, value, presence_digest(digest, t, (silent,)))
        return self._sign(stand_in)

    def _in_force(self, t: int) -> _Joined:
        joined = [j for j in self._joined.values() if j.group.first <= t]
        if not joined:
            raise FeederRefusal(self._meter, Fault.NOT_A_MEMBER)
        return max(joined, key=lambda j: j.group.first)

    def _interval(self, t: int) -> _Interval:
        if t not in self._intervals:
            raise FeederRefusal(self._meter, Fault.NOT_READY)
        return self._intervals[t]

    def _latest(self) -> int:
        return max(self._intervals, default=0)

    def _answer(self, interval: _Interval, t: int, step: Step, value: int) -> Answer:
        present = presence_digest(interval.joined.digest, t, interval.present or ())
        return Answer(interval.joined.digest, t, self._meter, step, value, present)

    def _sign(self, answer: Answer) -> Answer:
        return sign_answer(self._domain, answer, self._key)

    def __repr__(self) -> str:
        return f"FeederMember(meter={self._meter}, groups={len(self._joined)})"

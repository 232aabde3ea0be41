"""The DSO's side of a feeder's load: it adds masked readings up and learns their sum, a protocol object without I/O."""

from dataclasses import dataclass, field

from assets.commitments.feeder import (
    NOBODY,
    Answer,
    Fault,
    FeederGroup,
    FeederRefusal,
    Step,
    check_answer,
    check_group,
    group_digest,
    presence_digest,
    to_signed,
)
from assets.keys import Digest
from assets.transactions import Domain


@dataclass(slots=True)
class _Interval:
    answers: dict[tuple[int, Step], Answer] = field(default_factory=dict)
    present: tuple[int, ...] | None = None


class FeederSum:
    """One group's sums, interval by interval.

    For each interval: :meth:`receive` masked readings until the deadline, :meth:`close` it and send the homes who is
    present, receive their agreements and send these on (:meth:`agreements`), receive what they unmask, read
    :meth:`load_wh`. Every method that raises leaves it as it was.
    """

    def __init__(self, domain: Domain, group: FeederGroup) -> None:
        """Raises :class:`~assets.commitments.feeder.FeederRefusal` for a group that no meter would join."""
        check_group(domain, group)
        self._domain, self.group = domain, group
        self.digest: Digest = group_digest(domain, group)
        self._intervals: dict[int, _Interval] = {}

    def receive(self, answer: Answer) -> None:
        """Keep a meter's message; the same message again changes nothing.

        Raises :class:`FeederRefusal` for one that is forged, of another group, contradicts an earlier one, or is out
        of turn: a masked reading that comes when the interval is closed does not count, and is not kept.
        """
        if answer.group != self.digest:
            raise FeederRefusal(answer.meter, Fault.NOT_A_MEMBER)
        check_answer(self._domain, self.group, answer)
        interval = self._intervals.get(answer.t, _Interval())
        known = interval.answers.get((answer.meter, answer.step))
        if known is not None:
            if known != answer:
                raise FeederRefusal(answer.meter, Fault.CONTRADICTION)
            return
        if answer.step is Step.STOOD_IN:
            stranded = self.stranded(answer.t)
            due = stranded is not None and answer.meter != stranded
            due = due and answer.present == presence_digest(self.digest, answer.t, (stranded or 0,))
        elif answer.step is Step.MASKED:
            due = interval.present is None and answer.t >= self.group.first and answer.present == NOBODY
        else:
            due = interval.present is not None and answer.meter in interval.present
            due = due and answer.present == presence_digest(self.digest, answer.t, interval.present or ())
        if not due:
            raise FeederRefusal(answer.meter, Fault.NOT_READY)
        interval.answers[answer.meter, answer.step] = answer
        self._intervals[answer.t] = interval

    def close(self, t: int) -> tuple[int, ...]:
        """Stop waiting for masked readings of interval ``t``: who is present, to be sent to them. Final.

        Raises :class:`FeederRefusal`, and keeps waiting, if they are no quorum.
        """
        interval = self._intervals.get(t, _Interval())
        if interval.present is None:
            present = tuple(sorted(meter for meter, step in interval.answers if step is Step.MASKED))
            if len(present) < self.group.quorum:
                raise FeederRefusal(self.silent(t)[0], Fault.NO_QUORUM)
            interval.present = present
        return interval.present

    def silent(self, t: int) -> tuple[int, ...]:
        """Members whose next message for interval ``t`` is missing."""
        interval = self._intervals.get(t, _Interval())
        if interval.present is None:
            return tuple(m for m in self.group.meters if (m, Step.MASKED) not in interval.answers)
        step = Step.AGREED if len(self.agreements(t)) < self.group.quorum else Step.UNMASKED
        return tuple(m for m in interval.present if (m, step) not in interval.answers)

    def stranded(self, t: int) -> int | None:
        """The one meter that is present and has not unmasked, if the others can stand in for it.

        They can if nobody is absent and nobody else has still to unmask: what two silent meters share, nobody knows.
        """
        interval = self._intervals.get(t, _Interval())
        if interval.present != self.group.meters or len(self.agreements(t)) < self.group.quorum:
            return None
        silent = self.silent(t)
        return silent[0] if len(silent) == 1 else None

    def agreements(self, t: int) -> tuple[Answer, ...]:
        """The agreements received so far; a quorum of them makes the meters unmask."""
        answers = self._intervals.get(t, _Interval()).answers
        return tuple(answer for (_, step), answer in sorted_items(answers) if step is Step.AGREED)

    def load_wh(self, t: int) -> int:
        """The sum of the present homes' readings of interval ``t``, in Wh (signed).

        Raises :class:`FeederRefusal` naming a meter whose message is missing.
        """
        interval = self._intervals.get(t, _Interval())
        unmasked = {m: a.value for (m, step), a in interval.answers.items() if step is Step.UNMASKED}
        missing = self.silent(t)
        stranded = self.stranded(t)
        if interval.present is not None and stranded is not None:
            parts = [interval.answers.get((m, Step.STOOD_IN)) for m in interval.present if m != stranded]
            missing = tuple(m for m in interval.present if m != stranded and (m, Step.STOOD_IN) not in interval.answers)
            unmasked[stranded] = sum(part.value for part in parts if part is not None)
        if interval.present is None or missing:
            raise FeederRefusal(missing[0] if missing else 0, Fault.NOT_READY)
        masked = sum(interval.answers[meter, Step.MASKED].value for meter in interval.present)
        return to_signed(masked - sum(unmasked[meter] for meter in interval.present))


def sorted_items(answers: dict[tuple[int, Step], Answer]) -> list[tuple[tuple[int, Step], Answer]]:
    """Answers by meter and step."""
    return sorted(answers.items(), key=lambda item: (item[0][0], item[0][1].value))

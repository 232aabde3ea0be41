"""The verdict on a run, from its log alone: what a third party computes that took no part."""

from collections.abc import Iterable
from dataclasses import dataclass

from assets.transactions import Signed, Transact
from mixer.dicemix.faults import Fault
from mixer.dicemix.message import Message
from mixer.dicemix.proceedings import Proceedings
from mixer.dicemix.protocol import PHASE_TIMEOUT_S
from mixer.dicemix.stages import Stage
from mixer.session import MixSession


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a board's log."""

    time_s: int
    """When the board took it, by the clock that all its readers go by."""
    data: bytes | Message


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a log proves."""

    stage: Stage
    """Where the log ends."""
    faults: tuple[Fault, ...]
    """One for each peer that the next run excludes."""
    signed: Signed[Transact] | None
    """The mix transaction, if it is complete."""

    @property
    def guilty(self) -> frozenset[int]:
        """Indices of the peers that the next run excludes."""
        return frozenset(fault.participant for fault in self.faults)


def judge(
    session: MixSession,
    log: Iterable[Entry],
    *,
    run: int = 0,
    started_s: int = 0,
    now_s: int,
    timeout_s: int = PHASE_TIMEOUT_S,
) -> Ruling:
    """The ruling on ``run`` of ``session``, which opened at ``started_s``, as its log stands at ``now_s``.

    A pure function: equal logs give equal rulings. The log's messages may be anything; what nobody signed accuses
    nobody. Raises ``ValueError`` if the log's times go back.
    """
    proceedings = Proceedings(session, run=run, timeout_s=timeout_s, now_s=started_s)
    for entry in log:
        proceedings.tick(entry.time_s)
        proceedings.read(entry.data)
    proceedings.tick(now_s)
    return Ruling(proceedings.stage, proceedings.faults, proceedings.signed)

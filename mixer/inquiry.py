"""The blame phase: complaints are collected, keys revealed, and the shuffle is replayed."""

from collections.abc import Iterable

from mixer.engine import Run
from mixer.envelope import Envelope
from mixer.faults import PeerFault, Reason, one_each
from mixer.onion import BoxKey
from mixer.payloads import BadPayload
from mixer.protocol import Phase, onion_bytes
from mixer.replay import Finding, replay
from mixer.transcript import Transcript


class Inquiry:
    """Begins with the first complaint of a run. What its peers do wrong is collected: the rest is heard first."""

    def __init__(
        self, run: Run, transcript: Transcript, box_keys: dict[int, bytes], instead_of: Phase, owing: Iterable[int]
    ) -> None:
        self._run, self._transcript, self._box_keys = run, transcript, box_keys
        self.instead_of = instead_of
        """The phase whose messages complaints replace."""
        self.view_before = transcript.view
        """The view under which complaints are made, before the first of them is taken into it."""
        self.complaints: dict[int, Reason] = {}
        self._keys: dict[int, BoxKey] = {}
        self._faults: list[PeerFault] = []
        self._owing = set(owing)

    @property
    def awaited(self) -> list[int]:
        """Who has still to reveal its key."""
        return [m for m in self._run.members if m not in self._keys and not self.has_convicted(m)]

    def has_convicted(self, member: int) -> bool:
        """Whether this peer's guilt has been found meanwhile: nothing more is expected of it."""
        return any(fault.participant == member for fault in self._faults)

    def owes(self, member: int) -> bool:
        """Whether the peer's message, or a complaint in its place, may still be on its way: it had not read of the
        first complaint."""
        return member in self._owing

    def heard(self, member: int) -> None:
        """The peer has said what it had to say before it read of the complaint."""
        self._owing.discard(member)

    def convict(self, fault: PeerFault) -> None:
        """Note a peer's fault."""
        self._faults.append(fault)

    def complain(self, member: int, reason: Reason) -> None:
        """Note a complaint."""
        self.complaints[member] = reason
        self.heard(member)

    def read_key(self, member: int, payload: bytes) -> BoxKey:
        """The revealed key; raises :class:`BadPayload` if it is not the one that the peer announced."""
        key = BoxKey(payload)
        if key.public != self._box_keys[member]:
            raise BadPayload(Reason.WRONG_KEY)
        return key

    def reveal(self, member: int, key: BoxKey) -> None:
        """Note a revealed key."""
        self._keys[member] = key
        self.heard(member)

    def verdict(self) -> tuple[PeerFault, ...]:
        """Whoever is to blame, from what has been revealed."""
        members = self._run.members
        keys = [self._keys.get(m) for m in members]
        complaints = {members.index(m): reason for m, reason in self.complaints.items()}
        findings = replay(self._hops(), keys, complaints)
        return one_each([*self._faults, *(self._fault(finding) for finding in findings)])

    def _hops(self) -> list[list[bytes]]:
        """The onions that each peer posted, up to the first that posted none."""
        hops = []
        for position in range(self._run.size):
            envelope = self._message_of_hop(position)
            if envelope is None:
                break
            size = onion_bytes(self._run.size, position)
            hops.append([envelope.payload[at : at + size] for at in range(0, len(envelope.payload), size)])
        return hops

    def _message_of_hop(self, position: int) -> Envelope | None:
        last = position == self._run.size - 1
        return self._transcript.get(Phase.BROADCAST if last else Phase.SHUFFLE, self._run.members[position])

    def _fault(self, finding: Finding) -> PeerFault:
        """With what shows it: every hop up to that where it shows, and the keys revealed for them."""
        members = self._run.members[: finding.hop + 1]
        spoken = [self._message_of_hop(position) for position in range(finding.hop + 1)]
        rest = [
            self._transcript.get(phase, m)
            for phase in (Phase.ANNOUNCEMENT, Phase.COMPLAINT, Phase.REVEAL)
            for m in (members if phase is not Phase.COMPLAINT else [self._run.members[finding.position]])
        ]
        evidence = tuple(envelope for envelope in (*spoken, *rest) if envelope is not None)
        return PeerFault(self._run.members[finding.position], Phase.SHUFFLE, finding.reason, evidence)

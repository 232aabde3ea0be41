"""The contract's events, decoded. Each accepted transaction is in one, as the contract received it."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assets.errors import EncodingError, Refusal
from assets.keys import Address, Digest
from assets.transactions import Signed, Transaction
from contracts import artifact, encoding
from contracts.encoding import WORD
from contracts.errors import NodeError, decode_refusal

_NAMES = {topic: name for name, topic in artifact.topics().items()}


@dataclass(frozen=True, slots=True)
class Accepted:
    """``Withdrawn``, ``Transacted``, ``Settled``, ``Cancelled`` or ``Regulated``."""

    name: str
    digest: Digest
    time_s: int
    """Ledger time of the verdict, Unix seconds."""
    encoded: bytes
    """What the contract was called with."""
    settled: int = 0
    """Of a settlement: a bit for each fill that settled."""

    @property
    def signed(self) -> Signed[Transaction]:
        """The transaction with its signatures, as it stands on the ledger."""
        match self.name:
            case "Withdrawn":
                return encoding.decode_withdraw(self.encoded)
            case "Transacted":
                return encoding.decode_transact(self.encoded)
            case "Settled":
                return encoding.decode_settle(self.encoded, self.settled)
            case "Cancelled":
                return encoding.decode_cancel(self.encoded)
        return encoding.decode_regulate(self.encoded)


@dataclass(frozen=True, slots=True)
class Refused:
    """A call of a relay that the contract refused."""

    position: int
    """Place of the call in its relay, from 0."""
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class FillRefused:
    """A fill that the contract refused, of the settlement that follows (if any fill of it settled)."""

    position: int
    """Place of the fill in its settlement, from 0."""
    refusal: Refusal


Event = Accepted | Refused | FillRefused


class Answers:
    """What the contract answered to one relay, to be asked call by call in the relay's order."""

    def __init__(self, emitted: Iterable[Event]) -> None:
        self._rest = deque(emitted)
        self._refused = {e.position: e.refusal for e in self._rest if isinstance(e, Refused)}
        self._rest = deque(e for e in self._rest if not isinstance(e, Refused))

    def refusal(self, position: int) -> Refusal | None:
        """Why the call at ``position`` was refused as a whole, if it was."""
        return self._refused.get(position)

    def fills(self, count: int) -> tuple[Refusal | None, ...]:
        """Why each of the ``count`` fills of the next settlement was refused, if it was."""
        verdicts: list[Refusal | None] = [None] * count
        last = -1
        while self._rest and isinstance(refused := self._rest[0], FillRefused) and last < refused.position < count:
            self._rest.popleft()
            last, verdicts[refused.position] = refused.position, refused.refusal
        return tuple(verdicts)

    def expect(self, message: Digest) -> None:
        """The next call was accepted, with digest ``message``; raises :class:`~contracts.errors.NodeError` if not."""
        accepted = self._rest.popleft() if self._rest else None
        if not isinstance(accepted, Accepted) or accepted.digest != message:
            raise NodeError("the relay's events do not answer its calls; is this node in sync?")


def decode(logs: Iterable[Mapping[str, Any]], contract: Address) -> list[Event]:
    """The events of ``contract`` among ``logs``, in their order; the events of other contracts are left out.

    Raises :class:`~contracts.errors.NodeError` for an event that the contract cannot have emitted.
    """
    try:
        return [_event(log["topics"], bytes(log["data"])) for log in logs if _emitter(log) == contract]
    except (EncodingError, KeyError, IndexError) as failure:
        raise NodeError(f"the node reports an event that is none of the ledger's: {failure}") from failure


def _emitter(log: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(log["address"].removeprefix("0x"))


def _event(topics: list[bytes], data: bytes) -> Event:
    name = _NAMES.get(bytes(topics[0]))
    match name:
        case None:
            raise EncodingError(f"unknown topic 0x{bytes(topics[0]).hex()}")
        case "Refused":
            return Refused(int.from_bytes(topics[1], "big"), decode_refusal(_tail(data, 0)))
        case "FillRefused":
            return FillRefused(int.from_bytes(topics[1], "big"), decode_refusal(_tail(data, 0)))
    digest, time_s = Digest(bytes(topics[1])), int.from_bytes(data[:WORD], "big")
    if name == "Settled":
        return Accepted(name, digest, time_s, _tail(data, 2), int.from_bytes(data[WORD : 2 * WORD], "big"))
    return Accepted(name, digest, time_s, _tail(data, 1))


def _tail(data: bytes, word: int) -> bytes:
    """The byte string to which the ``word``-th word points."""
    at = int.from_bytes(data[WORD * word : WORD * (word + 1)], "big")
    length = int.from_bytes(data[at : at + WORD], "big")
    value = data[at + WORD : at + WORD + length]
    if len(value) != length:
        raise EncodingError("an event's byte string is cut off")
    return value

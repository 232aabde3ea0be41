"""The contract's events, decoded. Each accepted transaction is in one, as the contract received it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assets.errors import EncodingError, Refusal
from assets.keys import Address, Digest
from assets.transactions import Signed, Transaction
from contracts import artifact, encoding
from contracts.encoding import WORD
from contracts.errors import NodeError, decode_refusal

_TOPICS = artifact.topics()
_REFUSED = _TOPICS["Refused"]
ACCEPTED = tuple(_TOPICS[name] for name in ("Withdrawn", "Transacted", "Regulated"))
"""First topics of the events of accepted transactions."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """``Withdrawn``, ``Transacted`` or ``Regulated``."""

    digest: Digest
    time_s: int
    """Ledger time of the verdict, Unix seconds."""
    call: bytes
    """The call as the contract received it."""

    @property
    def signed(self) -> Signed[Transaction]:
        """The transaction with its signatures."""
        return encoding.decode(self.call)


@dataclass(frozen=True, slots=True)
class Refused:
    """A call of a relay that the contract refused."""

    position: int
    """Place of the call in its relay, from 0."""
    refusal: Refusal


def decode(logs: Iterable[Mapping[str, Any]], contract: Address) -> list[Accepted | Refused]:
    """The events of ``contract`` among ``logs``, in their order; the events of other contracts are left out.

    Raises :class:`~contracts.errors.NodeError` for an event that the contract cannot have emitted.
    """
    try:
        return [_event(log["topics"], bytes(log["data"])) for log in logs if _emitter(log) == contract]
    except (EncodingError, KeyError, IndexError) as failure:
        raise NodeError(f"the node reports an event that is none of the ledger's: {failure}") from failure


def _emitter(log: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(log["address"].removeprefix("0x"))


def _event(topics: list[bytes], data: bytes) -> Accepted | Refused:
    first = bytes(topics[0])
    if first == _REFUSED:
        return Refused(int.from_bytes(topics[1], "big"), decode_refusal(_tail(data, 0)))
    if first in ACCEPTED:
        return Accepted(Digest(bytes(topics[1])), int.from_bytes(data[:WORD], "big"), _tail(data, 1))
    raise EncodingError(f"unknown topic 0x{first.hex()}")


def _tail(data: bytes, word: int) -> bytes:
    """The byte string to which the ``word``-th word points."""
    at = int.from_bytes(data[WORD * word : WORD * (word + 1)], "big")
    length = int.from_bytes(data[at : at + WORD], "big")
    value = data[at + WORD : at + WORD + length]
    if len(value) != length:
        raise EncodingError("an event's byte string is cut off")
    return value

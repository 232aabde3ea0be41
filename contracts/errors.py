"""What can go wrong between us and a node, and the contract's refusals as :mod:`assets.errors` names them."""

from assets.errors import REFUSALS, EncodingError, Refusal
from contracts import artifact
from contracts.encoding import WORD


class NodeError(RuntimeError):
    """The node behaves as no node of this ledger should; says what to check."""


class NodeUnreachable(ConnectionError):
    """Nothing answers at the URL, or what answers is no EVM node; says what to check."""


class RelayError(NodeError):
    """A relay transaction was lost or undone as a whole: nothing of it is on the ledger.

    Transactions of earlier relays of the same batch may be: read ``entries`` before submitting again.
    """


class VerdictUnknown(NodeError):
    """Nobody can tell yet whether a transaction will be recorded; its sender must not assume either.

    Submitting the same signed transactions again does no harm: the ledger takes each of them once.
    """


class NodeBehind(NodeError):
    """The node has fewer blocks than were read before: it lags, or its chain was set back; says what to do."""


class Reorganised(NodeError):
    """Entries that were read before are no longer those of the chain. ``seq`` is the first of them."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the chain dropped entries from number {seq} on; read again from there")
        self.seq = seq


def decode_refusal(reason: bytes) -> Refusal:
    """The refusal in a custom error's raw revert data.

    Raises :class:`~assets.errors.EncodingError` if it is none of the ledger's refusals.
    """
    name, types = artifact.error_types().get(reason[:4], ("", ()))
    if name not in REFUSALS or len(reason) != 4 + WORD * len(types):
        raise EncodingError(f"0x{reason.hex()} is none of the ledger's refusals")
    words = (reason[at : at + WORD] for at in range(4, len(reason), WORD))
    return REFUSALS[name](*(_value(kind, word) for kind, word in zip(types, words, strict=True)))


def _value(kind: str, word: bytes) -> int | bytes:
    match kind:
        case "uint256":
            return int.from_bytes(word, "big")
        case "address":
            return word[12:]
        case "bytes32":
            return word
    raise EncodingError(f"a refusal has no argument of type {kind}")

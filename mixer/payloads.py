"""What everybody can check in the payload of a message, whoever reads it. Lengths were checked before."""

from assets.hashing import keccak
from assets.keys import ZERO_ADDRESS, Address, Digest
from mixer.faults import COMPLAINTS, Reason
from mixer.onion import check_box_key
from mixer.protocol import ADDRESS_BYTES, PUBLIC_KEY_BYTES, Phase

_AGREEMENT_TAG = keccak(b"PETra mix keys and outputs v1")


class BadPayload(Exception):
    """``(reason)``: the payload breaks a rule that everybody can check."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)


def read_box_key(payload: bytes) -> bytes:
    """The encryption key in an announcement, behind the sender's public key."""
    box_key = payload[PUBLIC_KEY_BYTES:]
    try:
        check_box_key(box_key)
    except ValueError:
        raise BadPayload(Reason.MALFORMED) from None
    return box_key


def read_items(payload: bytes, item_bytes: int) -> list[bytes]:
    """The items of a list, all of ``item_bytes`` and no two the same.

    An honest peer never posts one twice: it refuses equal items when it opens them, and encryption is randomised.
    """
    items = [payload[at : at + item_bytes] for at in range(0, len(payload), item_bytes)]
    if len(set(items)) < len(items):
        raise BadPayload(Reason.DUPLICATE_ITEM)
    return items


def read_outputs(payload: bytes) -> tuple[Address, ...]:
    """The output addresses, distinct and none of them zero."""
    outputs = read_items(payload, ADDRESS_BYTES)
    if ZERO_ADDRESS in outputs:
        raise BadPayload(Reason.BAD_OUTPUT)
    return tuple(Address(output) for output in outputs)


def read_complaint(payload: bytes, instead_of: Phase) -> Reason:
    """What the sender reports in place of its message of phase ``instead_of``."""
    if payload[0] not in COMPLAINTS[instead_of]:
        raise BadPayload(Reason.MALFORMED)
    return Reason(payload[0])


def agreement(log: Digest, run: int, box_keys: list[bytes], outputs: tuple[Address, ...]) -> bytes:
    """The hash of the equivocation check: all encryption keys in the order of the peers, and the outputs as posted."""
    return keccak(_AGREEMENT_TAG + log + run.to_bytes(4, "big") + b"".join(box_keys) + b"".join(outputs))

"""Which slot an address gets, and the commitment that keeps its owner from choosing later."""

from collections.abc import Sequence

from assets.hashing import keccak
from assets.keys import Address, Digest
from mixer.dicemix.field import P

_NUMBER_TAG = keccak(b"PETra DiceMix slot number v1")
_COMMITMENT_TAG = keccak(b"PETra DiceMix commitment v1")


def slot_number(context: Digest, address: Address) -> int:
    """The number that stands for ``address`` in the slots phase.

    ``context`` is the view after the keys, hence after all commitments: nobody can choose an address for its number.
    The slots are the places of all numbers in ascending order.
    """
    return int.from_bytes(keccak(_NUMBER_TAG + context + address), "big") % P


def commitment(log: Digest, run: int, peer: int, public: bytes, salt: bytes, address: Address) -> bytes:
    """Hash by which ``peer`` binds itself to ``address`` when it shows its key ``public``; ``salt`` is 32 random bytes.

    It names log, run, peer and key, so that who copies another's commitment cannot open it.
    """
    place = log + run.to_bytes(4, "big") + peer.to_bytes(2, "big")
    return keccak(_COMMITMENT_TAG + place + public + salt + address)


def fits(context: Digest, numbers: Sequence[int], addresses: Sequence[Address]) -> bool:
    """Whether every slot holds the address for which it was reserved."""
    return [slot_number(context, address) for address in addresses] == list(numbers)

"""Who signed a message: checked against known public keys, which is cheaper than recovering a key each time."""

from collections.abc import Sequence

from coincurve import PublicKey

from assets.keys import Address
from mixer.dicemix.message import Message
from mixer.dicemix.protocol import Phase
from mixer.signatures import check_address, check_key, claimed_key


class Signers:
    """The peers of one run. Their addresses are known from the ledger, their public keys from their first message."""

    def __init__(self, owners: Sequence[Address]) -> None:
        self._owners = owners
        self._keys: list[PublicKey | None] = [None] * len(owners)

    def check(self, message: Message) -> None:
        """Raise :class:`~mixer.signatures.ForeignSignature` unless the message's sender signed it."""
        owner, key = self._owners[message.sender], self._keys[message.sender]
        if key is None and message.phase is Phase.KEYS:
            key = claimed_key(message.payload, owner)
        if key is None:
            check_address(owner, message.digest, message.signature)
        else:
            check_key(key, message.digest, message.signature)
            self._keys[message.sender] = key

    def knows(self, index: int) -> bool:
        """Whether the peer has shown its public key."""
        return self._keys[index] is not None

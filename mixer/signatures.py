"""Who signed an envelope: checked against known public keys, which is cheaper than recovering a key each time."""

from collections.abc import Sequence

from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, deserialize_compact

from assets.hashing import keccak
from assets.keys import Address, Digest, SigningKey, address_of, recover_address

_PUBLIC_KEY_TAG = keccak(b"PETra mix public key v1")


class ForeignSignature(Exception):
    """The signature is not that of the key which should have signed."""


class Signers:
    """The peers of one session. Their addresses are known from the ledger, their public keys from announcements."""

    def __init__(self, owners: Sequence[Address]) -> None:
        self._owners = owners
        self._keys: list[PublicKey | None] = [None] * len(owners)

    def learn(self, index: int, key: PublicKey) -> None:
        """Remember the public key of a peer. Raises ``ValueError`` if it is not its owner's."""
        if address_of(key) != self._owners[index]:
            raise ValueError(f"the public key is not that of peer {index}")
        self._keys[index] = key

    def check(self, index: int, digest: Digest, signature: bytes) -> None:
        """Raise :class:`ForeignSignature` unless peer ``index`` signed ``digest`` (``r ‖ s``, low ``s``)."""
        key = self._keys[index]
        if key is None:
            check_address(self._owners[index], digest, signature)
        else:
            check_key(key, digest, signature)


def check_key(key: PublicKey, digest: Digest, signature: bytes) -> None:
    """Raise :class:`ForeignSignature` unless ``signature`` (``r ‖ s``, low ``s``) is that of ``key``."""
    try:
        valid = key.verify(cdata_to_der(deserialize_compact(signature)), digest, hasher=None)
    except ValueError:
        raise ForeignSignature from None
    if not valid:
        raise ForeignSignature


def check_address(owner: Address, digest: Digest, signature: bytes) -> None:
    """The same if only the signer's address is known: tries the two keys that ``r`` allows."""
    if owner not in (recover_address(digest, signature + bytes([v])) for v in (27, 28)):
        raise ForeignSignature


def public_key_of(key: SigningKey) -> bytes:
    """The compressed public key of ``key``. A signing key shows its address only, but its signatures give it away."""
    signature = key.sign(_PUBLIC_KEY_TAG)
    compact = signature[:64] + bytes([signature[64] - 27])
    return PublicKey.from_signature_and_message(compact, _PUBLIC_KEY_TAG, hasher=None).format()

"""Who signed an envelope: checked against known public keys, which is cheaper than recovering a key each time."""

from collections.abc import Sequence

from coincurve import PublicKey
from coincurve.ecdsa import cdata_to_der, deserialize_compact

from assets.keys import Address, Digest, address_of, recover_address
from mixer.envelope import Envelope
from mixer.memo import public
from mixer.protocol import PUBLIC_KEY_BYTES, Phase


class ForeignSignature(Exception):
    """The signature is not that of the key which should have signed."""


class Signers:
    """The peers of one session. Their addresses are known from the ledger, their public keys from announcements."""

    def __init__(self, owners: Sequence[Address]) -> None:
        self._owners = owners
        self._keys: list[PublicKey | None] = [None] * len(owners)

    def learn(self, index: int, key: PublicKey) -> None:
        """Remember the public key of a peer, as :meth:`check` returned it."""
        self._keys[index] = key

    def check(self, envelope: Envelope) -> PublicKey | None:
        """Raise :class:`ForeignSignature` unless the envelope's sender signed it.

        Returns the sender's public key; ``None`` if it is still unknown, and the envelope does not announce it.
        """
        owner = self._owners[envelope.sender]
        key = self._keys[envelope.sender]
        if key is None and envelope.phase is Phase.ANNOUNCEMENT:
            key = claimed_key(envelope.payload, owner)
        if key is None:
            check_address(owner, envelope.digest, envelope.signature)
        else:
            check_key(key, envelope.digest, envelope.signature)
        return key


@public
def claimed_key(announcement: bytes, owner: Address) -> PublicKey | None:
    """The public key with which an announcement begins, if it is that of ``owner``."""
    try:
        key = PublicKey(announcement[:PUBLIC_KEY_BYTES])
    except ValueError:
        return None
    return key if address_of(key) == owner else None


def check_key(key: PublicKey, digest: Digest, signature: bytes) -> None:
    """Raise :class:`ForeignSignature` unless ``signature`` (``r ‖ s``, low ``s``) is that of ``key``."""
    if not _is_of(key, digest, signature):
        raise ForeignSignature


def check_address(owner: Address, digest: Digest, signature: bytes) -> None:
    """The same if only the signer's address is known: tries the two keys that ``r`` allows."""
    if owner not in (signer_of(digest, signature + bytes([v])) for v in (27, 28)):
        raise ForeignSignature


@public
def signer_of(digest: Digest, signature: bytes) -> Address:
    """:func:`assets.keys.recover_address`: whose key signed ``digest``."""
    return recover_address(digest, signature)


@public
def _is_of(key: PublicKey, digest: Digest, signature: bytes) -> bool:
    try:
        return bool(key.verify(cdata_to_der(deserialize_compact(signature)), digest, hasher=None))
    except ValueError:
        return False

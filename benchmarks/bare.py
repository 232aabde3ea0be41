"""The libraries' own operations, without PETra's code around them: what everything is compared with."""

from collections.abc import Sequence

from coincurve import PrivateKey, PublicKey

Recoverable = tuple[bytes, bytes]
"""A digest, and its signature as libsecp256k1 recovers from it: ``r ‖ s ‖ recovery id``."""


def recoverable(digest: bytes, signature: bytes) -> Recoverable:
    """A digest and the EVM's form of its signature as :func:`recover_all` takes them."""
    return digest, signature[:64] + bytes([signature[64] - 27])


def recover_all(signed: Sequence[Recoverable]) -> None:
    """Recover the public key of every signature."""
    for digest, signature in signed:
        PublicKey.from_signature_and_message(signature, digest, hasher=None)


def verify_all(key: PublicKey, signed: Sequence[tuple[bytes, bytes]]) -> None:
    """Check every (digest, DER signature) against a known key."""
    for digest, signature in signed:
        key.verify(signature, digest, hasher=None)


def sign_all(key: PrivateKey, digests: Sequence[bytes]) -> None:
    """Sign every digest."""
    for digest in digests:
        key.sign_recoverable(digest, hasher=None)

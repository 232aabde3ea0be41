"""Masks: one of a meter's own for every interval, and one shared with every other member of its group.

    y_i = m_i + b_i + Σ_{j in group} ±p_ij      ± is + for i < j, - otherwise
    d_i =       b_i + Σ_{j absent}   ±p_ij
    Σ_{present} (y_i - d_i) = Σ_{present} m_i                                modulo 2**64

The own mask b_i makes it safe to reveal what is shared with an absent meter: its late reading stays under its own mask.
Source: K. Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS 2017), double
masking; keys by ECDH on secp256k1 and HKDF (RFC 5869), masks by HMAC-SHA-256.
"""

import hmac
from collections.abc import Iterable

from coincurve import PrivateKey

from assets.commitments.feeder import MODULUS, FeederGroup
from assets.keys import Digest
from assets.notes import word


class MaskSecret:
    """A meter's secret for masks; never shows itself."""

    __slots__ = ("_key", "_own")

    def __init__(self, secret: bytes) -> None:
        """``secret``: 32 bytes between 1 and the order of secp256k1 - 1, made for masks alone."""
        try:
            self._key = PrivateKey(secret)
        except ValueError:
            raise ValueError("a mask secret is 32 bytes between 1 and the group order - 1") from None
        self._own = hmac.digest(secret, b"PETra own masks v1", "sha256")

    @property
    def public(self) -> bytes:
        """The public key, 33 bytes."""
        return self._key.public_key.format()

    def masks_for(self, digest: Digest, group: FeederGroup, meter: int) -> "Masks":
        """The masks of ``meter`` in a group that was checked."""
        shared = {}
        for member in group.members:
            if member.meter != meter:
                extracted = hmac.digest(digest, self._key.ecdh(member.mask_key), "sha256")
                pair = word(min(meter, member.meter), 32) + word(max(meter, member.meter), 32)
                shared[member.meter] = hmac.digest(extracted, b"PETra shared masks v1" + pair + b"\x01", "sha256")
        return Masks(meter, hmac.digest(self._own, digest, "sha256"), shared)

    def __repr__(self) -> str:
        return "MaskSecret()"

    def __reduce__(self) -> str:
        raise TypeError("a mask secret is not pickled; store it in the meter's keystore")


class Masks:
    """The masks of one meter in one group; integers modulo 2**64."""

    __slots__ = ("_meter", "_own", "_shared")

    def __init__(self, meter: int, own: bytes, shared: dict[int, bytes]) -> None:
        self._meter, self._own, self._shared = meter, own, shared

    def all(self, t: int) -> int:
        """The own mask plus those shared with every other member."""
        return self.own_and_shared(t, self._shared)

    def own_and_shared(self, t: int, others: Iterable[int]) -> int:
        """The own mask plus those shared with ``others``."""
        return (_draw(self._own, t) + sum(self._with(other, t) for other in others)) % MODULUS

    def _with(self, other: int, t: int) -> int:
        mask = _draw(self._shared[other], t)
        return mask if self._meter < other else -mask

    def __repr__(self) -> str:
        return f"Masks(meter={self._meter}, shared_with={len(self._shared)})"


def _draw(key: bytes, t: int) -> int:
    return int.from_bytes(hmac.digest(key, word(t, 32), "sha256")[:8], "big")

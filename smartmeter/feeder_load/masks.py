"""Masks: one of a meter's own for every interval, and one shared with every other member of its group.

    y_i = m_i + b_i + Σ_{j in group} ±p_ij      ± is + for i < j, - otherwise
    d_i =       b_i + Σ_{j absent}   ±p_ij
    Σ_{present} (y_i - d_i) = Σ_{present} m_i                                modulo 2**64
    b_i = Σ_{j in group} q_ij                       q_ij is known to i and j, and another than q_ji

The own mask b_i makes it safe to reveal what is shared with an absent meter: its late reading stays under its own mask.
That it is a sum of parts known to the others lets them stand in for a meter that fell silent after it sent y.
Source: K. Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS 2017), double
masking, with additive parts in place of threshold shares; keys by ECDH on secp256k1 and HKDF (RFC 5869), masks by
HMAC-SHA-256.
"""

import hmac
from collections.abc import Iterable

from coincurve import PrivateKey

from assets.commitments.feeder import MODULUS, FeederGroup
from assets.keys import Digest
from assets.words import word


class MaskSecret:
    """A meter's secret for masks; never shows itself."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        """``secret``: 32 bytes between 1 and the order of secp256k1 - 1, made for masks alone."""
        try:
            self._key = PrivateKey(secret)
        except ValueError:
            raise ValueError("a mask secret is 32 bytes between 1 and the group order - 1") from None

    @property
    def public(self) -> bytes:
        """The public key, 33 bytes."""
        return self._key.public_key.format()

    def masks_for(self, digest: Digest, group: FeederGroup, meter: int) -> "Masks":
        """The masks of ``meter`` in a group that was checked."""
        shared, own, lent = {}, {}, {}
        for member in group.members:
            other = member.meter
            if other != meter:
                extracted = hmac.digest(digest, self._key.ecdh(member.mask_key), "sha256")
                shared[other] = _expand(extracted, b"shared", min(meter, other), max(meter, other))
                own[other] = _expand(extracted, b"own", meter, other)
                lent[other] = _expand(extracted, b"own", other, meter)
        return Masks(meter, shared, own, lent)

    def __repr__(self) -> str:
        return "MaskSecret()"

    def __reduce__(self) -> str:
        raise TypeError("a mask secret is not pickled; store it in the meter's keystore")


class Masks:
    """The masks of one meter in one group; integers modulo 2**64."""

    __slots__ = ("_lent", "_meter", "_own", "_shared")

    def __init__(self, meter: int, shared: dict[int, bytes], own: dict[int, bytes], lent: dict[int, bytes]) -> None:
        self._meter, self._shared, self._own, self._lent = meter, shared, own, lent

    def all(self, t: int) -> int:
        """The own mask plus those shared with every other member."""
        return self.own_and_shared(t, self._shared)

    def own_and_shared(self, t: int, others: Iterable[int]) -> int:
        """The own mask plus those shared with ``others``."""
        own = sum(_draw(key, t) for key in self._own.values())
        return (own + sum(self._with(other, t) for other in others)) % MODULUS

    def part_of(self, t: int, other: int) -> int:
        """This meter's part of the own mask of ``other``."""
        return _draw(self._lent[other], t)

    def _with(self, other: int, t: int) -> int:
        mask = _draw(self._shared[other], t)
        return mask if self._meter < other else -mask

    def __repr__(self) -> str:
        return f"Masks(meter={self._meter}, shared_with={len(self._shared)})"


def _expand(extracted: bytes, purpose: bytes, first: int, second: int) -> bytes:
    """HKDF's second half, one block: a key for the purpose and the ordered pair."""
    info = b"PETra feeder masks v1/" + purpose + word(first, 32) + word(second, 32)
    return hmac.digest(extracted, info + b"\x01", "sha256")


def _draw(key: bytes, t: int) -> int:
    return int.from_bytes(hmac.digest(key, word(t, 32), "sha256")[:8], "big")

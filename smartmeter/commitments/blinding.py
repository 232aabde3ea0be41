"""Blindings from one secret, so that a meter restored from its backup can still open what it committed to."""

import hmac
import secrets

from assets.commitments.group import Group, group_id
from assets.transactions import Domain
from assets.words import word


class BlindingSecret:
    """Derives every blinding of one meter on one ledger and group; never shows itself.

    A blinding is HMAC-SHA-512 of everything that the commitment is for, *the value included*, reduced modulo the order
    (RFC 2104; the excess of 256 bits makes the bias negligible). With the value in it, two different values for one
    interval never share a blinding, whatever happened to the meter's memory in between: their difference would show.
    The prosumer may hold a copy: it then recomputes every commitment, and finds a meter that chose blindings of its
    own to smuggle readings out.
    """

    __slots__ = ("_order", "_prefix", "_secret")

    def __init__(self, secret: bytes, domain: Domain, group: Group, meter: int) -> None:
        """``secret``: 32 bytes of the operating system's randomness. Raises ``ValueError`` for another length."""
        if len(secret) != 32:
            raise ValueError("a blinding secret has 32 bytes")
        self._secret = secret
        self._order = group.order
        self._prefix = b"PETra blinding v1" + domain.separator + group_id(group) + word(meter, 32)

    @staticmethod
    def generate() -> bytes:
        """A fresh secret."""
        return secrets.token_bytes(32)

    def of_import(self, t: int, import_wh: int) -> int:
        """The blinding of the commitment to the import of interval ``t``."""
        return self._derive(b"import", t, t, import_wh)

    def of_export(self, t: int, export_wh: int) -> int:
        """The blinding of the commitment to the export of interval ``t``."""
        return self._derive(b"export", t, t, export_wh)

    def of_deposits(self, first: int, last: int, amount_nano: int) -> int:
        """The blinding of the commitment to the FA deposited on the bills of ``first..last``."""
        return self._derive(b"deposit", first, last, amount_nano)

    def _derive(self, purpose: bytes, first: int, last: int, value: int) -> int:
        message = self._prefix + purpose.ljust(8, b"\0") + word(first, 32) + word(last, 32) + word(value)
        return int.from_bytes(hmac.digest(self._secret, message, "sha512"), "big") % self._order

    def __repr__(self) -> str:
        return "BlindingSecret()"

    def __reduce__(self) -> str:
        raise TypeError("a blinding secret is not pickled; store it in the meter's keystore")

"""Commitment sheets: for every interval of a run, the meter's commitments to its import and export residual.

A meter publishes a sheet as soon as the bills of its intervals are final, say once a day, and is bound from then on,
long before the statement of the period opens anything. A sheet is signed like a transaction (EIP-712, the ledger's
domain), so ledger, meter, intervals and group are all part of what is signed.
"""

from dataclasses import dataclass

from assets.commitments.group import POINT_BYTES, Group, group_id
from assets.hashing import keccak
from assets.keys import Address, Digest, Signer, recover_address
from assets.transactions import Domain
from assets.words import word

PAIR_BYTES = 2 * POINT_BYTES
"""Length of one interval's pair of commitments: import, then export."""

MAX_INTERVALS = 2**16
"""Most intervals of one sheet, and of one period (22 months of quarter-hours): bounds the work of a verifier."""

MAX_ENERGY_WH = 2**40
"""Residuals of one interval are below this (1 TWh): sums of a period stay far below the order of the group."""

_SHEET_TYPE = keccak(b"CommitmentSheet(uint32 meter,uint32 first,uint32 last,bytes32 group,bytes32 points)")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Commitments of one meter to the intervals ``first..last``.

    Raises ``ValueError`` for a number that has no encoding, or for points that are not one pair for each interval.
    """

    meter: int
    first: int
    """First interval."""
    points: bytes
    """For each interval in order 128 bytes: the commitment to its import, then the one to its export."""

    def __post_init__(self) -> None:
        if not 0 <= self.meter < 2**32:
            raise ValueError("meter of a sheet is between 0 and 2**32-1")
        if not self.points or len(self.points) % PAIR_BYTES or len(self) > MAX_INTERVALS:
            raise ValueError(f"a sheet has {PAIR_BYTES} bytes of points for each of 1 to {MAX_INTERVALS} intervals")
        if not 0 <= self.first <= self.last < 2**32:
            raise ValueError("intervals of a sheet are between 0 and 2**32-1")

    def __len__(self) -> int:
        """How many intervals it covers."""
        return len(self.points) // PAIR_BYTES

    @property
    def last(self) -> int:
        """Last interval (inclusive)."""
        return self.first + len(self) - 1

    def imported(self, t: int) -> bytes:
        """The commitment to the import of interval ``t``, 64 bytes."""
        at = (t - self.first) * PAIR_BYTES
        return self.points[at : at + POINT_BYTES]

    def exported(self, t: int) -> bytes:
        """The commitment to the export of interval ``t``, 64 bytes."""
        at = (t - self.first) * PAIR_BYTES + POINT_BYTES
        return self.points[at : at + POINT_BYTES]


@dataclass(frozen=True, slots=True)
class SignedSheet:
    """A sheet with its meter's signature (65 bytes: ``r ‖ s ‖ v``)."""

    sheet: Sheet
    signature: bytes

    def signer(self, domain: Domain, group: Group) -> Address:
        """Whose key signed it for this ledger and group; the zero address if nobody's did."""
        return recover_address(sheet_digest(domain, group, self.sheet), self.signature)


def sheet_digest(domain: Domain, group: Group, sheet: Sheet) -> Digest:
    """The EIP-712 digest of a sheet on the ledger ``domain``."""
    span = word(sheet.meter) + word(sheet.first) + word(sheet.last)
    body = _SHEET_TYPE + span + group_id(group) + keccak(sheet.points)
    return Digest(keccak(b"\x19\x01" + domain.separator + keccak(body)))


def sign_sheet(domain: Domain, group: Group, sheet: Sheet, key: Signer) -> SignedSheet:
    """``sheet`` signed by its meter's key."""
    return SignedSheet(sheet, key.sign(sheet_digest(domain, group, sheet)))

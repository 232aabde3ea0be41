"""m-of-n approval of regulatory transactions, collected before the DSO signs.

The ledger needs one signature, the DSO's; it knows nothing of approvers. So this binds the desk, not a thief who holds
the DSO's key file and its passphrase: keep the two with different people.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from assets.hashing import keccak
from assets.keys import ZERO_ADDRESS, Address, Digest, SigningKey, recover_address
from assets.transactions import Domain, Regulate, digest


class NotApproved(ValueError):
    """A regulatory transaction lacks approvals; it was not signed and does not exist."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who approves, and how many must. Raises ``ValueError`` for a number that cannot be met, or a name twice."""

    required: int = 0
    approvers: tuple[Address, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.approvers)) != len(self.approvers):
            raise ValueError("each approver is named once")
        if ZERO_ADDRESS in self.approvers:  # what a malformed signature recovers to
            raise ValueError("the zero address signs nothing; give an approver's own")
        if not 0 <= self.required <= len(self.approvers):
            raise ValueError(f"{self.required} approvals of {len(self.approvers)} approvers can never be collected")

    def require(self, domain: Domain, tx: Regulate, approvals: Iterable[bytes]) -> None:
        """Raise :class:`NotApproved` unless enough different approvers signed exactly this transaction."""
        message = approval_digest(domain, tx)
        signers = {recover_address(message, approval) for approval in approvals} & set(self.approvers)
        if len(signers) < self.required:
            raise NotApproved(
                f"{len(signers)} of {self.required} approvals are there; ask the other approvers, then release again"
            )


def approval_digest(domain: Domain, tx: Regulate) -> Digest:
    """What an approver signs: never the transaction's own digest, which only the DSO signs."""
    return Digest(keccak(b"PETra DSO approval\x00" + digest(domain, tx)))


def approve(domain: Domain, tx: Regulate, key: SigningKey) -> bytes:
    """An approver's signature."""
    return key.sign(approval_digest(domain, tx))

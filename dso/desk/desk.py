"""Regulating the ledger from the desk: proposed, approved, logged, then signed and submitted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from assets.keys import ZERO_ADDRESS, Address, SigningKey
from assets.port import Ledger, Receipt
from assets.rules.state import Standing
from assets.transactions import Domain, Regulate, Signed, digest, sign
from dso.desk.approvals import Policy
from dso.desk.log import ActionLog
from dso.registry import Registry


class Signer(Protocol):
    """Whoever holds the DSO's key. A rotated key is another signer: the desk asks for one each time."""

    @property
    def address(self) -> Address:
        """Address of the key in force."""

    def sign_regulation(self, domain: Domain, tx: Regulate) -> Signed[Regulate]:
        """``tx`` with the DSO's signature."""


class KeySigner:
    """A signer with the key in memory, and with its successor's if the key is to be handed over."""

    def __init__(self, key: SigningKey, successor: SigningKey | None = None) -> None:
        self._key, self._successor = key, successor

    @property
    def address(self) -> Address:
        """Address of the key."""
        return self._key.address

    def sign_regulation(self, domain: Domain, tx: Regulate) -> Signed[Regulate]:
        """``tx`` with the key's signature, and the successor's if ``tx`` names it. Raises ``ValueError`` without it."""
        if tx.successor == ZERO_ADDRESS:
            return sign(domain, tx, self._key)
        if self._successor is None or self._successor.address != tx.successor:
            raise ValueError("the successor signs as well, and its key is not here; make one with petra dso rotate")
        return sign(domain, tx, self._key, self._successor)


class Desk:
    """Everything the operator does goes through here, and is on the log before it is on the ledger."""

    def __init__(self, ledger: Ledger, log: ActionLog, policy: Policy | None = None) -> None:
        self.ledger, self.log, self.policy = ledger, log, policy or Policy()

    def propose(self, tx: Regulate) -> Regulate:
        """``tx`` with the ledger's next nonce: what approvers sign."""
        return replace(tx, nonce=self.ledger.regulation_nonce())

    def release(self, tx: Regulate, signer: Signer, approvals: Sequence[bytes] = ()) -> Receipt:
        """Sign and submit an approved transaction. Raises ``NotApproved``, or ``ValueError`` for another DSO's key."""
        self.policy.require(self.ledger.domain, tx, approvals)
        if signer.address != self.ledger.dso:
            raise ValueError("this key is not the DSO's on this ledger; every transaction would be refused")
        message = "0x" + digest(self.ledger.domain, tx).hex()
        self.log.append("release", self.ledger.now_s, digest=message, nonce=tx.nonce, approvals=len(approvals))
        (receipt,) = self.ledger.submit([signer.sign_regulation(self.ledger.domain, tx)])
        verdict = "accepted" if receipt.refusal is None else f"refused: {receipt.refusal}"
        self.log.append("verdict", receipt.time_s, digest=message, verdict=verdict)
        return receipt

    def registry(self) -> Registry:
        """All that was ruled, in force or for later."""
        registry = Registry()
        for entry in self.ledger.entries():
            registry.follow(entry)
        return registry

    def meters(self) -> dict[int, Standing]:
        """What every installed meter may do now."""
        registry, now_s = self.registry(), self.ledger.now_s
        found = ((meter, registry.standing(meter, now_s)) for meter in sorted(registry.meters))
        return {meter: standing for meter, standing in found if standing is not None}

"""The desk's folder: ``desk.json``, keystore ``dso.json``, ``actions.jsonl``, ``proposals/``, ``bills.db``."""

import json
from dataclasses import dataclass
from pathlib import Path

from assets.codec import canonical, parse, signed_from_json, signed_to_json
from assets.keys import SIGNATURE_BYTES, Address
from assets.port import Ledger
from assets.transactions import Regulate, Signed, digest
from dso.desk.approvals import Policy
from dso.desk.desk import Desk
from dso.desk.log import ActionLog


@dataclass(frozen=True, slots=True)
class DeskFolder:
    """Where a desk keeps its files."""

    path: Path
    node: str
    """URL of the ledger's node."""
    contract: Address
    gate_s: int
    policy: Policy

    @classmethod
    def open(cls, path: Path) -> "DeskFolder":
        """The desk in ``path``; raises ``ValueError`` that says how to make one."""
        try:
            found = json.loads((path / "desk.json").read_text(encoding="utf-8"))
            policy = Policy(found["required"], tuple(address(text) for text in found["approvers"]))
            node, gate_s = found["node"], found["gate_s"]
            if not isinstance(node, str) or not isinstance(gate_s, int):
                raise TypeError("of another type")
            return cls(path, node, address(found["contract"]), gate_s, policy)
        except FileNotFoundError:
            raise ValueError(f"there is no desk in {path}; make one with petra dso init") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path / 'desk.json'} is damaged; restore it from a backup") from error

    def save(self) -> None:
        """Write ``desk.json``; raises ``FileExistsError`` rather than overwrite one."""
        found = {
            "node": self.node,
            "contract": "0x" + self.contract.hex(),
            "gate_s": self.gate_s,
            "required": self.policy.required,
            "approvers": ["0x" + a.hex() for a in self.policy.approvers],
        }
        with (self.path / "desk.json").open("x", encoding="utf-8") as file:
            file.write(json.dumps(found, indent=2) + "\n")

    def desk(self, ledger: Ledger) -> Desk:
        """The desk on its ledger."""
        return Desk(ledger, ActionLog(self.path / "actions.jsonl"), self.policy)

    def save_proposal(self, ledger: Ledger, tx: Regulate) -> Path:
        """Write a proposal to be approved; it carries no signature of the DSO."""
        folder = self.path / "proposals"
        folder.mkdir(exist_ok=True)
        path = folder / f"{digest(ledger.domain, tx).hex()[:16]}.json"
        path.write_bytes(canonical(signed_to_json(Signed(tx, (bytes(SIGNATURE_BYTES),)))) + b"\n")
        return path


def read_proposal(path: Path) -> Regulate:
    """The transaction that a proposal file holds; raises ``ValueError`` for another file."""
    tx = signed_from_json(parse(path.read_bytes().rstrip(b"\n"))).tx
    if not isinstance(tx, Regulate):
        raise ValueError(f"{path.name} holds no regulatory transaction")
    return tx


def approvals(path: Path) -> list[bytes]:
    """The approvals collected beside the proposal ``path``. Raises ``ValueError`` if their file is damaged."""
    lines = path.with_suffix(".approvals")
    try:
        return [bytes.fromhex(line) for line in lines.read_text(encoding="utf-8").split()] if lines.exists() else []
    except ValueError:
        raise ValueError(f"{lines.name} is damaged; delete it, and ask the approvers again") from None


def add_approval(path: Path, approval: bytes) -> None:
    """Put an approval beside its proposal."""
    with path.with_suffix(".approvals").open("a", encoding="utf-8") as file:
        file.write(approval.hex() + "\n")


def address(text: str) -> Address:
    """An address from ``0x`` and 40 hexadecimal digits; raises ``ValueError``."""
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != 20:
        raise ValueError(f"{text!r} is no address; write 0x and 40 hexadecimal digits")
    return Address(value)

"""The account that carries signed transactions to the chain. It authorises nothing: anybody's will do.

A relay transaction is made once, with a fixed nonce, and sent again until it is in a block: whatever the network loses,
delays or duplicates, at most one of its copies counts.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from contracts import nodes
from contracts.errors import NodeError, RelayError, VerdictUnknown

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress
    from hexbytes import HexBytes
    from web3 import Web3
    from web3.types import TxParams, TxReceipt

RELAYER_KEY = "PETRA_RELAYER_KEY"
"""Environment variable with the relayer's private key: 32 bytes in hex."""

SENT_BEFORE = (
    "already known",
    "already imported",
    "known transaction",
    "nonce too low",
    "nonce is too low",
    "replacement",
)
"""What nodes say of a transaction that they have got before, or whose nonce is used up."""

REMEMBERED = 256
"""How many recorded transactions an account can send again to a chain that lost them."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When a transaction counts as recorded, and how long to wait for it."""

    confirmations: int = 1
    """Blocks, the transaction's own included, that have to be there; see :func:`contracts.nodes.confirmations`."""
    timeout_s: float = 120.0
    """How long a transaction may wait for that, in seconds."""
    poll_s: float = 0.05
    """Pause between two questions for a receipt, in seconds."""
    resend_s: float = 2.0
    """After how long without a receipt a transaction is sent again, in seconds."""

    def __post_init__(self) -> None:
        if self.confirmations < 1:
            raise ValueError("a transaction needs at least one confirmation, its own block")


PATIENCE = Patience()
"""For chains whose blocks are there to stay."""


class Replaced(NodeError):
    """Another transaction of this account used the nonce: this one will never be recorded."""


class Relayer(Protocol):
    """Sends transactions to the chain and waits until they are recorded."""

    def send(self, w3: "Web3", transactions: Sequence["TxParams"], patience: Patience = PATIENCE) -> "list[TxReceipt]":
        """Send in order; the receipts in the same order.

        ``transactions`` have ``data``, ``gas`` and, but for a deployment, ``to``; the relayer adds the rest.
        Raises :class:`~contracts.errors.RelayError` if the node refuses one, and
        :class:`~contracts.errors.VerdictUnknown` if nobody can tell whether it will be recorded.
        """

    def restore(self, w3: "Web3") -> None:
        """Send again what the chain had recorded and has lost in a crash."""


class _Account:
    """An account and the transactions that it sends, one nonce each.

    A node that comes back from a crash may have lost its last blocks. What was recorded in them is sent again, nonce by
    nonce, before anything new: later transactions never take the place of lost ones.
    """

    def __init__(self, address: "ChecksumAddress") -> None:
        self._address = address
        self._recorded: deque[_Parcel] = deque(maxlen=REMEMBERED)

    def send(self, w3: "Web3", transactions: Sequence["TxParams"], patience: Patience = PATIENCE) -> "list[TxReceipt]":
        """Send all, then wait for each; a lone one that another program of this account replaced is made anew."""
        if not transactions:
            return []
        fees, since = _fees(w3, self._address), w3.eth.block_number
        self.restore(w3)
        nonce = w3.eth.get_transaction_count(self._address, "pending")
        parcels = []
        for place, transaction in enumerate(transactions):
            full = {**transaction, **fees, "nonce": nonce + place, "chainId": w3.eth.chain_id, "value": 0}
            parcels.append(self._parcel(w3, full, since))
            parcels[-1].push()
        return [self._await(w3, parcel, patience, alone=len(parcels) == 1) for parcel in parcels]

    def restore(self, w3: "Web3") -> None:
        """Send again what was recorded and is in no block any more, nor on its way into one."""
        if self._recorded and not nodes.in_this_process(w3):
            count = w3.eth.get_transaction_count(self._address, "pending")
            for parcel in self._recorded:
                if parcel.fields["nonce"] >= count:
                    parcel.send_again(w3)

    def _await(self, w3: "Web3", parcel: "_Parcel", patience: Patience, alone: bool) -> "TxReceipt":
        end_s = time.monotonic() + patience.timeout_s
        while True:
            try:
                receipt = parcel.wait(patience, end_s, lambda: self.restore(w3))
                self._recorded.append(parcel)
                return receipt
            except Replaced:
                if not alone:  # made anew, it would come after those it was sent before
                    raise VerdictUnknown(
                        "another program of the relayer's account took the place of one relay transaction of several: "
                        "give each program an account of its own, read the entries, and submit what is not there"
                    ) from None
                fields = {**parcel.fields, "nonce": w3.eth.get_transaction_count(self._address, "pending")}
                parcel = self._parcel(w3, fields, parcel.since)
                parcel.push()

    def _parcel(self, w3: "Web3", fields: dict[str, Any], since: int) -> "_Parcel":
        raise NotImplementedError


class NodeAccount(_Account):
    """An account whose key the node holds: eth-tester, anvil, hardhat, a validator of our own network."""

    def _parcel(self, w3: "Web3", fields: dict[str, Any], since: int) -> "_Parcel":
        if nodes.in_this_process(w3):
            del fields["chainId"]
        return _Parcel(w3, {**fields, "from": self._address}, since, None)


class LocalKey(_Account):
    """An account whose key we hold; transactions are signed here."""

    def __init__(self, account: "LocalAccount") -> None:
        super().__init__(account.address)
        self._account = account

    def _parcel(self, w3: "Web3", fields: dict[str, Any], since: int) -> "_Parcel":
        return _Parcel(w3, fields, since, bytes(self._account.sign_transaction(fields).raw_transaction))


class _Parcel:
    """One transaction on its way: the same one however often it is sent."""

    def __init__(self, w3: "Web3", fields: dict[str, Any], since: int, raw: bytes | None) -> None:
        from web3 import Web3

        self._w3, self.fields, self.since, self._raw = w3, fields, since, raw
        self._hash: HexBytes | None = None if raw is None else Web3.keccak(raw)
        self._sender = fields["from"] if raw is None else w3.eth.account.recover_transaction(raw)

    def push(self) -> None:
        """Send it for the first time. Raises :class:`~contracts.errors.RelayError` if the node refuses it."""
        try:
            self._send()
        except Exception as failure:  # every node and provider has errors of its own
            if not _may_be_there(self._w3, failure):
                raise RelayError(f"the node refused the relay transaction: {failure}") from failure

    def _send(self) -> None:
        if self._raw is None:
            self._hash = self._w3.eth.send_transaction(self.fields)  # type: ignore[arg-type]  # built from TxParams
        else:
            self._w3.eth.send_raw_transaction(self._raw)

    def wait(self, patience: Patience, end_s: float, restore: Callable[[], None]) -> "TxReceipt":
        """Its receipt, once it has its confirmations; sent again meanwhile, whenever it is in no block.

        ``restore`` sends again what has to be recorded before it.
        """
        sent_s, used_up = time.monotonic(), False
        while time.monotonic() < end_s:
            receipt = self._receipt()
            if receipt is not None:
                if self._confirmed(receipt, patience):
                    return receipt
            elif time.monotonic() - sent_s > patience.resend_s:
                if used_up:
                    raise Replaced("another transaction took the place of the relay transaction")
                # Only if it is still in no block the next time: a node may know the nonce before the receipt.
                used_up = self._w3.eth.get_transaction_count(self._sender, "latest") > self.fields["nonce"]
                if not used_up:
                    restore()
                    self.send_again(self._w3)
                sent_s = time.monotonic()
            time.sleep(patience.poll_s)
        raise VerdictUnknown(
            f"the relay transaction is not confirmed after {patience.timeout_s:.0f} s; is the network up? It may still "
            "be recorded: read the entries, or submit the same signed transactions again, which does no harm"
        )

    def _confirmed(self, receipt: "TxReceipt", patience: Patience) -> bool:
        if patience.confirmations == 1:
            return True
        if self._w3.eth.block_number < receipt["blockNumber"] + patience.confirmations - 1:
            return False
        again = self._receipt()  # after the confirming block was seen: a reorganisation may have moved it meanwhile
        return again is not None and again["blockHash"] == receipt["blockHash"]

    def _receipt(self) -> "TxReceipt | None":
        from web3.exceptions import TransactionNotFound

        if self._hash is None:
            self._hash = self._find()
        if self._hash is None:
            return None
        try:
            return self._w3.eth.get_transaction_receipt(self._hash)
        except TransactionNotFound:
            return None

    def _find(self) -> "HexBytes | None":
        """The hash of a transaction that a node made and whose answer got lost: looked for in whole blocks."""
        for number in range(self.since, self._w3.eth.block_number + 1):
            for tx in self._w3.eth.get_block(number, full_transactions=True)["transactions"]:
                if not isinstance(tx, bytes) and (tx["from"], tx["nonce"]) == (self._sender, self.fields["nonce"]):
                    return tx["hash"]
        return None

    def send_again(self, w3: "Web3") -> None:
        """Send it once more, through ``w3``; nothing comes of it if the node has it."""
        self._w3 = w3
        with suppress(Exception):  # a node that has it says no, and one that is away says nothing
            self._send()


def choose(w3: "Web3") -> Relayer:
    """The key in the environment variable ``PETRA_RELAYER_KEY``, else the node's first account.

    Raises :class:`~contracts.errors.NodeError` if there is neither, or the key is none.
    """
    from eth_account import Account

    if key := os.environ.get(RELAYER_KEY):
        try:
            return LocalKey(Account.from_key(key))
        except Exception:  # of several libraries, whose texts could hold the key
            raise NodeError(f"{RELAYER_KEY} is not a private key: give 32 bytes in hex") from None
    accounts = w3.eth.accounts
    if not accounts:
        raise NodeError(
            f"the node holds no account to relay with; set {RELAYER_KEY} to a private key (32 bytes in hex)"
        )
    return NodeAccount(accounts[0])


def _fees(w3: "Web3", address: "ChecksumAddress") -> "TxParams":
    """A price that the network still takes if its base fee rises for a few blocks.

    Zero for an account that owns nothing: it can pay nothing else, and where gas is free that is enough.
    """
    from web3.types import Wei

    if w3.eth.get_balance(address) == 0:
        return {"gasPrice": Wei(0)}
    base_fee = w3.eth.get_block("latest").get("baseFeePerGas", 0)
    return {"gasPrice": Wei(max(w3.eth.gas_price, 2 * base_fee))}


def _may_be_there(w3: "Web3", failure: Exception) -> bool:
    """Whether the node may have the transaction although it did not say so."""
    if nodes.in_this_process(w3):
        return False
    from contracts.provider import no_answer

    return no_answer(failure) or any(words in str(failure).lower() for words in SENT_BEFORE)

"""The account that carries signed transactions to the chain. It authorises nothing: anybody's will do."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from contracts.errors import NodeError, RelayError

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from eth_typing import ChecksumAddress
    from hexbytes import HexBytes
    from web3 import Web3
    from web3.types import TxParams, TxReceipt

T = TypeVar("T")

RELAYER_KEY = "PETRA_RELAYER_KEY"
"""Environment variable with the relayer's private key: 32 bytes in hex."""

RECEIPT_TIMEOUT_S = 120.0
"""How long a transaction may wait for its block, in seconds."""

POLL_S = 0.05
"""Pause between two questions for a receipt, in seconds."""


class Relayer(Protocol):
    """Sends transactions to the chain and waits until they are in blocks."""

    def send(self, w3: "Web3", transactions: Sequence["TxParams"]) -> "list[TxReceipt]":
        """Send in order; the receipts in the same order.

        ``transactions`` have ``data``, ``gas`` and, but for a deployment, ``to``; the relayer adds the rest.
        Raises :class:`~contracts.errors.RelayError` if the node refuses or loses one.
        """


class NodeAccount:
    """An account whose key the node holds: eth-tester, anvil, hardhat."""

    def __init__(self, address: "ChecksumAddress") -> None:
        self._address = address

    def send(self, w3: "Web3", transactions: Sequence["TxParams"]) -> "list[TxReceipt]":
        """Have the node sign and send."""
        fees = _fees(w3)
        sent = []
        for transaction in transactions:
            full: TxParams = {**transaction, **fees, "from": self._address}
            sent.append(_sent(w3.eth.send_transaction, full))
        return _receipts(w3, sent)


class LocalKey:
    """An account whose key we hold; transactions are signed here."""

    def __init__(self, account: "LocalAccount") -> None:
        self._account = account

    def send(self, w3: "Web3", transactions: Sequence["TxParams"]) -> "list[TxReceipt]":
        """Sign and send."""
        fees, chain_id = _fees(w3), w3.eth.chain_id
        nonce = w3.eth.get_transaction_count(self._account.address, "pending")
        sent = []
        for place, transaction in enumerate(transactions):
            full: dict[str, Any] = {**transaction, **fees, "nonce": nonce + place, "chainId": chain_id, "value": 0}
            raw = self._account.sign_transaction(full).raw_transaction
            sent.append(_sent(w3.eth.send_raw_transaction, raw))
        return _receipts(w3, sent)


def choose(w3: "Web3") -> Relayer:
    """The key in the environment variable ``PETRA_RELAYER_KEY``, else the node's first account.

    Raises :class:`~contracts.errors.NodeError` if there is neither, or the key is none.
    """
    from eth_account import Account

    if key := os.environ.get(RELAYER_KEY):
        try:
            return LocalKey(Account.from_key(key))
        except Exception:
            raise NodeError(f"{RELAYER_KEY} is not a private key: give 32 bytes in hex") from None
    accounts = w3.eth.accounts
    if not accounts:
        raise NodeError(
            f"the node holds no account to relay with; set {RELAYER_KEY} to a private key (32 bytes in hex)"
        )
    return NodeAccount(accounts[0])


def _fees(w3: "Web3") -> "TxParams":
    """A price that the network still takes if its base fee rises for a few blocks; zero where gas is free."""
    from web3.types import Wei

    base_fee = w3.eth.get_block("latest").get("baseFeePerGas", 0)
    return {"gasPrice": Wei(max(w3.eth.gas_price, 2 * base_fee))}


def _sent(send: "Callable[[T], HexBytes]", transaction: T) -> "HexBytes":
    try:
        return send(transaction)
    except Exception as failure:  # every node and provider has errors of its own
        raise RelayError(f"the node refused the relay transaction: {failure}") from failure


def _receipts(w3: "Web3", hashes: "Sequence[HexBytes]") -> "list[TxReceipt]":
    from web3.exceptions import TimeExhausted

    try:
        return [w3.eth.wait_for_transaction_receipt(h, RECEIPT_TIMEOUT_S, POLL_S) for h in hashes]
    except TimeExhausted as lost:
        raise RelayError(
            f"the relay transaction is in no block after {RECEIPT_TIMEOUT_S:.0f} s; is the network up?"
        ) from lost

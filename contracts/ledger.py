"""The ledger on an EVM chain: :class:`assets.port.Ledger` over the contract and any JSON-RPC node.

Writing goes through a relayer, who carries a whole batch in as few transactions as the block gas limit allows. Reading
takes the contract's event stream, in whole, and folds it into a copy of the ledger's state: nothing is ever looked up
at the node by note, meter or address, so that a node learns nothing from what we ask.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Self

from assets.errors import BadNonce, EncodingError, FractionalEnergy, NoteSpent
from assets.groups import Groups
from assets.intervals import IntervalGrid
from assets.keys import Address, Digest
from assets.ledger import LedgerState, apply, price_at
from assets.notes import NoteId
from assets.orders import MAX_FILLS, Fill
from assets.port import Entry, NoteStatus, Receipt
from assets.transactions import (
    Domain,
    PriceChange,
    Settle,
    Signed,
    Transaction,
    digest,
    outputs_of,
    settled_part,
)
from assets.words import address_word, word
from contracts import artifact, encoding, events, gas, relayer
from contracts.clock import ChainClock
from contracts.errors import NodeError, RelayError, Reorganised
from contracts.relayer import PATIENCE, Patience, Relayer
from contracts.settlements import CALL_BYTES
from contracts.sync.follower import Follower
from contracts.sync.store import LogRecord, LogStore, MemoryStore
from contracts.views import Views

if TYPE_CHECKING:
    from web3 import Web3
    from web3.types import BlockData, TxParams, TxReceipt

DEPLOYMENT_GAS = 6_000_000
"""Enough to deploy the contract."""

REPLAYED = (NoteSpent, BadNonce)
"""Refusals that a transaction gets which the ledger has recorded already."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One transaction of a batch, ready to be relayed."""

    signed: Signed[Transaction]
    message: Digest
    data: bytes
    gas: int


class EvmLedger:
    """The contract at one address of one chain."""

    def __init__(
        self,
        w3: "Web3",
        contract: Address,
        relay_by: Relayer | None = None,
        since_block: int = 0,
        patience: Patience = PATIENCE,
        store: LogStore | None = None,
    ) -> None:
        """Open the contract at ``contract``, deployed in ``since_block`` or later.

        Only blocks with ``patience.confirmations`` count. What was read is kept in ``store``, in memory by default.
        Raises :class:`~contracts.errors.NodeError` if there is no ledger.
        """
        self._w3 = w3
        self._relay_by = relay_by or relayer.choose(w3)
        self._clock = ChainClock(w3)
        self._domain = Domain(w3.eth.chain_id, contract)
        self._to = w3.to_checksum_address("0x" + contract.hex())
        self._in_process = getattr(w3.provider, "ethereum_tester", None) is not None
        if len(w3.eth.get_code(self._to)) == 0:
            raise NodeError(f"no contract at {self._to} on chain {self._domain.chain_id}; check address and node")
        self.views = Views(w3, contract)
        """The contract's own answers, asked one by one."""
        self._grid, self._founder = self.views.grid(), self.views.founder()
        self.gas_used_total = 0
        """Gas used by all relay transactions of this object."""
        self.transactions = 0
        """Relay transactions of this object."""
        self.since_block = since_block
        """The block of the deployment, or one before it."""
        self._patience = patience
        self._follower = Follower(
            w3, contract, store or MemoryStore(), self._check, since_block, patience.confirmations
        )
        self._changed_from: int | None = None
        self._checked: dict[LogRecord, tuple[events.Accepted | None, Signed[Transaction] | None]] = {}
        self._forget()

    @classmethod
    def deploy(
        cls,
        w3: "Web3",
        dso: Address,
        grid: IntervalGrid,
        relay_by: Relayer | None = None,
        patience: Patience = PATIENCE,
    ) -> Self:
        """A new ledger whose operator is ``dso``.

        Raises :class:`~contracts.errors.RelayError` if the deployment fails.
        """
        relay_by = relay_by or relayer.choose(w3)
        arguments = word(grid.genesis_s) + word(grid.interval_s) + address_word(dso)
        limit = w3.eth.get_block("latest")["gasLimit"]
        transaction: TxParams = {
            "data": encoding.hex_string(artifact.bytecode() + arguments),
            "gas": min(DEPLOYMENT_GAS, limit),
        }
        (receipt,) = relay_by.send(w3, [transaction], patience)
        address = receipt["contractAddress"]
        if receipt["status"] != 1 or address is None:
            raise RelayError("the ledger could not be deployed: give a DSO address that is not zero, and enough gas")
        return cls(w3, Address(bytes.fromhex(address[2:])), relay_by, receipt["blockNumber"], patience)

    @classmethod
    def at(
        cls,
        w3: "Web3",
        contract: Address,
        relay_by: Relayer | None = None,
        since_block: int = 0,
        patience: Patience = PATIENCE,
        store: LogStore | None = None,
    ) -> Self:
        """The ledger that somebody deployed at ``contract``; events are read from ``since_block`` on."""
        return cls(w3, contract, relay_by, since_block, patience, store)

    @property
    def domain(self) -> Domain:
        """For which ledger signatures are made."""
        return self._domain

    @property
    def grid(self) -> IntervalGrid:
        """The time grid of delivery intervals."""
        return self._grid

    @property
    def founder(self) -> Address:
        """Whose signature the first regulatory transaction carries."""
        return self._founder

    @property
    def dso(self) -> Address:
        """Whose signature the next regulatory transaction carries."""
        return self._synced().dso

    @property
    def now_s(self) -> int:
        """Unix seconds of the latest block that counts, or of the next one where :meth:`advance_to` set it."""
        latest = self._latest()
        if (unconfirmed := self._patience.confirmations - 1) > 0:
            latest = self._w3.eth.get_block(max(0, latest["number"] - unconfirmed))
        return self._clock.now_s(latest["timestamp"])

    def advance_to(self, unix_s: int) -> None:
        """Let the next block have the time ``unix_s``. Does nothing for the past, or where nobody can set the time."""
        self._relay_by.restore(self._w3)  # what a node lost in a crash may be due before that time
        self._clock.advance_to(unix_s, self._latest()["timestamp"])

    # --- Writing -----------------------------------------------------------------------------------------

    def submit(self, batch: Sequence[Signed[Transaction]]) -> list[Receipt]:
        """Relay transactions in order; each is accepted or refused on its own.

        Raises :class:`~assets.errors.EncodingError` before anything is sent if a transaction has no encoding,
        :class:`~contracts.errors.RelayError` if a relay transaction was lost or undone as a whole, and
        :class:`~contracts.errors.VerdictUnknown` if nobody can tell whether one will be recorded. After that, or after
        a crash, submit the same transactions again, or look them up with :meth:`recorded`.
        """
        self._sync()
        relays = list(self._pack(list(self._calls(batch))))
        sent_after = self._w3.eth.block_number if relays else 0
        sent = self._relay_by.send(self._w3, [self._transaction(relay) for relay in relays], self._patience)
        verdicts = [r for relay, receipt in zip(relays, sent, strict=True) for r in self._verdicts(relay, receipt)]
        return list(self._ours(batch, verdicts, sent_after))

    def _ours(
        self, batch: Sequence[Signed[Transaction]], verdicts: Sequence[Receipt], sent_after: int
    ) -> Iterator[Receipt]:
        """What was refused only because somebody else relayed the same just before us, was accepted: fill by fill."""
        accepted = {r.digest for r in verdicts if r.accepted}
        for signed, receipt in zip(batch, verdicts, strict=True):
            if isinstance(signed.tx, Settle):
                receipt = self._our_fills(signed.tx, receipt, sent_after)
            elif isinstance(receipt.refusal, REPLAYED) and receipt.digest not in accepted:
                self._sync()
                block = self._accepted_in.get(receipt.digest, 0)
                if block > sent_after:
                    accepted.add(receipt.digest)
                    receipt = Receipt(receipt.digest, None, self._recorded[receipt.digest].time_s)
            yield receipt

    def _our_fills(self, tx: Settle, receipt: Receipt, sent_after: int) -> Receipt:
        if not any(isinstance(refusal, REPLAYED) for refusal in receipt.fills):
            return receipt
        self._sync()
        fills, others = list(receipt.fills), list[Entry]()
        for position, (fill, refusal) in enumerate(zip(tx.fills, fills, strict=True)):
            entry = self._settled.get(fill)
            if (
                isinstance(refusal, REPLAYED)
                and fill not in tx.fills[:position]  # a second copy is refused for what it is
                and entry is not None
                and self._accepted_in[entry.digest] > sent_after
                and entry.digest != receipt.digest
            ):
                fills[position] = None
                others.append(entry)
        if not others:
            return receipt
        own = self._recorded.get(receipt.digest) if receipt.accepted else None
        last = own or others[-1]
        return Receipt(last.digest, None, last.time_s, tuple(fills))

    def recorded(self, message: Digest) -> Entry | None:
        """The entry of an accepted transaction, found in the event log that was read; ``None`` if it has none yet."""
        self._sync()
        return self._recorded.get(message)

    def _calls(self, batch: Sequence[Signed[Transaction]]) -> Iterator[_Call]:
        """The calls of a batch. A transaction may spend what an earlier one creates, if all of that one is accepted."""
        groups = Groups(below=self._groups)
        for signed in batch:
            message = digest(self._domain, signed.tx)
            data = encoding.encode(signed, groups)
            with suppress(FractionalEnergy):  # a fill that the contract will refuse creates nothing
                outputs = outputs_of(signed.tx, self._grid.interval_s)
                if all(note.quantity >= 0 for note in outputs):  # the change of a fill without funds is no note either
                    groups.add(message, outputs)
            yield _Call(signed, message, data, gas.of_call(signed, data))

    def _pack(self, calls: Sequence[_Call]) -> Iterator[list[_Call]]:
        limit = int(self._latest()["gasLimit"])
        relay: list[_Call] = []
        for call in calls:
            if (relay and self._gas([*relay, call]) > limit) or self._too_long([*relay, call]):
                yield relay
                relay = []
            relay.append(call)
        if relay:
            yield relay

    def _too_long(self, relay: Sequence[_Call]) -> bool:
        return not self._in_process and len(relay) > 1 and sum(len(c.data) + 96 for c in relay) > CALL_BYTES

    def _gas(self, relay: Sequence[_Call]) -> int:
        return gas.of_relay(sum(c.gas for c in relay), sum(len(c.data) + 96 for c in relay))

    def _transaction(self, relay: Sequence[_Call]) -> "TxParams":
        needed = min(self._gas(relay), int(self._latest()["gasLimit"]))
        # A settlement answers for its fills itself, so a lone one needs no relay around it.
        lone = len(relay) == 1 and isinstance(tx := relay[0].signed.tx, Settle) and 1 <= len(tx.fills) <= MAX_FILLS
        data = relay[0].data if lone else encoding.encode_relay([call.data for call in relay])
        return {"to": self._to, "data": encoding.hex_string(data), "gas": needed}

    def _verdicts(self, relay: Sequence[_Call], receipt: "TxReceipt") -> list[Receipt]:
        self.transactions += 1
        self.gas_used_total += receipt["gasUsed"]
        if receipt["status"] != 1:
            raise RelayError(
                f"a relay of {len(relay)} transactions was undone as a whole ({receipt['gasUsed']} gas used); "
                "its gas did not suffice, or the contract is another version"
            )
        emitted = events.Answers(events.decode(receipt["logs"], self._domain.contract))
        time_s = self._block_time_s(receipt)
        return [self._verdict(position, call, emitted, time_s) for position, call in enumerate(relay)]

    def _verdict(self, position: int, call: _Call, emitted: events.Answers, time_s: int) -> Receipt:
        if (refusal := emitted.refusal(position)) is not None:
            return Receipt(call.message, refusal, time_s)
        if not isinstance(call.signed.tx, Settle):
            emitted.expect(call.message)
            return Receipt(call.message, None, time_s)
        fills = emitted.fills(len(call.signed.tx.fills))
        settled = settled_part(call.signed.tx, fills)
        if not settled.fills:
            return Receipt(call.message, fills[0], time_s, fills)
        message = digest(self._domain, settled)
        emitted.expect(message)
        return Receipt(message, None, time_s, fills)

    def _block_time_s(self, receipt: "TxReceipt") -> int:
        # By hash: while validators agree on another block, a node has none of that number, but still the one it sent.
        return int(self._w3.eth.get_block(receipt["blockHash"])["timestamp"])

    # --- Reading -----------------------------------------------------------------------------------------

    def entries(self, start: int = 0) -> list[Entry]:
        """Accepted transactions from sequence number ``start`` on, from the contract's events alone.

        Raises :class:`~contracts.errors.Reorganised`, once, if the chain dropped entries before ``start``.
        """
        self._sync()
        changed_from, self._changed_from = self._changed_from, None
        if changed_from is not None and changed_from < start:
            raise Reorganised(changed_from)
        return self._entries[start:]

    def status(self, note_id: NoteId) -> NoteStatus:
        """Whether a note exists unspent."""
        return self._synced().notes.get(note_id, NoteStatus.UNKNOWN)

    def meter_nonce(self, meter: int) -> int:
        """The nonce of the meter's next withdrawal; 0 for an unknown meter."""
        account = self._synced().meters.get(meter)
        return account.nonce if account else 0

    def regulation_nonce(self) -> int:
        """The nonce of the DSO's next regulatory transaction."""
        return self._synced().regulation_nonce

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as recorded so far; ``None`` before the first."""
        return price_at(self._synced(), t)

    def _synced(self) -> LedgerState:
        self._sync()
        return self._state

    def _sync(self) -> None:
        """Fold the events since the last time into our copy of the state; all of them again after a reorganisation."""
        changes = self._follower.changes()
        if changes.kept < self._folded:
            before = self._entries
            self._forget()
            self._fold(self._follower.records())
            same = takewhile(lambda pair: pair[0] == pair[1], zip(before, self._entries, strict=False))
            changed = sum(1 for _ in same)
            self._changed_from = changed if self._changed_from is None else min(changed, self._changed_from)
        else:
            self._fold(changes.fresh)

    def _forget(self) -> None:
        self._folded = 0
        self._entries: list[Entry] = []
        self._recorded: dict[Digest, Entry] = {}
        self._accepted_in: dict[Digest, int] = {}
        self._settled: dict[Fill, Entry] = {}
        self._state = LedgerState(self._domain, self._grid, self._founder, self._grid.genesis_s)
        self._groups = Groups()

    def _fold(self, records: Sequence[LogRecord]) -> None:
        self._check([r for r in records if r not in self._checked])
        for record in records:
            self._folded += 1
            accepted, signed = self._checked.pop(record)
            if accepted is not None and signed is not None:
                entry = Entry(len(self._entries), accepted.time_s, accepted.digest, signed)
                self._entries.append(entry)
                if entry.digest not in self._recorded:  # a cancellation may be recorded again; it changes nothing
                    self._recorded[entry.digest], self._accepted_in[entry.digest] = entry, record.block
                if isinstance(signed.tx, Settle):
                    self._settled |= dict.fromkeys(signed.tx.fills, entry)
                self._state.time_s = entry.time_s
                apply(self._state, signed.tx, entry.digest)
                self._groups.add(entry.digest, outputs_of(signed.tx, self._grid.interval_s))

    def _check(self, records: Sequence[LogRecord]) -> None:
        """Decode events before they are kept, each accepted transaction compared with the digest its event gives."""
        address = "0x" + self._domain.contract.hex()
        for record in records:
            log = {"address": address, "topics": list(record.topics), "data": record.data}
            for event in events.decode([log], self._domain.contract):
                accepted = event if isinstance(event, events.Accepted) else None
                self._checked[record] = (accepted, self._signed(accepted)) if accepted else (None, None)

    def _signed(self, accepted: events.Accepted) -> Signed[Transaction]:
        try:
            signed = accepted.signed
        except EncodingError as failure:
            raise NodeError(f"the node reports a call that is none of the ledger's: {failure}") from failure
        if digest(self._domain, signed.tx) != accepted.digest:
            raise NodeError("an event's transaction has another digest than the event says")
        return signed

    def _latest(self) -> "BlockData":
        return self._w3.eth.get_block("latest")

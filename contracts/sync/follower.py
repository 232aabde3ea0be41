"""Reads the contract's events block range by block range, and notices when the chain changed its mind.

The node is asked for all events of the contract in a range of blocks, never for an address or a note, so that it learns
nothing of who asks for what. A range counts once its newest block is the same before and after it was read, its blocks
are linked to those read before, and no event is of another block. So a node that lags behind, or switches chains
between two answers, is found out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from assets.hashing import keccak
from assets.keys import Address
from contracts import nodes
from contracts.errors import NodeBehind, NodeError
from contracts.sync.store import WINDOW, BlockId, LogRecord, LogStore

if TYPE_CHECKING:
    from web3 import Web3

CHUNK_BLOCKS = 2_000
"""Most blocks of one question for events: nodes refuse larger ranges."""

LINKED = 64
"""How many of the newest blocks of a range are looked at one by one."""

ATTEMPTS = 5
"""How often a range is read again when the chain changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened since the last time."""

    kept: int
    """How many of the events read so far still hold, from the first one on; the others were dropped by the chain."""
    fresh: list[LogRecord]
    """The events after those."""


@dataclass(frozen=True, slots=True)
class _Header:
    id: BlockId
    parent: bytes
    bloom: int


class _ChainMoved(Exception):
    """The chain changed while it was read."""


class Follower:
    """Reads one contract's events into a store; ``check`` sees events before they are kept, and raises for bad ones."""

    def __init__(
        self,
        w3: "Web3",
        contract: Address,
        store: LogStore,
        check: Callable[[Sequence[LogRecord]], object],
        since_block: int = 0,
        confirmations: int = 1,
    ) -> None:
        self._w3, self._contract, self._store, self._check = w3, contract, store, check
        self._since_block, self._confirmations = since_block, confirmations
        self._address = w3.to_checksum_address("0x" + contract.hex())
        self._kept = 0

    def changes(self) -> Changes:
        """Read on, and say what changed since the last call; the first call gives all events of the store.

        Raises :class:`~contracts.errors.NodeBehind` and :class:`~contracts.errors.NodeError`. Whatever it raises, the
        store is sound, and the next call goes on from there.
        """
        for attempt in range(ATTEMPTS):
            try:
                self._read_on()
                break
            except _ChainMoved:
                if attempt == ATTEMPTS - 1:
                    raise NodeError(
                        "the node's blocks change faster than they can be read; ask again, or ask another node"
                    ) from None
        kept, fresh = self._kept, self._store.records(self._kept)
        self._kept += len(fresh)
        return Changes(kept, fresh)

    def records(self) -> list[LogRecord]:
        """All events of the store."""
        return self._store.records()

    def _read_on(self) -> None:
        window, head = self._store.window(), self._header("latest")
        if window and window[-1] == head.id:
            return
        cursor = self._common_ancestor(window, head.id.number)
        first = self._since_block if cursor is None else cursor.number + 1
        last = head.id.number - self._confirmations + 1
        for start in range(first, last + 1, CHUNK_BLOCKS):
            end = min(start + CHUNK_BLOCKS - 1, last)
            newest = head if end == head.id.number else self._header(end)
            cursor = self._read_range(cursor, start, newest)

    def _common_ancestor(self, window: Sequence[BlockId], head: int) -> BlockId | None:
        """The newest block of the store that is on the chain; what came after it is forgotten."""
        if not window:
            return None
        cursor = window[-1]
        if cursor.number > head:
            if not nodes.in_this_process(self._w3) and self._on_chain(window, head):
                raise NodeBehind(
                    f"the node is at block {head}, but blocks up to {cursor.number} were read; it lags behind or its "
                    "chain was set back: wait, ask another node, or start over with a new store"
                )
        elif self._header(cursor.number).id == cursor:
            return cursor
        for block in reversed(window):
            if block.number <= head and self._header(block.number).id == block:
                self._rollback(block.number)
                return block
        self._rollback(self._since_block - 1)
        return None

    def _on_chain(self, window: Sequence[BlockId], head: int) -> bool:
        """Whether the node's newest block is one that was read, or older than what is remembered."""
        return head < window[0].number or self._header(head).id in window

    def _rollback(self, number: int) -> None:
        self._store.rollback(number)
        self._kept = min(self._kept, self._store.count())

    def _read_range(self, cursor: BlockId | None, first: int, newest: _Header) -> BlockId:
        """Read the blocks from ``first`` to ``newest``, which follow ``cursor``; gives the new cursor."""
        last = newest.id.number
        records = [self._record(log, first, last) for log in self._logs({"fromBlock": first, "toBlock": last})]
        headers = [self._header(number) for number in range(max(first, last - LINKED + 1), last)]
        headers.append(self._header(last))
        if headers[-1] != newest:
            raise _ChainMoved
        linked = [cursor.hash, *(h.id.hash for h in headers)] if cursor and headers[0].id.number == first else []
        linked = linked or [headers[0].parent, *(h.id.hash for h in headers)]
        if any(header.parent != before for header, before in zip(headers, linked, strict=False)):
            raise _ChainMoved
        found = self._complete(records, headers)
        self._check([record for record, _ in found])
        self._store.append(cursor, [record for record, _ in found], [h.id for h in headers][-WINDOW:])
        return newest.id

    def _complete(
        self, records: list[tuple[LogRecord, bytes]], headers: Sequence[_Header]
    ) -> list[tuple[LogRecord, bytes]]:
        """All events in order, each compared with its block; a block that should have some is asked once more."""
        hashes = {h.id.number: h.id.hash for h in headers}
        with_events = {record.block for record, _ in records}
        for header in headers:
            number = header.id.number
            if number not in with_events and _may_hold(header.bloom, self._contract):
                logs = self._logs({"fromBlock": number, "toBlock": number})
                records += [self._record(log, number, number) for log in logs]
        if any(hashes.get(record.block, block_hash) != block_hash for record, block_hash in records):
            raise _ChainMoved
        records.sort(key=lambda found: (found[0].block, found[0].position))
        places = [(record.block, record.position) for record, _ in records]
        if len(set(places)) != len(places):
            raise NodeError("the node reports an event twice; ask another node")
        return records

    def _logs(self, where: dict[str, object]) -> list[Mapping[str, Any]]:
        question: Any = {"address": self._address, **where}
        return list(self._w3.eth.get_logs(question))

    def _record(self, log: Mapping[str, Any], first: int, last: int) -> tuple[LogRecord, bytes]:
        """The event and the hash of its block. Raises :class:`~contracts.errors.NodeError` if it was not asked for."""
        try:
            record = LogRecord(
                int(log["blockNumber"]), int(log["logIndex"]), tuple(map(bytes, log["topics"])), bytes(log["data"])
            )
            emitter, block_hash = bytes.fromhex(log["address"][2:]), bytes(log["blockHash"])
        except (KeyError, TypeError, ValueError) as failure:
            raise NodeError(f"the node reports an event that is none ({failure}); ask another node") from failure
        if emitter != self._contract or not first <= record.block <= last or log.get("removed"):
            raise NodeError("the node reports an event that it was not asked for; ask another node")
        return record, block_hash

    def _header(self, number: "int | Literal['latest']") -> _Header:
        from web3.exceptions import BlockNotFound

        try:
            block = self._w3.eth.get_block(number)
        except BlockNotFound:
            raise _ChainMoved from None
        try:
            header = _Header(
                BlockId(int(block["number"]), bytes(block["hash"])),
                bytes(block["parentHash"]),
                int.from_bytes(block["logsBloom"], "big"),
            )
        except (KeyError, TypeError, ValueError) as failure:
            raise NodeError(f"the node reports a block that is none ({failure}); ask another node") from failure
        if number not in ("latest", header.id.number):
            raise NodeError(f"the node was asked for block {number} and gave {header.id.number}; ask another node")
        return header


def _may_hold(bloom: int, contract: Address) -> bool:
    """Whether a block with this Bloom filter may have events of ``contract`` (Yellow Paper, section 4.3.1)."""
    digest = keccak(contract)
    bits = (int.from_bytes(digest[at : at + 2], "big") % 2048 for at in (0, 2, 4))
    return all(bloom >> bit & 1 for bit in bits)

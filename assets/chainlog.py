"""An append-only, hash-chained log of a ledger's entries as JSON lines.

Every line is one canonical JSON object and a line feed. Its ``hash`` is Keccak-256 of the hash of the line before
(32 zero bytes before the first) followed by the canonical encoding of the line without its ``hash``. Line 1 describes
the ledger; line ``n + 2`` is the entry with ``seq`` ``n``. A changed byte is thereby found on its line. Lines cut off
at the end cannot be found in the log alone: compare its head, the hash of its last line, with the head published
elsewhere.

Files belong to the caller::

    chain = HashChain()
    file.writelines(encode_log(genesis, ledger.entries(), chain))
    publish(chain.head)
    ...
    log = decode_log(file, expected_head=head)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assets.codec import ADDRESS, DIGEST, UINT32, UINT64, JsonObject, canonical, entry_from_json, entry_to_json, parse
from assets.counted import CountedDomain
from assets.errors import EncodingError, LogTampered
from assets.hashing import keccak
from assets.intervals import IntervalGrid
from assets.keys import Address, Digest
from assets.port import Entry
from assets.shapes import Record, Shape, Uint, refuse
from assets.transactions import Domain

FORMAT_VERSION = 1
"""Version of the log format, on its first line."""

NO_HASH = Digest(bytes(32))
"""Head of a chain without lines."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """First line of a log: which ledger it belongs to, and what is needed to judge its entries."""

    domain: Domain
    """For which ledger the entries' signatures are made."""
    grid: IntervalGrid
    """The time grid of delivery intervals."""
    dso: Address
    """Whose signature regulatory transactions carry."""


@dataclass(slots=True)
class HashChain:
    """The running hash of a log: seals objects into lines, or opens lines and verifies them."""

    head: Digest = NO_HASH
    """Hash of the last line."""
    lines: int = 0
    """Lines sealed or opened so far."""

    def seal(self, body: JsonObject) -> bytes:
        """The next line: ``body`` with its ``hash``, and a line feed. Raises ``EncodingError``, changing nothing."""
        if "hash" in body:
            raise EncodingError("line.hash: expected no such field, the chain adds it")
        before, after = (canonical(part) for part in _around_hash(body))
        unsealed = before[:-1] + (b"," if len(before) > 2 < len(after) else b"") + after[1:]
        head = Digest(keccak(self.head + unsealed))
        field = f'"hash":"0x{head.hex()}"'.encode()
        line = b"".join((before[:-1], b"," * (len(before) > 2), field, b"," * (len(after) > 2), after[1:], b"\n"))
        self.head, self.lines = head, self.lines + 1
        return line

    def open(self, line: bytes) -> JsonObject:
        """What was sealed into the next line. Raises :class:`~assets.errors.LogTampered`, changing nothing."""
        try:
            body = self._parse(line)
            written = DIGEST.decode(body.pop("hash", None), "line.hash")
        except EncodingError as error:
            raise LogTampered(self.lines + 1, str(error)) from error
        head = self._hash(body)
        if head != written:
            raise LogTampered(self.lines + 1, f"its hash should be 0x{head.hex()}")
        self.head, self.lines = head, self.lines + 1
        return body

    def _parse(self, line: bytes) -> JsonObject:
        if not line.endswith(b"\n"):
            raise EncodingError("line: expected a line feed at its end; the line is cut off")
        body = parse(line[:-1])
        if not isinstance(body, dict):
            refuse("line", "an object", body)
        return body

    def _hash(self, body: JsonObject) -> Digest:
        return Digest(keccak(self.head + canonical(body)))


def _around_hash(body: JsonObject) -> tuple[JsonObject, JsonObject]:
    """The fields that the canonical encoding puts before ``hash``, and those that it puts behind it."""
    if any(not isinstance(key, str) for key in body):
        canonical(body)  # says which
    return {k: v for k, v in body.items() if k < "hash"}, {k: v for k, v in body.items() if k > "hash"}


@dataclass(frozen=True, slots=True)
class Log:
    """A log that was read to its end and whose every line is unchanged."""

    genesis: Genesis
    entries: list[Entry]
    head: Digest
    """Hash of the last line, to compare with the head that was published."""


class LogReader:
    """Reads a log line by line: the genesis at once, the entries by iterating, once.

    Raises :class:`~assets.errors.LogTampered` at the first line that is not as it was written.
    """

    def __init__(self, lines: Iterable[bytes], *, counted: bool = False) -> None:
        """``counted``: also read the log of a run whose cryptography was counted and not executed."""
        self._lines = iter(lines)
        self._chain = HashChain()
        first = next(self._lines, None)
        if first is None:
            raise LogTampered(1, "the log is empty; expected its genesis")
        body = self._chain.open(first)
        try:
            self.genesis = genesis_from_json(body, counted=counted)
        except EncodingError as error:
            raise LogTampered(1, str(error)) from error

    @property
    def head(self) -> Digest:
        """Hash of the last line read."""
        return self._chain.head

    @property
    def line_number(self) -> int:
        """Number of the last line read, from 1."""
        return self._chain.lines

    def __iter__(self) -> Iterator[Entry]:
        for line in self._lines:
            body = self._chain.open(line)
            try:
                entry = entry_from_json(body)
                if entry.seq != self.line_number - 2:
                    refuse("entry.seq", str(self.line_number - 2), entry.seq)
            except EncodingError as error:
                raise LogTampered(self.line_number, str(error)) from error
            yield entry


def encode_log(genesis: Genesis, entries: Iterable[Entry], chain: HashChain | None = None) -> Iterator[bytes]:
    """The lines of the log of a ledger, each with its line feed.

    Give a fresh ``chain`` to know the head afterwards. Raises ``EncodingError`` for entries that are not numbered from
    0 on, or that no ledger accepts.
    """
    chain = HashChain() if chain is None else chain
    if chain.lines:
        raise ValueError("the chain has lines already; give a fresh one")
    yield chain.seal(genesis_to_json(genesis))
    for seq, entry in enumerate(entries):
        if entry.seq != seq:
            refuse("entry.seq", str(seq), entry.seq)
        yield chain.seal(entry_to_json(entry))


def decode_log(lines: Iterable[bytes], expected_head: Digest | None = None) -> Log:
    """The whole log, verified. ``lines`` keep their line feeds, as those of a file opened in binary mode do.

    Raises :class:`~assets.errors.LogTampered` for any changed byte, and, given the published ``expected_head``, for
    lines missing at the end or a log that was rewritten as a whole.
    """
    reader = LogReader(lines)
    entries = list(reader)
    if expected_head is not None and reader.head != expected_head:
        raise LogTampered(
            reader.line_number,
            f"the log ends with hash 0x{reader.head.hex()}, but 0x{expected_head.hex()} was published; "
            "lines are missing at the end, or all of it was rewritten",
        )
    return Log(reader.genesis, entries, reader.head)


@dataclass(frozen=True, slots=True)
class _GenesisLine:
    version: int
    chain_id: int
    contract: Address
    genesis_s: int
    interval_s: int
    dso: Address


_GENESIS_FIELDS: dict[str, Shape[object]] = {
    "version": UINT32,
    "chain_id": Uint(256),
    "contract": ADDRESS,
    "genesis_s": UINT64,
    "interval_s": UINT32,
    "dso": ADDRESS,
}
_GENESIS = Record(_GenesisLine, _GENESIS_FIELDS, tag="genesis")
_COUNTED_GENESIS = Record(_GenesisLine, _GENESIS_FIELDS, tag="counted")
"""First line of a log whose signatures prove nothing (:mod:`assets.counted`)."""


def genesis_to_json(genesis: Genesis) -> JsonObject:
    """``genesis`` as a JSON object; raises ``EncodingError`` for values out of range."""
    domain, grid = genesis.domain, genesis.grid
    line = _GenesisLine(FORMAT_VERSION, domain.chain_id, domain.contract, grid.genesis_s, grid.interval_s, genesis.dso)
    return (_COUNTED_GENESIS if isinstance(domain, CountedDomain) else _GENESIS).encode(line, "genesis")


def genesis_from_json(obj: object, *, counted: bool = False) -> Genesis:
    """The genesis that ``obj`` encodes; raises ``EncodingError``, also for another version of the format.

    That of a run whose cryptography was counted is refused, too, unless ``counted`` asks for it.
    """
    is_counted = isinstance(obj, dict) and obj.get("type") == _COUNTED_GENESIS.tag
    if is_counted and not counted:
        raise EncodingError(
            "genesis: the cryptography of this run was counted and not executed, so its signatures prove nothing; "
            "give the log of a run with --crypto executed"
        )
    line = (_COUNTED_GENESIS if is_counted else _GENESIS).decode(obj, "genesis")
    if line.version != FORMAT_VERSION:
        refuse("genesis.version", str(FORMAT_VERSION), line.version)
    try:
        grid = IntervalGrid(line.genesis_s, line.interval_s)
    except ValueError as error:
        raise EncodingError(f"genesis.interval_s: {error}") from error
    domain = (CountedDomain if is_counted else Domain)(line.chain_id, line.contract)
    return Genesis(domain, grid, line.dso)

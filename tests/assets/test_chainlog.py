import io
import json

import pytest

from assets.chainlog import NO_HASH, Genesis, HashChain, LogReader, decode_log, encode_log, genesis_to_json
from assets.codec import canonical, entry_to_json
from assets.errors import EncodingError, LogTampered
from assets.hashing import keccak
from assets.intervals import IntervalGrid
from assets.keys import Address, Digest
from assets.notes import eca, epa, fa
from assets.transactions import Domain, PriceChange


@pytest.fixture
def entries(community):
    """A regulation, a withdrawal, a transfer and prices."""
    home, neighbour = community.homes[:2]
    sun, money = community.issue(1, epa(home.address, 500, 1, 2), fa(home.address, 9))
    community.issue(2, eca(neighbour.address, 700, 1, 1))
    outputs = (epa(neighbour.address, 500, 1, 2), fa(neighbour.address, 9))
    receipt, _ = community.transact((sun, money), outputs, home)
    receipt.require()
    community.regulate(prices=(PriceChange(community.ledger.now_s, 240_000, 90_000),)).require()
    return community.ledger.entries()


@pytest.fixture
def log(genesis, entries):
    return b"".join(encode_log(genesis, entries))


def read(data, expected_head=None):
    """Lines as a file opened in binary mode gives them."""
    return decode_log(io.BytesIO(data), expected_head)


def line_of(data, position):
    """Number of the line that holds the byte at ``position``."""
    return data.count(b"\n", 0, position) + 1


def test_a_log_reads_back_with_its_head(genesis, entries):
    chain = HashChain()
    lines = list(encode_log(genesis, entries, chain))
    log = decode_log(lines, expected_head=chain.head)
    assert log.genesis == genesis
    assert log.entries == entries
    assert log.head == chain.head
    assert len(lines) == chain.lines == len(entries) + 1


def test_every_hash_covers_the_hash_before_and_the_line_without_its_hash(genesis, entries, log):
    head = NO_HASH
    bodies = [genesis_to_json(genesis), *(entry_to_json(entry) for entry in entries)]
    for line, body in zip(log.splitlines(), bodies, strict=True):
        head = Digest(keccak(head + canonical(body)))
        assert json.loads(line) == {**body, "hash": "0x" + head.hex()}


def test_the_first_line_describes_the_ledger(community, log):
    first = json.loads(log.splitlines()[0])
    assert first.pop("hash").startswith("0x")
    assert first == {
        "type": "genesis",
        "version": 1,
        "chain_id": 1337,
        "contract": "0x0102030405060708090a0b0c0d0e0f1011121314",
        "genesis_s": 1_600_000_000,
        "interval_s": 3600,
        "dso": "0x" + community.dso.address.hex(),
    }


def test_a_log_is_read_entry_by_entry(entries, log):
    reader = LogReader(io.BytesIO(log))
    heads = {reader.head}
    for entry, expected in zip(reader, entries, strict=True):
        assert entry == expected
        heads.add(reader.head)
    assert len(heads) == len(entries) + 1 == reader.line_number


def test_a_log_without_entries_is_a_log(genesis):
    assert decode_log(encode_log(genesis, [])).entries == []


def test_every_changed_byte_is_found_on_its_line(log):
    for position in range(len(log)):
        changed = bytearray(log)
        changed[position] ^= 1 + position % 255
        with pytest.raises(LogTampered) as caught:
            read(bytes(changed))
        assert caught.value.line_number == line_of(log, position)


def test_every_changed_bit_of_the_first_and_last_lines_is_found_on_its_line(log):
    short = len(log.splitlines()[0]) + 1
    for position in [*range(short), *range(len(log) - 200, len(log))]:
        for bit in range(8):
            changed = bytearray(log)
            changed[position] ^= 1 << bit
            with pytest.raises(LogTampered) as caught:
                read(bytes(changed))
            assert caught.value.line_number == line_of(log, position)


def test_every_truncation_inside_a_line_is_found_on_that_line(log):
    for length in range(len(log)):
        if length and log[length - 1 : length] == b"\n":
            continue
        with pytest.raises(LogTampered) as caught:
            read(log[:length])
        assert caught.value.line_number == line_of(log, length)


def test_a_truncation_between_lines_is_found_by_the_published_head(log):
    head = read(log).head
    cut = b"".join(log.splitlines(keepends=True)[:-1])
    assert read(cut).head != head
    with pytest.raises(LogTampered, match="was published") as caught:
        read(cut, expected_head=head)
    assert caught.value.line_number == cut.count(b"\n")


def test_a_log_rewritten_as_a_whole_is_found_by_the_published_head(genesis, entries, log):
    forged = b"".join(encode_log(genesis, entries[:1]))
    with pytest.raises(LogTampered, match="was published"):
        read(forged, expected_head=read(log).head)


def swapped(lines):
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


@pytest.mark.parametrize(
    ("change", "line_number"),
    [
        (lambda lines: [], 1),
        (lambda lines: lines[1:], 1),
        (swapped, 3),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
        (lambda lines: [*lines, lines[-1]], 7),
        (lambda lines: [*lines, b"\n"], 7),
        (lambda lines: [*lines[:2], b"\n", *lines[2:]], 3),
        (lambda lines: [*lines[:-1], lines[-1].rstrip(b"\n")], 6),
        (lambda lines: [line.replace(b"\n", b"\r\n") for line in lines], 1),
        (lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]], 1),
        (lambda lines: [lines[0], lines[1].replace(b'"seq":0', b'"seq": 0'), *lines[2:]], 2),
        (lambda lines: [lines[0], lines[1].replace(b'"seq":0', b'"seq":0,"seq":0'), *lines[2:]], 2),
        (lambda lines: [lines[0], lines[1].replace(b'"seq":0', b'"seq":\xff'), *lines[2:]], 2),
        (lambda lines: [lines[0], b"[]\n", *lines[2:]], 2),
        (lambda lines: [lines[0] + lines[1], *lines[2:]], 1),
    ],
)
def test_moved_missing_doubled_or_reformatted_lines_are_found(log, change, line_number):
    lines = log.splitlines(keepends=True)
    assert len(lines) == 6
    with pytest.raises(LogTampered) as caught:
        decode_log(change(lines))
    assert caught.value.line_number == line_number
    assert str(caught.value).startswith(f"line {line_number} was changed: ")
    assert str(caught.value).endswith("fetch the log again from its publisher")


def test_a_well_chained_line_with_a_wrong_field_is_refused(genesis, entries):
    chain = HashChain()
    lines = [chain.seal(genesis_to_json(genesis)), chain.seal({**entry_to_json(entries[0]), "seq": 1})]
    with pytest.raises(LogTampered, match=r"entry\.seq: expected 0, got 1") as caught:
        decode_log(lines)
    assert caught.value.line_number == 2


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", 2, "genesis.version: expected 1, got 2"),
        ("interval_s", 0, "interval_s is 0"),
        ("type", "entry", 'genesis.type: expected "genesis"'),
        ("contract", "0x", "genesis.contract: expected 0x and 40"),
        ("seq", 0, "genesis.seq: unknown"),
    ],
)
def test_a_genesis_of_another_format_is_refused(genesis, field, value, message):
    lines = [HashChain().seal({**genesis_to_json(genesis), field: value})]
    with pytest.raises(LogTampered) as caught:
        decode_log(lines)
    assert message in caught.value.reason


def test_a_refused_line_leaves_the_chain_as_it_was(log):
    first, second = log.splitlines(keepends=True)[:2]
    chain = HashChain()
    chain.open(first)
    head = chain.head
    with pytest.raises(LogTampered):
        chain.open(second.replace(b"0", b"1", 1))
    with pytest.raises(EncodingError):
        chain.seal({"a": 1.5})
    with pytest.raises(EncodingError):
        chain.seal({"hash": "mine"})
    assert (chain.head, chain.lines) == (head, 1)
    chain.open(second)


def test_entries_out_of_order_are_not_written(genesis, entries):
    with pytest.raises(EncodingError, match=r"entry\.seq: expected 0, got 1"):
        list(encode_log(genesis, entries[1:]))
    with pytest.raises(ValueError, match="fresh"):
        list(encode_log(genesis, entries, HashChain(lines=1)))


def test_two_ledgers_have_different_heads_from_the_first_line_on():
    grid = IntervalGrid(0, 900)
    dso = Address(bytes(19) + b"\x01")
    first = Genesis(Domain(1, Address(bytes(20))), grid, dso)
    second = Genesis(Domain(2, Address(bytes(20))), grid, dso)
    assert decode_log(encode_log(first, [])).head != decode_log(encode_log(second, [])).head

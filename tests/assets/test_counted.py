"""Counted signatures: they keep owners apart, and nothing real takes them for its own."""

import io
import pickle
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.chainlog import Genesis, LogReader, decode_log, encode_log
from assets.counted import KEY, RECOVER, SIGN, CountedDomain, CountedKey, CountedKeys
from assets.domain import Domain
from assets.errors import BadSignature, LogTampered
from assets.intervals import IntervalGrid
from assets.keys import ZERO_ADDRESS, Address, ThrowAwayKeys, recover_address
from assets.ledger import SpecLedger
from assets.notes import Note, epa, issued
from assets.transactions import Authorisation, FeederCapacity, Regulate, Transact, Withdraw, sign

GRID = IntervalGrid(3600, 3600)
REAL = Domain(1337, Address(bytes(19) + b"\1"))


def counted_domain() -> CountedDomain:
    return CountedDomain(REAL.chain_id, REAL.contract)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_counted_signature_tells_whose_it_is_and_of_what(secret, message):
    domain = counted_domain()
    key = CountedKey(secret, domain.counts)
    signature = key.sign(message)
    assert domain.recover(message, signature) == key.address
    assert domain.recover(bytes(32) if message != bytes(32) else bytes([1] * 32), signature) == ZERO_ADDRESS
    assert domain.counts == Counter({KEY: 1, SIGN: 1, RECOVER: 2})


@given(st.integers(0, 64), st.integers(1, 255))
def test_a_changed_signature_is_nobody_s(place, change):
    domain = counted_domain()
    key = CountedKeys(1, "test", domain.counts).fresh()
    signature = bytearray(key.sign(bytes(32)))
    signature[place] ^= change
    assert domain.recover(bytes(32), bytes(signature)) != key.address


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_real_and_counted_never_take_each_other_for_their_own(secret, message):
    domain = counted_domain()
    assert recover_address(message, CountedKey(secret, Counter()).sign(message)) == ZERO_ADDRESS
    assert domain.recover(message, ThrowAwayKeys(1, "real").fresh().sign(message)) == ZERO_ADDRESS


def test_digests_of_a_counted_ledger_are_those_of_no_real_one():
    assert counted_domain().separator != REAL.separator
    assert counted_domain() != REAL
    assert counted_domain() == counted_domain(), "what was counted makes no other ledger"


def test_a_counted_key_has_nothing_that_real_parts_could_use():
    key = CountedKeys(1, "test", Counter()).fresh()
    with pytest.raises(TypeError, match="counted and not executed"):
        _ = key.public_key
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert key.sign(bytes(32))[:32].hex() not in repr(key)
    with pytest.raises(ValueError, match="32 bytes"):
        key.sign(b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        CountedKey(b"short", Counter())


def test_keys_are_reproducible_distinct_and_not_those_of_the_executed_run():
    keys, again = CountedKeys(1, "a", Counter()), CountedKeys(1, "a", Counter())
    addresses = [keys.fresh().address for _ in range(20)]
    assert len(set(addresses)) == 20
    assert addresses == [again.fresh().address for _ in range(20)]
    others = CountedKeys(1, "b", Counter()), CountedKeys(2, "a", Counter()), ThrowAwayKeys(1, "a")
    assert not {other.fresh().address for other in others} & set(addresses)


def ledger_with_a_note():
    domain = counted_domain()
    keys = CountedKeys(1, "ledger", domain.counts)
    dso, meter, owner = keys.fresh(), keys.fresh(), keys.fresh()
    ledger = SpecLedger(domain, GRID, dso.address, time_s=0)
    enrol = Regulate(0, (FeederCapacity(0, 100, 100),), (Authorisation(1, meter.address, 0, 100, 100, 0),))
    issue = Withdraw(1, 0, 0, (epa(owner.address, 100, 0, 0),))
    for signed in (sign(domain, enrol, dso), sign(domain, issue, meter)):
        ledger.submit([signed])[0].require()
    (note,) = issued(issue.outputs, ledger.entries()[-1].digest)
    return ledger, note, owner, keys


def test_a_counted_ledger_still_refuses_whoever_does_not_own_a_note():
    ledger, note, owner, keys = ledger_with_a_note()
    thief = keys.fresh()
    theft = Transact((note,), (Note(note.note.kind, thief.address, 100, 0, 0),))
    (receipt,) = ledger.submit([sign(ledger.domain, theft, thief)])
    assert isinstance(receipt.refusal, BadSignature)
    assert ledger.submit([sign(ledger.domain, theft, owner)])[0].accepted


def test_a_signature_made_for_the_real_ledger_is_refused():
    ledger, note, owner, _ = ledger_with_a_note()
    move = Transact((note,), (note.note,))
    assert isinstance(ledger.submit([sign(REAL, move, owner)])[0].refusal, BadSignature)


def test_its_log_is_read_only_by_whoever_asks_for_it():
    ledger, *_ = ledger_with_a_note()
    log = b"".join(encode_log(Genesis(ledger.domain, GRID, ledger.founder), ledger.entries()))
    for read in (LogReader, decode_log):
        with pytest.raises(LogTampered, match=r"line 1.*counted and not executed"):
            read(io.BytesIO(log))
    reader = LogReader(io.BytesIO(log), counted=True)
    assert list(reader) == ledger.entries()
    assert isinstance(reader.genesis.domain, CountedDomain)


def test_who_asks_for_counted_logs_reads_real_ones_as_real():
    log = b"".join(encode_log(Genesis(REAL, GRID, Address(b"\2" * 20)), []))
    assert LogReader(io.BytesIO(log), counted=True).genesis.domain == REAL

"""Attempts to make the ledger take one value for another."""

import copy

import pytest

from assets.errors import EncodingError
from assets.keys import Address, Digest, SigningKey
from assets.ledger import check
from assets.notes import IssuedNote, Kind, Note, NoteId, epa, fa, issued
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settlement,
    Signed,
    Transact,
    Withdraw,
    digest,
    sign,
)


@pytest.fixture
def short_key():
    """A key whose address ends in a zero byte, so that its first 19 bytes and a zero read as the address."""
    return next(key for n in range(1, 10_000) if (key := SigningKey(n.to_bytes(32, "big"))).address.endswith(b"\0"))


def test_a_note_cannot_be_inflated_by_shifting_the_borders_of_its_fields(community, domain, short_key):
    """An owner one byte short would move a byte of the quantity into the owner: 1 nano-unit would spend as 256."""
    tx = Withdraw(1, 0, 0, (fa(Address(short_key.address[:19]), 1),))
    before = copy.deepcopy(community.state)
    with pytest.raises(EncodingError, match="20 bytes"):
        community.submit(sign(domain, tx, community.meters[1]))
    assert community.state == before
    with pytest.raises(EncodingError, match="20 bytes"):
        _ = IssuedNote(tx.outputs[0], Digest(bytes(32)), 0).id
    with pytest.raises(EncodingError, match="32 bytes"):
        _ = IssuedNote(fa(short_key.address, 256), Digest(bytes(31)), 0).id


OWNER = Address(b"\x11" * 20)
NOTE = epa(OWNER, 5, 0, 0)
GRANT = Authorisation(1, OWNER, 7, 1, 1, 1)


@pytest.mark.parametrize(
    "tx",
    [
        Withdraw(2**32, 0, 0, (NOTE,)),
        Withdraw(1, 2**64, 0, (NOTE,)),
        Withdraw(1, 0, -1, (NOTE,)),
        Withdraw(1, 0, 0, (Note(256, OWNER, 5, 0, 0),)),
        Withdraw(1, 0, 0, (Note(Kind.EPA, OWNER, 2**64, 0, 0),)),
        Withdraw(1, 0, 0, (Note(Kind.EPA, OWNER, -5, 0, 0),)),
        Withdraw(1, 0, 0, (Note(Kind.EPA, OWNER, 5, 2**32, 2**32),)),
        Withdraw(1, 0, 0, (Note(Kind.EPA, Address(b"\x11" * 21), 5, 0, 0),)),
        Transact((IssuedNote(NOTE, Digest(bytes(32)), -1),), (NOTE,)),
        Transact((IssuedNote(NOTE, Digest(bytes(33)), 0),), (NOTE,)),
        Transact((), (NOTE,), Digest(b"")),
        Regulate(-1),
        Regulate(1, feeders=(FeederCapacity(2**32, 1, 1),)),
        Regulate(1, feeders=(FeederCapacity(1, -1, 1),)),
        Regulate(1, authorise=(Authorisation(2**32 + 1, OWNER, 7, 1, 1, 1),)),
        Regulate(1, authorise=(Authorisation(1, Address(b"\x11" * 19), 7, 1, 1, 1),)),
        Regulate(1, authorise=(Authorisation(1, OWNER, 7, 1, 1, -1),)),
        Regulate(1, ban=(-1,)),
        Regulate(1, settle=(Settlement(1, 2**64),)),
        Regulate(1, prices=(PriceChange(2**64, 1, 1),)),
        Regulate(1, prices=(PriceChange(0, 1, -1),)),
    ],
)
def test_what_the_signed_types_cannot_express_has_no_digest_and_changes_nothing(community, domain, tx):
    good = sign(domain, Withdraw(1, 0, 0, (NOTE,)), community.meters[1])
    before = copy.deepcopy(community.state)
    with pytest.raises(EncodingError, match="expected"):
        digest(domain, tx)
    with pytest.raises(EncodingError, match="expected"):
        community.ledger.submit([good, Signed(tx, (bytes(65),))])
    assert community.state == before, "a batch with an inexpressible transaction is the caller's mistake as a whole"


def test_a_domain_has_a_whole_contract_address():
    with pytest.raises(EncodingError, match="20 bytes"):
        digest(Domain(1, Address(bytes(19))), Regulate(0))


def test_a_note_of_one_kind_is_not_spent_as_another(community, assert_refused):
    home = community.homes[0]
    (sun,) = community.issue(1, epa(home.address, 500, 0, 0))
    forged = IssuedNote(fa(home.address, 500), sun.origin, sun.index)
    receipt, _ = community.transact((forged,), (fa(home.address, 500),), home)
    assert type(receipt.refusal).__name__ == "UnknownNote"
    assert receipt.refusal.args == (forged.id,)


def test_no_note_id_is_ever_created_twice(community):
    home, meter = community.homes[0], community.meters[1]
    seen: set[NoteId] = set()
    for nonce in range(5):
        tx = Withdraw(1, nonce, 0, (fa(home.address, 1), fa(home.address, 1)))
        community.submit(sign(community.ledger.domain, tx, meter)).require()
        seen |= {note.id for note in issued(tx.outputs, digest(community.ledger.domain, tx))}
    assert len(seen) == 10


@pytest.mark.parametrize("other", [Domain(1338, Address(bytes(range(1, 21)))), Domain(1337, Address(b"\x01" * 20))])
def test_a_signature_for_another_ledger_is_worth_nothing_here(community, other):
    signed = sign(other, Withdraw(1, 0, 0, (NOTE,)), community.meters[1])
    with pytest.raises(Exception, match="BadSignature") as caught:
        check(community.state, signed, digest(community.state.domain, signed.tx))
    assert caught.value.args[0] == community.meters[1].address

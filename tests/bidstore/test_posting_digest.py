"""What a posting signs, and what makes notes interchangeable in an auction."""

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import EncodingError, FractionalEnergy
from assets.keys import Address, Digest, ThrowAwayKeys, recover_address
from assets.notes import IssuedNote, epa
from assets.orders import Order, Side, order_digest, sign_order
from assets.transactions import Domain
from bidstore.posting import NoteClass, class_of, posting_digest, sign_posting

DOMAIN = Domain(31, Address(bytes(19) + b"\x01"))
CHALLENGE = bytes(range(32))
ORIGIN = Digest(bytes(31) + b"\x07")
DOMAIN_FIELDS = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))
words = st.binary(min_size=32, max_size=32)


@settings(deadline=None)
@given(words.map(Digest), words, st.integers(1, 2**64))
def test_the_digest_is_that_of_the_typed_data_in_a_wallet_library(order_id, challenge, chain_id) -> None:
    domain = Domain(chain_id, DOMAIN.contract)
    typed = {
        "types": {
            "EIP712Domain": [{"name": n, "type": t} for n, t in DOMAIN_FIELDS],
            "Posting": [{"name": "order", "type": "bytes32"}, {"name": "challenge", "type": "bytes32"}],
        },
        "primaryType": "Posting",
        "domain": {
            "name": "PETra",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": "0x" + domain.contract.hex(),
        },
        "message": {"order": order_id, "challenge": challenge},
    }
    message = encode_typed_data(full_message=typed)
    assert posting_digest(domain, order_id, challenge) == keccak(
        b"\x19" + message.version + message.header + message.body
    )


def test_order_challenge_and_ledger_are_signed() -> None:
    digests = {
        posting_digest(DOMAIN, ORIGIN, CHALLENGE),
        posting_digest(DOMAIN, Digest(bytes(32)), CHALLENGE),
        posting_digest(DOMAIN, ORIGIN, bytes(32)),
        posting_digest(Domain(32, DOMAIN.contract), ORIGIN, CHALLENGE),
    }
    assert len(digests) == 4


@pytest.mark.parametrize(("order_id", "challenge"), [(bytes(31), CHALLENGE), (ORIGIN, bytes(31))])
def test_a_part_of_another_length_has_no_digest(order_id, challenge) -> None:
    with pytest.raises(EncodingError):
        posting_digest(DOMAIN, order_id, challenge)


def test_a_posting_is_signed_with_the_key_of_the_energy_note() -> None:
    key = ThrowAwayKeys(1, "posting").fresh()
    note = IssuedNote(epa(key.address, 400, 5, 6), ORIGIN, 0)
    order = Order(Side.SELL, note, (), 1, key.address, key.address, 10, 400)
    signed = sign_order(DOMAIN, order, key)
    posting = sign_posting(DOMAIN, signed, CHALLENGE, key)
    message = posting_digest(DOMAIN, order_digest(DOMAIN, order), CHALLENGE)
    assert posting.signed == signed
    assert recover_address(message, posting.signature) == key.address
    assert posting.signature != signed.signatures[0], "the order's own signature is no proof of ownership now"


def test_energy_counts_every_interval_of_the_span() -> None:
    note = IssuedNote(epa(Address(b"\x02" * 20), 400, 5, 6), ORIGIN, 0)
    order = Order(Side.SELL, note, (), 1, note.note.owner, note.note.owner, 10, 400)
    assert class_of(order) == NoteClass(400, 5, 6)
    assert class_of(order).energy_wh(900) == 200  # 400 W for two quarter-hours


def test_fractional_energy_is_refused() -> None:
    with pytest.raises(FractionalEnergy):
        NoteClass(400, 5, 6).energy_wh(4)

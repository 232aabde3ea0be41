"""The digest of an offer, and what every one of its fields means for it."""

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import EncodingError, FractionalEnergy
from assets.keys import Address, Digest, ThrowAwayKeys, recover_address
from assets.notes import IssuedNote, eca, epa, fa
from assets.transactions import Domain
from bidstore.offer import NoteClass, Offer, Side, offer_digest, sign_offer

DOMAIN = Domain(31, Address(bytes(19) + b"\x01"))
CHALLENGE = bytes(range(32))
ORIGIN = Digest(bytes(31) + b"\x07")

addresses = st.binary(min_size=20, max_size=20).map(Address)
u64 = st.integers(0, 2**64 - 1)
offers = st.builds(
    lambda side, owners, limit, deliver, pay, expires: Offer(
        side,
        IssuedNote((epa if side is Side.SELL else eca)(owners[0], 400, 5, 6), ORIGIN, 0),
        tuple(IssuedNote(fa(owner, 10), ORIGIN, i) for i, owner in enumerate(owners[1:], 1)),
        limit,
        deliver,
        pay,
        expires,
    ),
    st.sampled_from(Side),
    st.lists(addresses, min_size=1, max_size=4),
    u64,
    addresses,
    addresses,
    u64,
)

FIELDS = (
    ("side", "uint8"), ("energy", "bytes32"), ("money", "bytes32[]"), ("limitNanoPerWh", "uint64"),
    ("deliverTo", "address"), ("payTo", "address"), ("expiresS", "uint64"), ("challenge", "bytes32"),
)  # fmt: skip
DOMAIN_FIELDS = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"))


def sale() -> Offer:
    note = IssuedNote(epa(Address(b"\x02" * 20), 400, 5, 6), ORIGIN, 0)
    return Offer(Side.SELL, note, (), 100, Address(b"\x03" * 20), Address(b"\x04" * 20), 10_000)


@settings(deadline=None)
@given(offers, st.binary(min_size=32, max_size=32), st.integers(1, 2**64))
def test_the_digest_is_that_of_the_typed_data_in_a_wallet_library(offer, challenge, chain_id) -> None:
    domain = Domain(chain_id, DOMAIN.contract)
    values = (
        int(offer.side), offer.energy.id, [n.id for n in offer.money], offer.limit_nano_per_wh,
        "0x" + offer.deliver_to.hex(), "0x" + offer.pay_to.hex(), offer.expires_s, challenge,
    )  # fmt: skip
    typed = {
        "types": {
            "EIP712Domain": [{"name": n, "type": t} for n, t in DOMAIN_FIELDS],
            "Offer": [{"name": n, "type": t} for n, t in FIELDS],
        },
        "primaryType": "Offer",
        "domain": {
            "name": "PETra",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": "0x" + domain.contract.hex(),
        },
        "message": dict(zip((n for n, _ in FIELDS), values, strict=True)),
    }
    message = encode_typed_data(full_message=typed)
    assert offer_digest(domain, offer, challenge) == keccak(b"\x19" + message.version + message.header + message.body)


def test_every_field_is_signed() -> None:
    offer = sale()
    other = IssuedNote(offer.energy.note, ORIGIN, 1)
    changed = [
        replace(offer, side=Side.BUY),
        replace(offer, energy=other),
        replace(offer, money=(other,)),
        replace(offer, limit_nano_per_wh=101),
        replace(offer, deliver_to=offer.pay_to),
        replace(offer, pay_to=offer.deliver_to),
        replace(offer, expires_s=10_001),
    ]
    digests = {offer_digest(DOMAIN, o, CHALLENGE) for o in (offer, *changed)}
    digests |= {offer_digest(DOMAIN, offer, bytes(32)), offer_digest(Domain(32, DOMAIN.contract), offer, CHALLENGE)}
    assert len(digests) == len(changed) + 3


@pytest.mark.parametrize(
    "change",
    [
        {"deliver_to": Address(bytes(19))},
        {"pay_to": Address(bytes(21))},
        {"limit_nano_per_wh": -1},
        {"limit_nano_per_wh": 2**64},
        {"expires_s": 2**64},
    ],
    ids=str,
)
def test_what_the_typed_data_cannot_express_has_no_digest(change) -> None:
    with pytest.raises(EncodingError):
        offer_digest(DOMAIN, replace(sale(), **change), CHALLENGE)


def test_a_challenge_of_another_length_has_no_digest() -> None:
    with pytest.raises(EncodingError):
        offer_digest(DOMAIN, sale(), bytes(31))


def test_one_signature_for_each_run_of_notes_of_one_owner() -> None:
    keys = ThrowAwayKeys(1, "offer")
    first, second = keys.fresh(), keys.fresh()
    notes = [IssuedNote(fa(key.address, 1), ORIGIN, i) for i, key in enumerate((first, second, second))]
    energy = IssuedNote(eca(first.address, 400, 5, 5), ORIGIN, 9)
    offer = replace(sale(), side=Side.BUY, energy=energy, money=tuple(notes))
    assert offer.owners == (first.address, second.address)
    signed = sign_offer(DOMAIN, offer, CHALLENGE, first, second)
    message = offer_digest(DOMAIN, offer, CHALLENGE)
    assert tuple(recover_address(message, s) for s in signed.signatures) == offer.owners


def test_energy_counts_every_interval_of_the_span() -> None:
    assert sale().energy_wh(900) == 200  # 400 W for two quarter-hours
    assert sale().note_class == NoteClass(400, 5, 6)


def test_fractional_energy_is_refused() -> None:
    with pytest.raises(FractionalEnergy):
        sale().energy_wh(4)

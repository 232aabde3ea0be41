import copy
import pickle

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from assets.hashing import keccak
from assets.keys import ORDER, ZERO_ADDRESS, RandomKeys, SigningKey, ThrowAwayKeys, recover_address

secrets_ = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32, "big"))
digests = st.binary(min_size=32, max_size=32)
KEY = SigningKey(keccak(b"a key"))
DIGEST = keccak(b"a digest")
SIGNATURE = KEY.sign(DIGEST)


@pytest.mark.parametrize(
    ("secret", "address"),
    [
        (1, "7e5f4552091a69125d5dfcb7b8c2659029395bdf"),
        (2, "2b5ad5c4795c026514f8317c7a215e218dccd6cf"),
        (
            0xAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80,
            "f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        ),
    ],
)
def test_well_known_keys_have_their_well_known_addresses(secret, address):
    assert SigningKey(secret.to_bytes(32, "big")).address.hex() == address


@given(secrets_, digests)
def test_address_and_signature_are_those_of_any_ethereum_wallet(secret, digest):
    key, account = SigningKey(secret), Account.from_key(secret)
    assert "0x" + key.address.hex() == account.address.lower()
    assert key.sign(digest) == bytes(account.unsafe_sign_hash(digest).signature)
    assert recover_address(digest, key.sign(digest)) == key.address


@pytest.mark.parametrize("secret", [b"", bytes(31), bytes(32), bytes(33), ORDER.to_bytes(32, "big"), b"\xff" * 32])
def test_what_is_no_private_key_is_refused_without_showing_it(secret):
    with pytest.raises(ValueError, match="a signing key is 32 bytes between 1 and the group order - 1") as caught:
        SigningKey(secret)
    assert "ff" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_only_a_digest_is_signed(length):
    with pytest.raises(ValueError, match=f"a digest has 32 bytes, this one {length}"):
        KEY.sign(bytes(length))


def test_a_malleated_signature_recovers_nobody():
    s = int.from_bytes(SIGNATURE[32:64], "big")
    twin = SIGNATURE[:32] + (ORDER - s).to_bytes(32, "big") + bytes([27 + 28 - SIGNATURE[64]])
    assert recover_address(DIGEST, twin) == ZERO_ADDRESS


@pytest.mark.parametrize("v", [v for v in range(256) if v not in (27, 28)])
def test_a_recovery_byte_other_than_27_and_28_recovers_nobody(v):
    assert recover_address(DIGEST, SIGNATURE[:64] + bytes([v])) == ZERO_ADDRESS


def test_the_other_recovery_byte_recovers_somebody_else():
    assert recover_address(DIGEST, SIGNATURE[:64] + bytes([55 - SIGNATURE[64]])) != KEY.address


@pytest.mark.parametrize("signature", [b"", SIGNATURE[:64], SIGNATURE + b"\0", bytes(65), bytes(64) + b"\x1b"])
def test_a_signature_of_the_wrong_length_recovers_nobody(signature):
    assert recover_address(DIGEST, signature) == ZERO_ADDRESS


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, 1), (ORDER, 1), (2**256 - 1, 1), (1, 0), (1, ORDER // 2 + 1), (1, ORDER), (5, 1)],
    ids=["r zero", "r order", "r huge", "s zero", "s high", "s order", "r off the curve"],
)
def test_numbers_out_of_range_or_off_the_curve_recover_nobody(r, s):
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + b"\x1b"
    assert recover_address(DIGEST, signature) == ZERO_ADDRESS


@given(st.binary(min_size=65, max_size=65), digests)
def test_arbitrary_bytes_never_recover_a_known_key(signature, digest):
    assert recover_address(digest, signature) != KEY.address


def test_a_key_never_shows_itself():
    secret = bytes(range(1, 33))
    key = SigningKey(secret)
    for text in (repr(key), str(key), f"{key}", repr([key]), repr({"key": key})):
        assert secret.hex() not in text
        assert str(int.from_bytes(secret, "big")) not in text
    assert repr(key) == f"SigningKey(address=0x{key.address.hex()})"
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_key_is_neither_pickled_nor_copied(protocol):
    with pytest.raises(TypeError, match="a signing key is not pickled; store it in a keystore"):
        pickle.dumps(KEY, protocol)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(KEY)


def test_throw_away_keys_are_the_same_for_the_same_seed_and_label():
    def addresses(seed, label):
        keys = ThrowAwayKeys(seed, label)
        return [keys.fresh().address for _ in range(20)]

    assert addresses(1, "home 1") == addresses(1, "home 1")
    different = {address for seed in (1, 2) for label in ("home 1", "home 2") for address in addresses(seed, label)}
    assert len(different) == 80
    assert addresses(1, "1/x") != addresses(11, "x")


def test_throw_away_keys_do_not_show_their_root():
    keys = ThrowAwayKeys(1, "home")
    keys.fresh()
    assert repr(keys) == "ThrowAwayKeys(issued=1)"


def test_random_keys_never_repeat():
    assert len({RandomKeys().fresh().address for _ in range(50)}) == 50

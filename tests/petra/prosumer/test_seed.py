import pickle

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.keys import ORDER
from petra.prosumer.seed import HomeSeed, PhraseError, SeedPhrase
from smartmeter.identity import DepositSeed, OwnerSeed

# 24-word vectors with a valid key's entropy, from the BIP-39 reference implementation's vectors.json.
VECTORS = [
    (
        "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
        "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal "
        "winner thank year wave sausage worth title",
    ),
    (
        "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
        "hamster diagram private dutch cause delay private meat slide toddler razor book happy fancy gospel tennis "
        "maple dilemma loan word shrug inflict delay length",
    ),
]
PHRASE = SeedPhrase(bytes.fromhex(VECTORS[0][0]))
entropies = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32, "big"))


@pytest.mark.parametrize(("entropy", "words"), VECTORS)
def test_the_words_are_those_of_bip_39(entropy, words):
    assert SeedPhrase(bytes.fromhex(entropy)).reveal() == words
    assert SeedPhrase.parse(words).entropy.hex() == entropy


@given(entropies)
def test_what_was_written_down_is_read_back(entropy):
    phrase = SeedPhrase(entropy)
    typed = "  " + phrase.reveal().upper().replace(" ", "\n ") + "\t"
    assert SeedPhrase.parse(typed).entropy == entropy


def test_generated_phrases_differ():
    assert SeedPhrase.generate().entropy != SeedPhrase.generate().entropy


def test_a_word_too_few_is_said():
    with pytest.raises(PhraseError, match="24 words, this one 23"):
        SeedPhrase.parse(" ".join(PHRASE.reveal().split()[1:]))


def test_a_misspelt_word_is_named_by_its_place_and_not_shown():
    words = PHRASE.reveal().split()
    words[6] = "worthh"
    with pytest.raises(PhraseError, match="word 7 ") as error:
        SeedPhrase.parse(" ".join(words))
    assert "worthh" not in str(error.value)


def test_exchanged_words_are_noticed():
    words = PHRASE.reveal().split()
    words[0], words[1] = words[1], words[0]
    with pytest.raises(PhraseError, match="do not belong together"):
        SeedPhrase.parse(" ".join(words))


def test_the_phrase_that_everybody_knows_is_refused():
    with pytest.raises(PhraseError, match="everybody knows"):
        SeedPhrase.parse("abandon " * 23 + "art")


def test_secrets_show_themselves_nowhere():
    seed = HomeSeed(PHRASE)
    for secret in (PHRASE, seed, seed._meter):
        shown = f"{secret!r} {secret}"
        assert "legal" not in shown
        assert seed.meter_seed.hex() not in shown
    for secret in (PHRASE, seed):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)


@settings(max_examples=15)
@given(entropy=entropies, window=st.integers(0, 2**31 - 1), index=st.integers(0, 2**31 - 1))
def test_keys_are_those_of_bip_32_as_another_derivation_has_them(entropy, window, index):
    phrase = SeedPhrase(entropy)
    Account.enable_unaudited_hdwallet_features()
    other = Account.from_mnemonic(phrase.reveal(), account_path=f"m/20252'/0'/1'/{window}'/{index}'")
    key = HomeSeed(phrase).mixed_key(window, index)
    assert key.address == bytes.fromhex(other.address[2:])


def test_the_meters_seed_and_the_files_secret_are_branches_of_their_own():
    seed = HomeSeed(PHRASE)
    Account.enable_unaudited_hdwallet_features()
    for secret, branch in ((seed.meter_seed, 0), (seed.state_secret, 2)):
        assert secret == bytes(Account.from_mnemonic(PHRASE.reveal(), account_path=f"m/20252'/0'/{branch}'").key)


@settings(max_examples=15)
@given(entropies, st.integers(0, 2**31 - 1))
def test_no_two_places_share_an_address_and_the_meter_has_none_of_the_mixed_ones(entropy, window):
    first, again = HomeSeed(SeedPhrase(entropy)), HomeSeed(SeedPhrase(entropy))
    mixed = [first.mixed_key(window, i).address for i in range(8)]
    assert mixed == [again.mixed_key(window, i).address for i in range(8)]
    owners, deposits = OwnerSeed(first.meter_seed), DepositSeed(first.meter_seed)
    meters = [a for i in range(8) for a in (owners.key(window, i).address, deposits.address(window, i))]
    other = HomeSeed(SeedPhrase.generate())
    everything = [*mixed, *meters, *(other.mixed_key(window, i).address for i in range(8))]
    assert len(set(everything)) == len(everything)


def test_a_step_that_bip_32_cannot_express_is_refused():
    with pytest.raises(ValueError, match="a step of a path"):
        HomeSeed(PHRASE).mixed_key(2**31, 0)

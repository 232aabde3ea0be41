"""Profiles: exact decoding, strict files, and the documented addresses."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartmeter.profile import ProfileError, built_in, load_all, parse
from smartmeter.registers import TYPES, RegisterError, decode, encode
from smartmeter.sunspec import MARK, discover

DOCUMENTED = {
    "sdm630": (4, 0x48, 0x4A),
    "umg96": (3, 19068, 19076),
    "cvm-c5": (4, 0x3C, 0x60),
    "em24": (4, 0x42, 0x5C),
    "em340": (4, 0x34, 0x4E),
    "sunspec-203": (3, 46, 38),
    "sunspec-213": (3, 68, 60),
    "sunspec-701": (3, 23, 19),
}

MINIMAL = """
vendor = "Acme"
model = "One"
[registers.import_energy]
address = 10
type = "uint32"
unit = "kWh"
scale = 0.01
[registers.export_energy]
address = 12
type = "uint32"
unit = "kWh"
scale = 0.01
"""


def test_the_built_in_profiles_stand_at_the_documented_addresses() -> None:
    found = {
        name: (p.function, p.registers["import_energy"].address, p.registers["export_energy"].address)
        for name, p in built_in().items()
    }
    assert found == DOCUMENTED


@given(st.sampled_from(sorted(TYPES)), st.sampled_from(["big", "little"]), st.integers(0, 30_000))
def test_what_is_encoded_is_decoded(kind: str, order: str, value: int) -> None:
    assert decode(encode(Fraction(value), kind, order), kind, order) == value


def test_the_low_word_comes_first_at_carlo_gavazzi() -> None:
    em24 = built_in()["em24"]
    assert em24.value("import_energy", {0x42: 0x86A1, 0x43: 0x0001}) == 10_000_100  # 100 001 steps of 0.1 kWh


def test_a_sunspec_scale_factor_applies_and_an_absent_value_is_refused() -> None:
    p = built_in()["sunspec-203"]
    base = 40_070
    memory = {base + 46: 0, base + 47: 123, base + 38: 0, base + 39: 7, base + 54: 2}
    assert p.value("import_energy", memory, base) == 12_300
    with pytest.raises(RegisterError, match="not implement"):
        p.value("import_energy", memory | {base + 54: 0x8000}, base)
    with pytest.raises(RegisterError, match="did not answer"):
        p.value("import_energy", {}, base)


@pytest.mark.parametrize("words", [(0x7FC0, 0), (0x7F80, 0)])
def test_not_a_number_is_no_reading(words: tuple[int, int]) -> None:
    with pytest.raises(RegisterError, match="finite"):
        decode(words, "float32", "big")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("address = 10", "address = 70000"), "0 to 65535"),
        (('"uint32"', '"uint33"'), "type is one of"),
        (('"kWh"', '"Ws"'), "unit is one of"),
        (("scale = 0.01", "scale = 0"), "docs/meter.md"),
        (("address = 12", "adress = 12"), "unknown key 'adress'"),
        (("[registers.export_energy]", "[registers.export]"), "registers need"),
        (('vendor = "Acme"', "function = 6"), "give 3 or 4"),
        (('vendor = "Acme"', "vendor = 1"), "text"),
        (('vendor = "Acme"', "vendor = "), "my.toml"),
    ],
)
def test_a_wrong_profile_is_refused_in_one_sentence(change: tuple[str, str], says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        parse("my", MINIMAL.replace(*change), "my.toml")


def test_a_new_model_needs_only_a_file(tmp_path) -> None:
    (tmp_path / "acme.toml").write_text(MINIMAL)
    acme = load_all(tmp_path)["acme"]
    dump = {10: 0, 11: 1234, 12: 1, 13: 0}
    assert acme.fits(dump)
    assert acme.value("import_energy", dump) == 12_340
    assert acme.value("export_energy", dump) == 655_360
    assert acme.registers["import_energy"].wraps_at == 2**32
    assert acme.reads() == [(10, 4)]


@pytest.mark.anyio
async def test_models_are_found_by_walking_the_map() -> None:
    memory = dict(enumerate([*MARK, 1, 2, 0, 0, 203, 1, 0, 0xFFFF, 0], start=50_000))

    async def read(address: int, count: int) -> list[int] | None:
        words = [memory.get(address + i) for i in range(count)]
        return None if None in words else words

    assert await discover(read) == {1: 50_002, 203: 50_006}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"

"""Every profile reads its register dump as the device's display did; a new model is a TOML file and a dump."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from smartmeter.analyser import Analyser, Unreachable, probe
from smartmeter.dump import Dump, DumpError, Recorder, load, to_toml
from smartmeter.profile import built_in, load_all
from smartmeter.registers import RegisterError
from smartmeter.sunspec import identify

DUMPS = {path.stem: path for path in Path(__file__).with_name("dumps").glob("*.toml")}
PROFILES = built_in()


def test_every_profile_has_a_dump() -> None:
    assert DUMPS.keys() >= PROFILES.keys()


@pytest.mark.parametrize("name", sorted(DUMPS))
def test_a_profile_reads_its_dump_as_the_display_did(name: str, tmp_path: Path) -> None:
    dump = load(DUMPS[name])
    recorder = Recorder(dump)
    sample = asyncio.run(Analyser(recorder, PROFILES[dump.profile]).sample())
    assert (sample.import_wh, sample.export_wh) == (dump.import_wh, dump.export_wh)
    assert dump.profile in asyncio.run(probe(dump, PROFILES))
    again = recorder.dump(dump.profile, sample, dump.source)
    (tmp_path / "again.toml").write_text(to_toml(again))
    assert load(tmp_path / "again.toml") == again
    assert again.words.items() <= dict(dump.words).items()


def test_a_new_model_is_a_profile_and_a_dump_without_python(tmp_path: Path) -> None:
    text = 'vendor = "Acme"\nmodel = "One"\n'
    for name, address in (("import_energy", 10), ("export_energy", 12)):
        text += f'[registers.{name}]\naddress = {address}\ntype = "uint32"\nunit = "kWh"\nscale = 0.01\n'
    (tmp_path / "acme.toml").write_text(text)
    dump = tmp_path / "dump"
    dump.write_text('source = "x"\nprofile = "acme"\nimport_wh = 12340\nexport_wh = 655360\n[function_3]\n')
    with dump.open("a") as file:
        file.write('10 = "0000 04d2 0001 0000"\n')
    sample = asyncio.run(Analyser(load(dump), load_all(tmp_path)["acme"]).sample())
    assert (sample.import_wh, sample.export_wh) == (12_340, 655_360)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('profile = "umg96"', ""),
        ("import_wh = 7654321", 'import_wh = "many"'),
        ("4ae9", "14ae9"),
        ("4ae9", "xyz"),
        ("[function_3]", "[function_three]"),
        ("19068", "here"),
        ("[function_3]", "[function_3"),
    ],
)
def test_what_is_no_dump_is_said_in_one_sentence(tmp_path: Path, old: str, new: str) -> None:
    text = DUMPS["umg96"].read_text()
    assert old in text
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(DumpError, match=r"bad\.toml: is no register dump .* petra meter probe --record"):
        load(path)
    with pytest.raises(DumpError, match=r"none\.toml"):
        load(tmp_path / "none.toml")


def test_a_counter_beyond_all_counters_is_no_reading() -> None:
    words = {(4, 0x46): 0x4248, (4, 0x47): 0} | {(4, 0x48 + i): word for i, word in enumerate((0x7F00, 0, 0, 0))}
    with pytest.raises(RegisterError, match="word order"):
        asyncio.run(Analyser(Dump("sdm630", 0, 0, words), PROFILES["sdm630"]).sample())


def test_a_sunspec_device_says_who_it_is() -> None:
    async def told(dump: Dump) -> str | None:
        return await identify(lambda address, count: dump.read(3, address, count, 1))

    assert asyncio.run(told(load(DUMPS["sunspec-203"]))) == "SunSpec device ACME M1, models 1, 203"
    assert asyncio.run(told(load(DUMPS["umg96"]))) is None


def test_a_sunspec_device_that_was_exchanged_is_walked_again() -> None:
    class Exchanged:
        """Answers as one device, then is silent once, then answers as another whose map starts elsewhere."""

        shift = 0
        silent = False

        async def read(self, function: int, address: int, count: int, device_id: int) -> list[int] | None:
            return None if self.silent else await dump.read(function, address - self.shift, count, device_id)

    dump, device = load(DUMPS["sunspec-203"]), Exchanged()
    analyser = Analyser(device, PROFILES["sunspec-203"])

    async def run() -> None:
        first = await analyser.sample()
        device.silent = True
        with pytest.raises(Unreachable):
            await analyser.sample()
        device.silent, device.shift = False, 10_000
        second = await analyser.sample()
        assert first.import_wh == second.import_wh == dump.import_wh

    asyncio.run(run())


def test_a_sample_says_how_coarse_the_counters_are_now() -> None:
    """A scale factor of 2 means steps of 100 Wh; a float32 of kWh beyond 2**17 has steps of 1/64 kWh."""
    sunspec = asyncio.run(Analyser(load(DUMPS["sunspec-203"]), PROFILES["sunspec-203"]).sample())
    assert (sunspec.import_step_wh, sunspec.export_step_wh) == (100, 100)
    old = load(DUMPS["sdm630"])
    words = dict(old.words) | {(4, 0x48): 0x4800, (4, 0x49): 0x0000}
    sample = asyncio.run(Analyser(replace(old, words=words), PROFILES["sdm630"]).sample())
    assert (sample.import_wh, sample.import_step_wh) == (131_072_000, 16)
    assert sample.export_step_wh == 1

"""The homes of a village: their energy, what their simulators play, and their meters' folders."""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey
from assets.transactions import Domain
from dso.tariff import Tariff
from petra.homes.battery import net_after_battery
from petra.homes.community import COMMUNITY, generate
from petra.homes.csv_profiles import COLUMNS, read_profiles
from petra.homes.profile import HomeProfile, Profiles
from petra.scenario import Scenario, default_scenario
from petra.village.options import Options
from smartmeter.identity import LIGHT_N, save_secret

DEFAULT_START = "2025-04-01T10:00:00"
"""Of generated homes: from then on some sell and some buy."""

SPARE = 3
"""Intervals that the simulators play beyond the last one that is billed."""

READINGS_S = 30
"""Simulated seconds between two readings of an analyser, unless that is too often for the machine."""

LEDGER_LOOKS = 60
"""How often in an interval a meter looks at the ledger, unless that is too often for the machine."""

FASTEST_MS, SLOWEST_MS = 500, 5_000
"""No process polls faster, in real milliseconds: 18 homes that poll twice a second keep one core busy."""


def poll_ms(options: Options) -> int:
    """Real milliseconds between two readings."""
    return _clamped(READINGS_S * 1000 // options.speed)


def meter_looks_ms(options: Options) -> int:
    """Real milliseconds between two looks of a meter at the ledger."""
    return _clamped(int(options.real_interval_s * 1000) // LEDGER_LOOKS)


def _clamped(milliseconds: int) -> int:
    return max(FASTEST_MS, min(SLOWEST_MS, milliseconds))


def scenario(options: Options) -> Scenario:
    """Homes, prices and notes of the village. Interval 0 is the one before trading begins.

    Raises ``ValueError`` that says what to give.
    """
    profiles = _profiles(options)
    found = default_scenario(profiles, options.seed, options.chain, Tariff.parse(options.tariff))
    if options.notes == found.standard_set.epa_notes:
        return found
    from dataclasses import replace

    n = options.notes
    return replace(found, standard_set=replace(found.standard_set, epa_notes=n, eca_notes=n, fa_notes=n))


def _profiles(options: Options) -> Profiles:
    count = options.intervals + 1 + SPARE
    if options.profiles is not None:
        start = None if options.start is None else _time(options.start)
        return read_profiles(Path(options.profiles), start, count, options.homes)
    start = _time(options.start or DEFAULT_START)
    homes = max(options.homes, len(COMMUNITY))
    midnight = start.replace(hour=0, minute=0, second=0)
    before = int((start - midnight).total_seconds()) // options.interval_s
    if midnight.timestamp() + before * options.interval_s != start.timestamp():
        raise ValueError(f"--start {options.start} is no whole number of intervals after midnight")
    # Batteries are followed from midnight on, so a village that starts at noon has them as charged as they would be.
    everybody = generate(options.seed, midnight, before + count, options.interval_s, homes)
    chosen = [everybody.homes[(i + 1) * homes // options.homes - 1] for i in range(options.homes)]
    return Profiles(
        start=start,
        interval_s=options.interval_s,
        homes=tuple(_measured(number, home, options.interval_s, before) for number, home in enumerate(chosen, 1)),
        source=f"{everybody.source}, {options.homes} of them" if options.homes < homes else everybody.source,
    )


def _measured(number: int, home: HomeProfile, interval_s: int, before: int) -> HomeProfile:
    """The home as its meter sees it behind the battery, from interval ``before`` on."""
    net_wh = net_after_battery(home, interval_s)[before:]
    imports, exports = (tuple(max(0, sign * wh) for wh in net_wh) for sign in (1, -1))
    return HomeProfile(number, imports, exports, None, home.node)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--start {text!r} is not a date and time; write {DEFAULT_START}") from None


def write_profile(path: Path, profiles: Profiles, home: HomeProfile) -> None:
    """The file that a home's simulator plays."""
    from datetime import timedelta

    path.parent.mkdir(parents=True, exist_ok=True)
    step = timedelta(seconds=profiles.interval_s)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for t, net_wh in enumerate(net_after_battery(home, profiles.interval_s)):
            rows.writerow([(profiles.start + t * step).isoformat(), home.home, max(0, net_wh), max(0, -net_wh)])


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Which ledger, for configuration files."""

    domain: Domain
    grid: IntervalGrid
    since_block: int


def shared_toml(rpc: str, place: LedgerPlace, scene: Scenario, looks_ms: int) -> str:
    """What the files of a home's meter and of its wallet say alike: ledger and standard set.

    ``looks_ms``: real milliseconds between two looks at the ledger.
    """
    notes = scene.standard_set
    return f"""\
[ledger]
url = "{rpc}"
chain_id = {place.domain.chain_id}
contract = "0x{place.domain.contract.hex()}"
since_block = {place.since_block}
genesis_s = {place.grid.genesis_s}
interval_s = {place.grid.interval_s}
poll_ms = {looks_ms}

[standard_set]
note_power_w = {notes.note_power_w}
epa_notes = {notes.epa_notes}
eca_notes = {notes.eca_notes}
fa_notes = {notes.fa_notes}
fa_amount_nano = {notes.fa_amount_nano}
lead = 1
"""


def meter_toml(
    number: int, rpc: str, dso: str, place: LedgerPlace, scene: Scenario, port: int, options: Options
) -> str:
    """``meter.toml`` of one home; every field is explained in docs/meter.md."""
    max_gap_ms = max(60_000, 4 * poll_ms(options) * options.speed)
    return f"""\
number = {number}
gate_s = {scene.gate_s}
poll_ms = {poll_ms(options)}
max_gap_ms = {max_gap_ms}

{shared_toml(rpc, place, scene, meter_looks_ms(options))}
[report]
url = "{dso}"
token_file = "../dso/meter.token"
every = {options.intervals + 1}

[[analysers]]
name = "grid"
profile = "sdm630"
role = "grid"
host = "127.0.0.1"
port = {port}
"""


def make_meter(folder: Path, key: SigningKey, secret: bytes, seed: bytes, passphrase: str) -> Address:
    """The keystores of a meter, cheap ones: a village's keys guard nothing. Returns the meter's address."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    save_secret(folder / "key.json", secret, passphrase, LIGHT_N)
    save_secret(folder / "seed.json", seed, passphrase, LIGHT_N)
    return key.address

"""The configuration of one meter: ``meter.toml``, every field of it overridable by an environment variable."""

import tomllib
from pathlib import Path
from typing import Literal

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.transactions import Domain
from smartmeter.journal import CounterLimits
from smartmeter.profile import COUNTERS, UNITS, Profile, ProfileError, load_all
from smartmeter.standard_set import StandardSet
from smartmeter.wiring import Mounted, Role, Wiring

try:
    from pydantic import BaseModel, ConfigDict, Field, ValidationError
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
except ImportError:
    raise ImportError("a meter's configuration needs pydantic-settings; run: pip install 'petra[meter]'") from None

FILE = "meter.toml"


class ConfigError(ValueError):
    """A configuration that cannot be used: ``file: field: what``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LedgerConfig(_Strict):
    """Which ledger the meter works on."""

    url: str = Field(pattern="^https?://")
    """A node's JSON-RPC."""
    chain_id: int = Field(ge=1)
    contract: str = Field(pattern="^0x[0-9a-f]{40}$")
    since_block: int = Field(0, ge=0)
    genesis_s: int = Field(ge=1)
    interval_s: int = Field(ge=1)
    poll_ms: int = Field(5_000, ge=10)
    """How often the ledger is read."""

    @property
    def domain(self) -> Domain:
        """For which ledger the meter signs."""
        return Domain(self.chain_id, Address(bytes.fromhex(self.contract[2:])))

    @property
    def grid(self) -> IntervalGrid:
        """The ledger's time grid."""
        return IntervalGrid(self.genesis_s, self.interval_s)


class SetConfig(_Strict):
    """The standard set, the same for all homes of a microgrid."""

    note_power_w: int = Field(ge=1)
    epa_notes: int = Field(ge=0)
    eca_notes: int = Field(ge=0)
    fa_notes: int = Field(ge=0)
    fa_amount_nano: int = Field(ge=1)
    lead: int = Field(1, ge=1, le=96)
    """For how many intervals ahead of the present one notes are issued."""


class AnalyserConfig(_Strict):
    """One device."""

    name: str = Field(pattern="^[a-z0-9_-]{1,32}$")
    profile: str
    role: Role = Role.GRID
    host: str | None = None
    """Name or address: Modbus over TCP."""
    port: int = Field(502, ge=1, le=65_535)
    serial: str | None = None
    """Device file: Modbus RTU."""
    baudrate: int = Field(9_600, ge=300)
    parity: Literal["N", "E", "O"] = "N"
    device_id: int = Field(1, ge=1, le=247)
    reverse: bool = False
    max_power_w: int = Field(25_000, ge=1)
    """The most that can flow there: what a fuse lets through."""
    max_export_w: int | None = Field(None, ge=0)
    stuck_after_s: int = Field(0, ge=0)


class ReportConfig(_Strict):
    """To whom finished periods are stated, without asking."""

    url: str = Field(pattern="^https?://")
    """The DSO's service: ``petra dso serve``."""
    token_file: Path
    """With the meters' token; relative to the meter's folder."""
    every: int = Field(96, ge=1, le=2**20)
    """Intervals of a period."""


class MeterConfig(BaseSettings):
    """Everything that a meter needs to know but its secrets."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="PETRA_METER_", env_nested_delimiter="__", env_ignore_empty=True
    )

    number: int = Field(ge=0, lt=2**32)
    """The meter's number at the DSO."""
    gate_s: int = Field(ge=0)
    """Seconds after the end of an interval before which its deposits must be on the ledger."""
    poll_ms: int = Field(1_000, ge=10)
    """How often analysers are read."""
    max_gap_ms: int = Field(60_000, ge=1)
    """How far apart the readings around an interval's border may be for it to be measured."""
    missing_after_s: int = Field(86_400, ge=0)
    """How long after the deposit deadline a bill waits for readings before it is made without."""
    profile_dir: Path | None = None
    ledger: LedgerConfig
    standard_set: SetConfig
    report: ReportConfig | None = None
    analysers: tuple[AnalyserConfig, ...] = Field(min_length=1)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file; nothing else."""
        return (env_settings, init_settings)

    @property
    def notes(self) -> StandardSet:
        """What is issued per window."""
        s = self.standard_set
        return StandardSet(s.note_power_w, s.epa_notes, s.eca_notes, s.fa_notes, s.fa_amount_nano)

    def profiles(self) -> dict[str, Profile]:
        """The profile of each analyser, by the analyser's name."""
        known = load_all(self.profile_dir)
        for a in self.analysers:
            if a.profile not in known:
                raise ConfigError(
                    f"analyser {a.name}: there is no profile {a.profile!r}; choose one of {', '.join(sorted(known))}"
                )
        return {a.name: known[a.profile] for a in self.analysers}

    def wiring(self, profiles: dict[str, Profile]) -> Wiring:
        """How the analysers make up the home."""
        mounted = [
            Mounted(
                a.name,
                a.role,
                step_wh(profiles[a.name]),
                a.reverse,
                a.max_export_w,
                a.stuck_after_s,
            )
            for a in self.analysers
        ]
        return Wiring(mounted, self.ledger.interval_s)

    def limits(self, profiles: dict[str, Profile]) -> dict[str, CounterLimits]:
        """What is possible at each counter of the journal."""
        return {
            f"{a.name}/{counter}": CounterLimits(
                a.max_power_w, step_wh(profiles[a.name]), _wraps_at_wh(profiles[a.name], counter)
            )
            for a in self.analysers
            for counter in COUNTERS
        }


def load(folder: Path) -> MeterConfig:
    """The configuration in a meter's folder. Raises :class:`ConfigError` with the field and what is wrong with it."""
    path = folder / FILE
    try:
        values = TomlConfigSettingsSource(MeterConfig, path)() if path.exists() else None
        if values is None:
            raise ConfigError(f"{path} is missing; run petra meter init {folder}")
        return MeterConfig(**values)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}; correct the file") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {where}: {first['msg']}; correct the file (docs/meter.md)") from None
    except ProfileError:
        raise


def step_wh(profile: Profile) -> int:
    """Resolution of a profile's energy counters, at least 1 Wh."""
    steps = [profile.registers[c].scale * UNITS[profile.registers[c].unit] for c in COUNTERS]
    floats = any(profile.registers[c].kind == "float32" for c in COUNTERS)
    return 1 if floats else max(1, *(int(s) for s in steps))


def _wraps_at_wh(profile: Profile, counter: str) -> int | None:
    register = profile.registers[counter]
    if register.wraps_at is None or register.scale_address is not None:
        return None
    return int(register.wraps_at * register.scale * UNITS[register.unit])

"""The configuration of one wallet: ``wallet.toml``, every field of it overridable by an environment variable."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from smartmeter.config import LedgerConfig, SetConfig
from smartmeter.standard_set import StandardSet

try:
    from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
except ImportError:
    raise ImportError("a wallet's configuration needs pydantic-settings; run: pip install 'petra[meter]'") from None

FILE = "wallet.toml"

STRATEGIES = ("price-taker", "zero-intelligence", "look-ahead")
"""Strategies that are part of PETra; :mod:`petra.strategies` makes them."""


class WalletConfigError(ValueError):
    """A configuration that cannot be used: ``file: field: what``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScheduleConfig(_Strict):
    """When the stages of a window happen, in seconds of ledger time."""

    mix_after_s: int | None = Field(default=None, ge=1)
    """How long after notes are issued the members of a mix are fixed; a quarter of an interval unless given."""
    gate_s: int | None = Field(default=None, ge=1)
    """How long before delivery no more orders are posted; a fifth of an interval unless given."""
    deposit_after_s: int | None = Field(default=None, ge=0)
    """How long after the start of delivery what is left is deposited; a tenth of an interval unless given."""


class BoundsConfig(_Strict):
    """What no strategy may go beyond."""

    max_sell_notes: int | None = Field(default=None, ge=0)
    """Most notes offered in one window."""
    max_buy_notes: int | None = Field(default=None, ge=0)
    min_sell_nano_per_wh: int | None = Field(default=None, ge=1)
    """No energy is sold for less."""
    max_buy_nano_per_wh: int | None = Field(default=None, ge=1)
    """No energy is bought for more."""


class StrategyConfig(_Strict):
    """Which behaviour the wallet has: one by name, or a class of the home's own from a file."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Literal["price-taker", "zero-intelligence", "look-ahead"] | None = None
    file: Path | None = None
    """A Python file, relative to the wallet's folder."""
    class_name: str | None = Field(default=None, alias="class", pattern=r"^[A-Za-z_]\w*$")
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Given to the strategy by name."""
    bounds: BoundsConfig = BoundsConfig()

    @model_validator(mode="after")
    def _one_of_both(self) -> "StrategyConfig":
        if (self.name is None) == (self.file is None) or (self.file is None) != (self.class_name is None):
            raise ValueError("give either name, or file and class")
        return self


class BatteryConfig(_Strict):
    """The home's battery, for strategies that look ahead."""

    capacity_wh: int = Field(ge=1)
    """Energy that it can deliver when full."""
    power_w: int = Field(ge=1)
    """Limit of charging and of discharging."""
    efficiency_permille: int = Field(900, ge=1, le=1000)
    """Energy delivered per energy taken in, in thousandths."""


class WalletConfig(BaseSettings):
    """Everything that a wallet needs to know but its secrets."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="PETRA_WALLET_", env_nested_delimiter="__", env_ignore_empty=True
    )

    transport: Literal["tor", "http"] = "tor"
    """What carries mix messages, orders and deposits; http is NOT ANONYMOUS."""
    socks_port: int = Field(9050, ge=1, le=65_535)
    """Of a running tor, on this machine."""
    board: str | None = Field(default=None, pattern="^https?://")
    """Where mixes are played: address, ``#`` and the key that signs the board's heads."""
    bidstores: tuple[str, ...] = ()
    """Replicas of the bid store, tried in random order."""
    relays: tuple[str, ...] = ()
    """Who carries the wallet's transactions, tried in random order."""
    meter: Path | None = None
    """The home's meter's folder, relative to the wallet's."""
    min_peers: int = Field(2, ge=2, le=64)
    """Fewest peers of a mix that the wallet takes part in."""
    mix_timeout_s: int = Field(20, ge=1)
    """Real seconds that a peer of a mix waits for another."""
    ledger: LedgerConfig
    standard_set: SetConfig
    schedule: ScheduleConfig = ScheduleConfig()
    strategy: StrategyConfig = StrategyConfig(name="price-taker")
    battery: BatteryConfig | None = None

    @model_validator(mode="after")
    def _in_time(self) -> "WalletConfig":
        if self.mix_after_s + self.gate_s >= self.ledger.interval_s:
            raise ValueError(
                f"schedule: mix_after_s {self.mix_after_s} and gate_s {self.gate_s} leave no time for orders in an "
                f"interval of {self.ledger.interval_s} s"
            )
        if self.deposit_after_s >= self.ledger.interval_s:
            raise ValueError("schedule: deposit_after_s must be less than an interval")
        for name, urls in (("bidstores", self.bidstores), ("relays", self.relays)):
            if not all(url.startswith(("http://", "https://")) for url in urls):
                raise ValueError(f"{name}: addresses begin with http:// or https://")
        return self

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
    def mix_after_s(self) -> int:
        """Seconds after the start of withdrawing at which the members of a mix are fixed."""
        return self._or_part(self.schedule.mix_after_s, 4)

    @property
    def gate_s(self) -> int:
        """Seconds before delivery at which the bid store closes."""
        return self._or_part(self.schedule.gate_s, 5)

    @property
    def deposit_after_s(self) -> int:
        """Seconds after the start of delivery at which deposits begin."""
        return self._or_part(self.schedule.deposit_after_s, 10)

    def _or_part(self, given_s: int | None, divisor: int) -> int:
        return max(1, self.ledger.interval_s // divisor) if given_s is None else given_s

    @property
    def notes(self) -> StandardSet:
        """What every home of the microgrid is issued per window."""
        s = self.standard_set
        return StandardSet(s.note_power_w, s.epa_notes, s.eca_notes, s.fa_notes, s.fa_amount_nano)


def load(folder: Path) -> WalletConfig:
    """The configuration in a wallet's folder. Raises :class:`WalletConfigError` with the field and what is wrong."""
    path = folder / FILE
    if not path.is_file():
        raise WalletConfigError(f"{path} is missing; run petra wallet init {folder}")
    return parse(path.read_bytes(), path)


def parse(data: bytes, path: Path) -> WalletConfig:
    """The configuration that ``data`` is, read from or to be written to ``path``. Raises :class:`WalletConfigError`."""
    try:
        tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WalletConfigError(f"{path}: {error}; correct the file") from None
    try:
        return WalletConfig(**tomllib.loads(data.decode("utf-8")))
    except ValidationError as error:
        raise WalletConfigError(f"{path}: {_first(error)}; correct the file") from None


def strategy_of(values: dict[str, Any]) -> StrategyConfig:
    """The strategy with these fields. Raises :class:`WalletConfigError` with the one that is wrong."""
    try:
        return StrategyConfig.model_validate(values)
    except ValidationError as error:
        raise WalletConfigError(f"strategy: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """The field that is wrong, and what is wrong with it; never the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return (f"{where}: " if where else "") + first["msg"].removeprefix("Value error, ")

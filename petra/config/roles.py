"""What can be configured of each serving role. Fields have the names of the commands' options."""

from pathlib import Path
from typing import ClassVar, Literal

try:
    from pydantic import Field
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
except ImportError:
    raise ImportError("a configuration file needs pydantic-settings; run: pip install 'petra[service]'") from None

URL = "^https?://"


class RoleSettings(BaseSettings):
    """One role's file and its environment variables. What is not given stays ``None``: the command has the defaults."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_ignore_empty=True)

    command: ClassVar[str]
    """The command that takes the file with ``--config``."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Fields that name files which nobody else may read."""
    made: ClassVar[tuple[str, ...]] = ()
    """Those of them that are made if they are missing."""

    role: str | None = None
    log_json: bool | None = None

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


class ListeningSettings(RoleSettings):
    """Where a service listens."""

    host: str | None = None
    port: int | None = Field(None, ge=0, le=65_535)
    onion_dir: Path | None = None
    onion_control: int | None = Field(None, ge=1, le=65_535)
    onion_key_file: Path | None = None


class BoardSettings(ListeningSettings):
    """``petra board serve``."""

    model_config = SettingsConfigDict(env_prefix="PETRA_BOARD_")
    command = "petra board serve"
    secrets = made = ("key_file", "onion_key_file")

    role: Literal["board"] | None = None
    database: str | None = None
    rpc: str | None = Field(None, pattern=URL)
    deployments: Path | None = None
    ledger_log: Path | None = None
    any_session: bool | None = None
    key_file: Path | None = None


class BidstoreSettings(ListeningSettings):
    """``petra bidstore serve``."""

    model_config = SettingsConfigDict(env_prefix="PETRA_BIDSTORE_")
    command = "petra bidstore serve"
    secrets, made = ("onion_key_file", "relayer_key_file"), ("onion_key_file",)

    role: Literal["bidstore"] | None = None
    database: str | None = None
    rpc: str | None = Field(None, pattern=URL)
    deployments: Path | None = None
    gate_s: int | None = Field(None, ge=0, le=2**31 - 1)
    relayer_key_file: Path | None = None


class RelaySettings(ListeningSettings):
    """``petra relay serve``."""

    model_config = SettingsConfigDict(env_prefix="PETRA_RELAY_")
    command = "petra relay serve"
    secrets, made = ("onion_key_file", "relayer_key_file"), ("onion_key_file",)

    role: Literal["relay"] | None = None
    database: Path | None = None
    rpc: str | None = Field(None, pattern=URL)
    deployments: Path | None = None
    tick: float | None = Field(None, ge=0.05, le=600)
    waiting: int | None = Field(None, ge=1, le=10**6)
    relayer_key_file: Path | None = None


class DsoSettings(RoleSettings):
    """``petra dso serve``."""

    model_config = SettingsConfigDict(env_prefix="PETRA_DSO_")
    command = "petra dso serve"

    role: Literal["dso"] | None = None
    desk: Path | None = None
    port: int | None = Field(None, ge=0, le=65_535)


class FollowerSettings(RoleSettings):
    """``petra chain follow``."""

    model_config = SettingsConfigDict(env_prefix="PETRA_FOLLOWER_")
    command = "petra chain follow"

    role: Literal["follower"] | None = None
    store: Path | None = None
    rpc: str | None = Field(None, pattern=URL)
    deployments: Path | None = None
    every: float | None = Field(None, ge=0.01)
    confirmations: int | None = Field(None, ge=1)


class NetworkSettings(RoleSettings):
    """``petra chain network``."""

    model_config = SettingsConfigDict(env_prefix="PETRA_NETWORK_")
    command = "petra chain network"

    role: Literal["network"] | None = None
    validators: int | None = Field(None, ge=1, le=64)
    folder: Path | None = None
    period_s: int | None = Field(None, ge=1, le=3600)
    chain_id: int | None = Field(None, ge=1)
    port: int | None = Field(None, ge=0, le=65_000)


ROLES: dict[str, type[RoleSettings]] = {
    "board": BoardSettings,
    "bidstore": BidstoreSettings,
    "relay": RelaySettings,
    "dso": DsoSettings,
    "follower": FollowerSettings,
    "network": NetworkSettings,
}
"""By name: of the file, or in its line ``role = "…"``."""

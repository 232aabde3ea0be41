"""Reading a role's file."""

import tomllib
from pathlib import Path
from typing import Any

from petra.config.roles import ROLES, RoleSettings


class ConfigError(ValueError):
    """A configuration that cannot be used: ``file: field: what``."""


def load(kind: type[RoleSettings], path: Path | None) -> RoleSettings:
    """The settings in ``path``, overridden by the environment; the environment's alone without a file.

    Paths in a file are relative to it. Raises :class:`ConfigError`.
    """
    from pydantic import ValidationError

    values = {} if path is None else read(path)
    try:
        settings = kind(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        from_file = first["loc"] and str(first["loc"][0]) in values
        prefix = kind.model_config.get("env_prefix", "")
        place = str(path) if from_file else f"environment {prefix}{where.upper()}"
        raise ConfigError(f"{place}: {where}: {first['msg'].removeprefix('Value error, ')}; correct it") from None
    if path is None:
        return settings
    return settings.model_copy(update=_anchored(settings, values, path.absolute().parent))


def read(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Raises :class:`ConfigError`."""
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a file that can be read") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: it is no UTF-8 text; correct the file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}; correct the file") from None


def role_of(path: Path, values: dict[str, Any]) -> str:
    """Which role a file configures: by its line ``role = "…"``, else by its name, such as ``board.toml``.

    Raises :class:`ConfigError`.
    """
    known = (*ROLES, "meter", "wallet")
    said = values.get("role")
    if said in known:
        return str(said)
    names = [role for role in known if path.stem == role or path.stem.startswith((role + "-", role + "_", role + "."))]
    if said is not None or not names:
        raise ConfigError(f"{path}: role: say which role it is for: role = {' or '.join(repr(name) for name in known)}")
    return names[0]


def _anchored(settings: RoleSettings, values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Paths that are from the file, made absolute; those from the environment stay as they are."""
    found: dict[str, Any] = {}
    for name, text in values.items():
        value = getattr(settings, name)
        if isinstance(value, Path) and str(value) == str(Path(str(text))):
            found[name] = folder / value
        elif name == "database" and isinstance(value, str) and value == text and "://" not in value:
            found[name] = str(folder / value)
    return found

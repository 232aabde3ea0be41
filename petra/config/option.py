"""``--config``: the values of a role's file and environment become the defaults of its command's options."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from petra.config.roles import RoleSettings

PLAIN = (bool, int, float)


def config_option(role: str) -> Any:  # noqa: ANN401 - what typer.Option gives
    """The option of a command that ``role`` in :data:`petra.config.roles.ROLES` configures."""

    def chosen(context: typer.Context, path: Path | None) -> Path | None:
        if not context.resilient_parsing:
            with one_sentence_errors():
                context.default_map = {**(context.default_map or {}), **_defaults(role, path)}
        return path

    return typer.Option(
        "--config",
        is_eager=True,
        callback=chosen,
        help=f"TOML file with these options; PETRA_{role.upper()}_… goes before it, options before both.",
    )


def _defaults(role: str, path: Path | None) -> dict[str, object]:
    settings = _settings(role, path)
    if settings is None:
        return {}
    given = {name: getattr(settings, name) for name in settings.model_fields_set if name != "role"}
    return {n: v if isinstance(v, PLAIN) else str(v) for n, v in given.items() if v is not None}


def _settings(role: str, path: Path | None) -> "RoleSettings | None":
    load: Callable[[Any, Path | None], RoleSettings]
    try:
        from petra.config.load import load
        from petra.config.roles import ROLES
    except ImportError:
        if path is None:  # without pydantic-settings a command still has its options
            return None
        raise
    return load(ROLES[role], path)

"""What each role needs of a machine, on one page."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What was found."""

    GOOD = "ok"
    MISSING = "MISSING"
    """The role cannot work without it."""
    ADVICE = "advice"
    """The role works, less well or less surely."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for."""

    what: str
    roles: tuple[str, ...]
    verdict: Verdict
    found: str
    fix: str
    """The line that puts it right; empty where it is."""


ROLES = ("meter", "wallet", "board", "bidstore", "relay", "dso", "onion", "chain", "village")

SERVICES = ("board", "bidstore", "relay", "dso")

EXTRAS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "service": (
        (
            "aiosqlite",
            "alembic",
            "fastapi",
            "httpx2",
            "prometheus_client",
            "pydantic_settings",
            "sqlalchemy",
            "structlog",
            "sse_starlette",
            "uvicorn",
        ),
        (*SERVICES, "wallet", "village"),
    ),
    "meter": (("py_ecc", "pydantic_settings", "pymodbus", "sunspec2"), ("meter", "wallet", "village")),
    "tor": (("python_socks", "stem"), ("onion", "village")),
    "postgres": (("psycopg",), ()),
    "grid": (("highspy", "power_grid_model", "scipy"), ("dso",)),
    "evm": (("eth_tester", "eth"), ()),
}
"""By extra: the modules that it brings, and the roles that need it; others use it if it is there."""

DISK_BYTES = 1 << 30
"""Free space that a role should have: years of a home, weeks of a chain."""

OPEN_FILES = 4096
"""Connections that a service takes at a time."""

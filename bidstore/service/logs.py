"""Structured logs without addresses: whatever looks like an id, a key or an address is cut out before it is written."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_LONG_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{16,}")
_NETWORK = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\b[a-z2-7]{56}\.onion\b")

REMOVED = "[removed]"


def redact(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut ids, addresses and bytes out of every value of a log entry."""
    return {key: _clean(value) for key, value in entry.items()}


def _clean(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        return REMOVED
    return _NETWORK.sub(REMOVED, _LONG_HEX.sub(REMOVED, str(value)))


def configure() -> None:
    """One JSON object a line on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

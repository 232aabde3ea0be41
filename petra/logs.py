"""Logs of all roles: lines for people, or one JSON object a line; without prosumer, address or note in either."""

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Annotated, Any

import typer

VARIABLE = "PETRA_LOG"
"""Environment variable; ``json`` asks for JSON."""

REMOVED = "[removed]"

_SECRET = re.compile(r"\b[a-z2-7]{56}\.onion\b|(?:0x)?[0-9a-fA-F]{16,}")
"""Ids, keys, addresses on the ledger, names of onion services."""

NOISY = ("pymodbus", "web3", "urllib3", "httpx2", "httpcore", "stem")

LogJson = Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line; so does PETRA_LOG=json.")]


def configure(as_json: bool = False) -> None:
    """Log to standard error what :mod:`logging` and structlog are told, redacted."""
    for name in NOISY:  # they log whatever happens on a line; a user is told what it means
        logging.getLogger(name).setLevel(logging.CRITICAL)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_ours)  # stem sets its level anew when it is imported
    if as_json or os.environ.get(VARIABLE) == "json":
        handler.setFormatter(_json_formatter())
    else:
        handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("petra").setLevel(logging.INFO)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.CRITICAL or record.name.partition(".")[0] not in NOISY


def redact(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Cut whatever names somebody out of the values of an entry."""
    return {key: _SECRET.sub(REMOVED, value) if isinstance(value, str) else value for key, value in entry.items()}


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return _SECRET.sub(REMOVED, super().format(record))


def _json_formatter() -> logging.Formatter:
    try:
        import structlog
    except ImportError:
        raise ImportError("logs in JSON need structlog; run: pip install 'petra[service]'") from None
    stamps: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=stamps,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
    )

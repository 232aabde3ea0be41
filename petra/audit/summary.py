"""``summary.json`` as the auditor reads it."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from assets.codec import is_nested_deeply
from petra.audit.error import AuditError

MAX_SECONDS = 10**9
"""Longest stage that is believed: 30 years."""


class Summary:
    """The figures of a run, as claimed. Reading one that is missing or of another type raises ``AuditError``."""

    def __init__(self, file: str, lines: list[str], values: Mapping[str, object]) -> None:
        self._file, self._lines, self._values = file, lines, values

    def has(self, name: str) -> bool:
        """Whether there is such a figure."""
        return name in self._values

    def number(self, name: str) -> int:
        """A whole number that is not negative."""
        value = self._values.get(name)
        if type(value) is not int or value < 0:
            raise self._error(name, f"{name} is not a whole number from 0 on")
        return value

    def text(self, name: str) -> str:
        """A string."""
        value = self._values.get(name)
        if not isinstance(value, str):
            raise self._error(name, f"{name} is not a text")
        return value

    def section(self, name: str) -> "Summary":
        """The figures under one name."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise self._error(name, f"{name} is not an object")
        return Summary(self._file, self._lines, value)

    def start(self) -> datetime:
        """Start of interval 0, local standard time."""
        text = self.text("start")
        try:
            start = datetime.fromisoformat(text)
        except ValueError:
            start = None
        if start is None or start.tzinfo is not None or start.isoformat() != text:
            raise self._error("start", "start is not a time such as 2025-04-01T00:00:00")
        return start

    def require_fields(self, *names: str) -> None:
        """There are exactly these figures, in any order."""
        for name in sorted(set(names) ^ set(self._values)):
            raise self._error(name, f"{name[:80]!r} is {'missing' if name in names else 'no field of a summary'}")

    def require(self, name: str, computed: int | str) -> None:
        """The claimed figure is the one computed."""
        claimed = self._values.get(name)
        if type(claimed) is not type(computed) or claimed != computed:
            raise self._error(name, f"{name} is {str(claimed)[:80]!r}, but the other files give {computed}")

    def require_duration(self, name: str) -> None:
        """The figure is a number of seconds."""
        value = self._values.get(name)
        if type(value) not in (int, float) or not 0 <= value < MAX_SECONDS:  # type: ignore[operator]
            raise self._error(name, f"{name} is not a number of seconds")

    def sections(self, name: str) -> "list[Summary]":
        """The objects of a list."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise self._error(name, f"{name} is not a list of objects")
        return [Summary(self._file, self._lines, row) for row in value]

    def require_number_or_null(self, name: str) -> None:
        """The figure is a whole number from 0 on, or ``null``."""
        if self._values.get(name) is not None:
            self.number(name)

    def require_all(self, computed: Mapping[str, int]) -> None:
        """All claimed figures are the ones computed."""
        for name, value in computed.items():
            self.require(name, value)

    def _error(self, name: str, reason: str) -> AuditError:
        mentions = (number for number, line in enumerate(self._lines, start=1) if f'"{name}"' in line)
        return AuditError(self._file, next(mentions, 1), reason)


def read_summary(path: Path) -> Summary:
    """The summary at ``path``; raises ``AuditError`` if it is no JSON object."""
    data = path.read_bytes()
    if is_nested_deeply(data):
        raise AuditError(path.name, 1, "not JSON of a summary: it is nested too deeply")
    try:
        text = data.decode("utf-8")
        values = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise AuditError(path.name, 1, f"not UTF-8: {error.reason}") from None
    except json.JSONDecodeError as error:
        raise AuditError(path.name, error.lineno, f"not JSON: {error.msg}") from None
    except ValueError as error:
        reason = "a number with thousands of digits" if "digits" in str(error) else str(error)
        raise AuditError(path.name, 1, f"not JSON of a summary: {reason}") from None
    if not isinstance(values, dict):
        raise AuditError(path.name, 1, "not a JSON object")
    return Summary(path.name, text.splitlines(), values)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("an object names a field twice")
    return dict(pairs)


def _no_number(text: str) -> object:
    raise ValueError(f"{text} is no number")

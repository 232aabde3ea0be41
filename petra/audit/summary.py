"""``summary.json`` as the auditor reads it."""

import json
from collections.abc import Mapping
from pathlib import Path

from petra.audit.error import AuditError


class Summary:
    """The figures of a run, as claimed. Reading one that is missing or of another type raises ``AuditError``."""

    def __init__(self, file: str, lines: list[str], values: Mapping[str, object]) -> None:
        self._file, self._lines, self._values = file, lines, values

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

    def require(self, name: str, computed: int) -> None:
        """The claimed figure is the one computed."""
        claimed = self._values.get(name)
        if type(claimed) is not int or claimed != computed:
            raise self._error(name, f"{name} is {claimed!r}, but the other files give {computed}")

    def require_all(self, computed: Mapping[str, int]) -> None:
        """All claimed figures are the ones computed."""
        for name, value in computed.items():
            self.require(name, value)

    def _error(self, name: str, reason: str) -> AuditError:
        mentions = (number for number, line in enumerate(self._lines, start=1) if f'"{name}"' in line)
        return AuditError(self._file, next(mentions, 1), reason)


def read_summary(path: Path) -> Summary:
    """The summary at ``path``; raises ``AuditError`` if it is no JSON object."""
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
    except UnicodeDecodeError as error:
        raise AuditError(path.name, 1, f"not UTF-8: {error.reason}") from None
    except json.JSONDecodeError as error:
        raise AuditError(path.name, error.lineno, f"not JSON: {error.msg}") from None
    if not isinstance(values, dict):
        raise AuditError(path.name, 1, "not a JSON object")
    return Summary(path.name, text.splitlines(), values)

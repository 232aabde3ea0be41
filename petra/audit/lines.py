"""Text files of a run, line by line, each byte of which counts."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from petra.audit.error import AuditError

SHOWN = 200
"""Most characters of a line that a message repeats."""


def read_lines(path: Path) -> list[str]:
    """The lines without their line feeds. Raises :class:`AuditError` if they are not UTF-8, or the last is cut off."""
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise AuditError(path.name, line, f"not UTF-8: {error.reason}") from None
    if lines.pop() != "":
        raise AuditError(path.name, len(lines) + 1, "the last line is cut off")
    return lines


def audit_rows(path: Path, expected: Iterable[Sequence[object]]) -> None:
    """The CSV file at ``path`` has exactly the ``expected`` rows."""
    wanted = (",".join(map(str, row)) for row in expected)
    for number, (line, want) in enumerate(zip_longest(read_lines(path), wanted), start=1):
        if line != want:
            raise AuditError(path.name, number, f"expected {_shown(want)}, got {_shown(line)}")


def _shown(line: str | None) -> str:
    return "no such line" if line is None else repr(line[:SHOWN])

"""What an audit reports."""


class AuditError(Exception):
    """A file of the run is malformed, or does not follow from the others: ``file:line: reason``."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        self.file, self.line, self.reason = file, line, reason
        super().__init__(f"{file}:{line}: {reason}")

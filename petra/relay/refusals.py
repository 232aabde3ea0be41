"""Why a relay does not take a transaction. Nothing has changed then; the text is what a user reads."""

from typing import ClassVar


class RelayRefusal(Exception):
    """The relay does not take the transaction."""

    status: ClassVar[int] = 409
    """Of the answer in HTTP."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Malformed(RelayRefusal):
    """What was sent is no transaction that a relay carries."""

    status = 400


class AgainstTheRules(RelayRefusal):
    """The ledger would refuse it."""

    status = 422


class InTheWay(RelayRefusal):
    """Another transaction that waits here uses the same note, meter's number or owner."""


class TooLarge(RelayRefusal):
    """The body is longer than any transaction."""

    status = 413


class NotNow(RelayRefusal):
    """The relay has too much to do, or cannot work: try again, or another relay."""

    status = 503

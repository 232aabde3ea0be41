"""Why a board refuses a request, and what a client may find a board to have done.

A :class:`BoardRefusal` becomes a problem+json answer and is raised again by the client; its docstring is what a user
reads, completed by the detail. Nothing has changed on the board then.
"""

from typing import ClassVar


class BoardRefusal(Exception):
    """The board refuses the request."""

    status: ClassVar[int] = 400

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(detail)

    @property
    def title(self) -> str:
        """What is wrong, in one sentence."""
        return (type(self).__doc__ or "").strip().split("\n\n")[0]

    def __str__(self) -> str:
        return f"{self.title} {self.detail}".strip()


class BadRequest(BoardRefusal):
    """The board cannot read the request."""


class NotAMember(BoardRefusal):
    """Only the owners of a session's input notes may use its log."""

    status = 403


class NotAdmitted(BoardRefusal):
    """The board does not carry such a session."""

    status = 403


class UnknownSession(BoardRefusal):
    """The board has no such session; describe it first."""

    status = 404


class OtherHistory(BoardRefusal):
    """The post refers to another log than the board's; read the log again before posting."""

    status = 409


class SessionExpired(BoardRefusal):
    """The session's time on the board is over."""

    status = 410


class TooLarge(BoardRefusal):
    """The message is longer than the board takes."""

    status = 413


class QuotaExceeded(BoardRefusal):
    """The quota is used up."""

    status = 429


class Busy(BoardRefusal):
    """The board is busy; try again in a moment."""

    status = 503


REFUSALS: dict[str, type[BoardRefusal]] = {
    cls.__name__: cls
    for cls in (
        BadRequest,
        NotAMember,
        NotAdmitted,
        UnknownSession,
        OtherHistory,
        SessionExpired,
        TooLarge,
        QuotaExceeded,
        Busy,
    )
}
"""By name, as in the ``type`` of an answer."""


class BoardLost(Exception):
    """The board cannot be reached any more. No note has moved; nothing is sent by another way."""


class BoardMisbehaved(Exception):
    """The board's answers contradict one another, a signature, or the protocol. No note has moved; do not use it."""


class BoardForked(BoardMisbehaved):
    """The board showed different logs to different peers.

    ``mine`` and ``theirs`` are two heads of equal length (:class:`~mixer.boardservice.heads.SignedHead`). The board
    signed ``theirs``, and ``mine`` or a later head of the frames that this member holds: together they are proof for
    anybody who knows the board's address.
    """

    def __init__(self, mine: object, theirs: object) -> None:
        self.mine, self.theirs = mine, theirs
        super().__init__(mine, theirs)

    def __str__(self) -> str:
        return f"the board showed two logs: it signed {self.mine} and {self.theirs}"


class AlreadyPlayed(Exception):
    """This member has posted in this opening of the session before, and stays silent now.

    What it would post next contradicts what stands there. Its note stays where it is, to be mixed in another session.
    """

    def __str__(self) -> str:
        return " ".join((type(self).__doc__ or "").split())

"""What does not work at the moment, each part told once, and once more when it works again."""

from collections.abc import Callable


class Troubles:
    """The parts that have failed last. A part that fails leaves the others working."""

    def __init__(self, tell: Callable[[str, str, str], None]) -> None:
        """``tell`` is given the level (``warning`` or ``info``), the part, and what happened to it."""
        self._tell = tell
        self._now: dict[str, str] = {}

    def failed(self, part: str, error: BaseException) -> None:
        """A part failed. Only the kind of error is told: what it says may name an address, a note or a home."""
        kind = type(error).__name__
        if self._now.get(part) != kind:
            self._now[part] = kind
            self._tell("warning", part, kind)

    def works(self, part: str) -> None:
        """A part did what it is for."""
        if self._now.pop(part, None) is not None:
            self._tell("info", part, "works again")

    @property
    def present(self) -> dict[str, str]:
        """Parts that do not work, and the kind of error."""
        return dict(self._now)

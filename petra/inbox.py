"""What each party received during a run: the raw material of the table "who learnt what".

Every message that one party sends to another passes through :meth:`Inboxes.deliver`. The ledger and the boards are
logs that can be read afterwards, so they need no inbox.
"""

from collections import defaultdict
from typing import TypeVar

BID_STORE = "bid store"
DSO = "DSO"

Message = TypeVar("Message")


class Inboxes:
    """Received messages by party, in the order of their arrival."""

    def __init__(self) -> None:
        self._received: defaultdict[str, list[object]] = defaultdict(list)

    def deliver(self, party: str, message: Message) -> Message:
        """Record that ``party`` received ``message``, and pass it on."""
        self._received[party].append(message)
        return message

    def received(self, party: str) -> tuple[object, ...]:
        """Everything that ``party`` received."""
        return tuple(self._received[party])

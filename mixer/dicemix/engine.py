"""DiceMix behind the interface that all mixing engines have."""

from assets.keys import Address, SigningKey
from mixer.dicemix.peer import Peer
from mixer.dicemix.proceedings import Proceedings
from mixer.engine import Player, Run, Watcher


class DiceMix:
    """The :class:`~mixer.engine.Engine` whose runs take four rounds, however many members they have."""

    name = "dicemix"

    def play(self, run: Run, key: SigningKey, output: Address) -> Player:
        """The member of ``run`` whose note ``key`` owns, to move it to ``output``, an address used for nothing else.

        Raises ``ValueError`` if the arguments do not fit together.
        """
        return Peer(run, key, output)

    def watch(self, run: Run) -> Watcher:
        """A reader of ``run`` without secrets: from it the judge learns the outcome."""
        return Proceedings(run)

"""Which engine mixes a session: everybody computes the same from the session's size."""

from mixer.engine import Engine
from mixer.engines import engine_named

MAX_COINSHUFFLE_PEERS = 10
"""Most members for whom CoinShuffle is chosen: its N + 3 rounds grow with them, DiceMix's four do not."""


def engine_for(members: int, *, name: str | None = None) -> Engine:
    """The engine for a session of so many members, or the one called ``name``.

    It stays the same for all runs of a session, however many are excluded. Raises ``ValueError`` for an unknown name.
    """
    if name is None:
        name = "coinshuffle" if members <= MAX_COINSHUFFLE_PEERS else "dicemix"
    return engine_named(name)

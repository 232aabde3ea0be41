"""Which engine mixes a session: everybody computes the same from the session's size."""

from mixer.coinshuffle import CoinShuffle
from mixer.dicemix.engine import DiceMix
from mixer.engine import Engine

MAX_COINSHUFFLE_PEERS = 10
"""Most members for whom CoinShuffle is chosen: its N + 3 rounds grow with them, DiceMix's four do not."""

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (CoinShuffle(), DiceMix())}
"""Every engine by its name."""


def engine_for(members: int, *, name: str | None = None) -> Engine:
    """The engine for a session of so many members, or the one called ``name``.

    It stays the same for all runs of a session, however many are excluded. Raises ``ValueError`` for an unknown name.
    """
    if name is None:
        name = CoinShuffle.name if members <= MAX_COINSHUFFLE_PEERS else DiceMix.name
    if name not in ENGINES:
        raise ValueError(f"there is no mixing engine {name!r}; choose one of {', '.join(sorted(ENGINES))}")
    return ENGINES[name]

"""The engines by name."""

from importlib import import_module

from mixer.coinshuffle import CoinShuffle
from mixer.engine import Engine

NAMES = ("coinshuffle", "dicemix")
"""Engines that there are."""


def engine_named(name: str) -> Engine:
    """The engine of that name. Raises ``ValueError`` if there is none, ``ImportError`` if it is not installed."""
    if name == CoinShuffle.name:
        return CoinShuffle()
    if name == "dicemix":
        engine: Engine = import_module("mixer.dicemix.engine").DiceMix()
        return engine
    raise ValueError(f"there is no engine {name!r}; choose out of {', '.join(NAMES)}")

"""Strategies as plug-ins: what a wallet offers in each window, chosen by its configuration.

``price-taker``, ``zero-intelligence``, ``look-ahead``, or a class of the home's own from a file. Each is anything with
the method of :class:`petra.strategy.Strategy`; whatever it decides is checked, and kept within the home's bounds.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from petra.strategies.bounded import Bounded
from petra.strategies.errors import StrategyError as StrategyError
from petra.strategy import Strategy

if TYPE_CHECKING:
    from petra.prosumer.config import StrategyConfig
    from petra.prosumer.folder import WalletFolder

NAMES = ("price-taker", "zero-intelligence", "look-ahead")
"""The strategies that are part of PETra."""


def load(folder: "WalletFolder") -> Strategy:
    """The strategy of a wallet, as its configuration says. Raises :class:`~petra.strategies.errors.StrategyError`."""
    return make(folder.config.strategy, folder.path)


def make(config: "StrategyConfig", folder: Path) -> Strategy:
    """The strategy that ``config`` describes; its file is looked for in ``folder``."""
    if config.name is not None:
        return Bounded(named(config.name, **config.parameters), config.bounds)
    from petra.strategies.own import load_class

    assert config.file is not None
    assert config.class_name is not None
    path = folder / config.file
    return Bounded(
        _made(load_class(path, config.class_name), f"{path}: {config.class_name}", config.parameters), config.bounds
    )


def named(name: str, **parameters: object) -> Strategy:
    """One of PETra's strategies. Raises :class:`~petra.strategies.errors.StrategyError` for others, or parameters."""
    match name:
        case "price-taker":
            from petra.strategies.price_taker import PriceTaker as Chosen
        case "zero-intelligence":
            from petra.strategies.zero_intelligence import ZeroIntelligence as Chosen  # type: ignore[assignment]
        case "look-ahead":
            from petra.strategies.look_ahead import LookAhead as Chosen  # type: ignore[assignment]
        case _:
            raise StrategyError(f"there is no strategy {name!r}; choose one of {', '.join(NAMES)}")
    return _made(Chosen, f"strategy {name}", parameters)


def _made(kind: type, name: str, parameters: dict[str, object]) -> Strategy:
    """An object of the class, told apart from one that cannot be made."""
    try:
        made: Strategy = kind(**parameters)
    except StrategyError:
        raise
    except TypeError as error:
        raise StrategyError(f"{name} does not take these parameters ({error}); correct [strategy.parameters]") from None
    except Exception as error:
        raise StrategyError(f"{name} cannot be made ({type(error).__name__}: {error}); correct it") from error
    if not callable(getattr(made, "decide", None)):
        raise StrategyError(f"{name} has no method decide(situation); see docs/wallet.md")
    return made

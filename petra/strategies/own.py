"""A strategy of the home's own, from a Python file."""

import importlib.util
import inspect
import sys
from pathlib import Path

from petra.strategies.errors import StrategyError


def load_class(path: Path, name: str) -> type:
    """The class ``name`` in the file ``path``, which is run for that. Raises :class:`StrategyError`.

    The file has the rights of the wallet, its keys included: run your own, or one that you have read.
    """
    if not path.is_file():
        raise StrategyError(f"{path}: there is no such file; correct file in [strategy]")
    spec = importlib.util.spec_from_file_location(f"petra_own_strategy_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path}: a strategy is a Python file, its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what a class's annotations mean
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise StrategyError(f"{path}, line {error.lineno}: {error.msg}; correct the file") from None
    except Exception as error:
        raise StrategyError(f"{path} fails when it is loaded ({type(error).__name__}: {error}); correct it") from error
    except SystemExit:
        raise StrategyError(f"{path} ends the program when it is loaded; it is only to define a class") from None
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        defined = [n for n, kind in vars(module).items() if inspect.isclass(kind) and kind.__module__ == spec.name]
        there = f"it has {', '.join(sorted(defined))}" if defined else "it defines none"
        raise StrategyError(f"{path} has no class {name}; {there}")
    decide = getattr(found, "decide", None)
    if not callable(decide):
        raise StrategyError(f"{path}: class {name} has no method decide(self, situation); see docs/wallet.md")
    try:
        inspect.signature(decide).bind(None, None)
    except TypeError:
        raise StrategyError(f"{path}: {name}.decide takes a situation and nothing else; correct it") from None
    return found

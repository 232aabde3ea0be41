"""Changing a wallet's strategy: the tables ``[strategy…]`` of ``wallet.toml`` are written anew, all else stays."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from petra.prosumer.config import FILE, StrategyConfig, WalletConfigError, parse
from petra.prosumer.folder import write_whole

_TABLE = re.compile(r"\s*\[")
_OURS = re.compile(r"\s*\[\s*strategy\s*[.\]]")
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)


def with_strategy(text: str, strategy: StrategyConfig, path: Path) -> str:
    """The configuration ``text`` with another strategy. Raises :class:`WalletConfigError` if more would change."""
    kept, ours = [], False
    for line in text.split("\n"):
        if _TABLE.match(line):
            ours = _OURS.match(line) is not None
        if not ours:
            kept.append(line)
    changed = "\n".join(kept).rstrip() + "\n\n" + _toml(strategy)
    try:
        before, after = tomllib.loads(text), tomllib.loads(changed)
    except tomllib.TOMLDecodeError:
        before, after = {}, {"": None}
    if {k: v for k, v in before.items() if k != "strategy"} != {k: v for k, v in after.items() if k != "strategy"}:
        raise WalletConfigError(f"{path}: the strategy is not written as tables [strategy]; correct the file by hand")
    parse(changed.encode(), path)
    return changed


def set_strategy(folder: Path, strategy: StrategyConfig) -> None:
    """Write ``strategy`` into the configuration in ``folder``; all of it or nothing."""
    path = folder / FILE
    write_whole(path, with_strategy(path.read_text(encoding="utf-8"), strategy, path))


def as_value(text: str) -> int | bool | str:
    """A parameter as it was typed: a whole number, ``true`` or ``false``, else text."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return text == "true" if text in ("true", "false") else text


def _toml(strategy: StrategyConfig) -> str:
    lines = ["[strategy]"]
    if strategy.name is not None:
        lines.append(f"name = {_text(strategy.name)}")
    else:
        lines += [f"file = {_text(str(strategy.file))}", f"class = {_text(str(strategy.class_name))}"]
    for table, values in (
        ("parameters", strategy.parameters),
        ("bounds", strategy.bounds.model_dump(exclude_none=True)),
    ):
        if values:
            lines += ["", f"[strategy.{table}]", *(f"{_text(name)} = {_value(v)}" for name, v in values.items())]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML string: JSON's, but that DEL is escaped and pairs of surrogates are not written."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:  # noqa: ANN401 - what TOML can say
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise WalletConfigError(f"a parameter of a strategy is a number, a text, true or false; not {type(value).__name__}")

"""A wallet that can cheat in mixes: ``python -m petra.village.chaos.cheat FOLDER``, given to ``village up --replace``.

It runs the wallet's agent as it is. While the file ``cheat`` is in its folder, its members break the mixing protocol in
the manner that the file names.
"""

import sys
from pathlib import Path

from petra.mix_cheats import CheatingEngine, Rewrite
from petra.village.chaos.manners import MANNERS

FILE = "cheat"
COMMAND = "petra.village.chaos.cheat"


def set_manner(folder: Path, manner: str | None) -> None:
    """Make the wallet cheat so from its next run of a mix on; ``None``: be honest."""
    path = folder / FILE
    if manner is None:
        path.unlink(missing_ok=True)
    else:
        fresh = path.with_name(f"{FILE}.new")
        fresh.write_text(manner + "\n", encoding="utf-8")
        fresh.replace(path)


def manner_in(folder: Path) -> Rewrite | None:
    """How the wallet is to cheat now; ``None``: not."""
    try:
        return MANNERS.get((folder / FILE).read_text(encoding="utf-8").strip())
    except OSError:
        return None


def run(folder: Path) -> None:
    """Run ``petra wallet run`` with engines that can cheat."""
    from mixer import choice
    from mixer.engine import Engine
    from petra.cli import app

    honest = choice.engine_for

    def engine_for(members: int, *, name: str | None = None) -> Engine:
        return CheatingEngine(honest(members, name=name), lambda owner: manner_in(folder))

    choice.engine_for = engine_for
    app(["wallet", "run", str(folder), "--password-file", str(folder / "passphrase")], prog_name="petra")


if __name__ == "__main__":
    run(Path(sys.argv[-1]))

"""A meter with a planted bug: when it is started again, it counts once more what it counted since the last border.

``python -m tests.petra.village.bad_meter FOLDER`` runs ``petra meter run`` with that bug.
"""

import sys
from pathlib import Path

from smartmeter.journal import Journal

DOUBLE = """
UPDATE state SET total_wh = total_wh + (
    SELECT state.total_wh - total_wh FROM boundary WHERE boundary.counter = state.counter ORDER BY t DESC LIMIT 1)
WHERE EXISTS (SELECT 1 FROM boundary WHERE boundary.counter = state.counter)
"""


class DoubleCountingJournal(Journal):
    """Counts twice after a restart."""

    def __init__(self, path: Path, *arguments, **named) -> None:
        super().__init__(path, *arguments, **named)
        if str(path) != ":memory:":
            self._db.execute(DOUBLE)


if __name__ == "__main__":
    from petra.cli import app
    from smartmeter import folder

    opened = []

    def once(path, *arguments, **named):
        """The daemon opens its journal twice: for readings and for the books. The bug strikes at the first."""
        opened.append(path)
        return (DoubleCountingJournal if len(opened) == 1 else Journal)(path, *arguments, **named)

    folder.Journal = once
    place = Path(sys.argv[-1])
    app(["meter", "run", str(place), "--password-file", str(place / "passphrase")])

"""The measurement as tables and as ``privacy.json``."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from petra.privacy.adversaries import standard
from petra.privacy.leaks import LEAKS
from petra.privacy.measure import Row, measure
from petra.privacy.view import Record
from petra.tables import Table

UNGATED = "insider"
"""Knows more than the public; shown, and left out of the verdict."""


@dataclass(frozen=True, slots=True)
class Caught:
    """A planted leak, and what the adversary that must notice it made of it."""

    leak: str
    row: Row

    @property
    def caught(self) -> bool:
        """Whether the adversary certainly links better than guessing."""
        return self.row.links


def planted(record: Record, corrupted: int = 0, seed: int = 0) -> list[Caught]:
    """Plant every leak in ``record``, one at a time, and measure it. Raises ``ValueError`` if nobody traded."""
    if not record.view().orders:
        raise ValueError("nobody traded in this run, so not every leak can be planted; simulate a whole day")
    by_name = {adversary.name: adversary for adversary in standard()}
    return [
        Caught(leak.name, measure(leak.plant(record), corrupted, seed, [by_name[leak.caught_by]])[0]) for leak in LEAKS
    ]


def failures(rows: Sequence[Row], leaks: Sequence[Caught], gate: float) -> list[str]:
    """What is wrong, a sentence each; empty if the run passes."""
    found = [
        f"{row.adversary}: links up to {row.upper:.3f} of the notes (99 %), guessing {row.guessing:.3f}; "
        f"the gate is {gate:g} times guessing"
        for row in rows
        if row.window is None and row.adversary != UNGATED and not row.passes(gate)
    ]
    return found + [f"{c.leak}: planted, and not caught by '{c.row.adversary}'" for c in leaks if not c.caught]


def adversaries_table(rows: Sequence[Row]) -> Table:
    """A line for each adversary over all windows, with its worst window."""
    lines = []
    for row in (row for row in rows if row.window is None):
        worst = max((r.upper for r in rows if r.adversary == row.adversary and r.window is not None), default=1.0)
        smallest = min((r.effective_set for r in rows if r.adversary == row.adversary), default=0.0)
        lines.append(
            (
                row.adversary,
                f"{row.set_size:.1f}",
                f"{row.effective_set:.1f}",
                f"{smallest:.1f}",
                f"{row.rate:.4f}",
                f"{row.upper:.4f}",
                f"{row.upper / row.guessing:.2f}",
                f"{worst:.3f}",
            )
        )
    guessing = next(row.guessing for row in rows)
    head = ("adversary", "set", "2^H", "least", "right", "≤ (99 %)", "÷ 1/(N−f)", "window ≤")
    note = f"{rows[0].outputs} mixed notes; 1/(N−f) = {guessing:.4f}. least, window: the worst window's."
    return Table("what adversaries make of the public data", head, tuple(lines), note)


def leaks_table(leaks: Sequence[Caught]) -> Table:
    """A line for each planted leak."""
    lines = [
        (
            c.leak,
            c.row.adversary,
            f"{c.row.rate:.4f}",
            f"{c.row.claims_right:.3f} of {c.row.claims}",
            f"{c.row.effective_set:.1f}",
            "caught" if c.caught else "MISSED",
        )
        for c in leaks
    ]
    head = ("planted leak", "adversary", "right", "claims", "2^H", "")
    return Table("the same run with a leak planted", head, tuple(lines), "Caught: better than guessing, 99.9 %.")


def to_json(rows: Sequence[Row], leaks: Sequence[Caught], corrupted: int, seed: int, gate: float) -> str:
    """All rows, windows included; field names are those of the classes."""
    return json.dumps(
        {
            "corrupted": corrupted,
            "seed": seed,
            "gate": gate,
            "passed": not failures(rows, leaks, gate),
            "rows": [{**asdict(row), "links": row.links} for row in rows],
            "leaks": [{"leak": c.leak, **asdict(c.row), "caught": c.caught} for c in leaks],
        },
        indent=1,
    )

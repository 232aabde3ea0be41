"""The standard set: the same notes for every home in every window, traded or not (DESIGN §4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.keys import Address
from assets.notes import MAX_NOTES, MAX_QUANTITY, Note, eca, epa, fa


@dataclass(frozen=True, slots=True)
class StandardSet:
    """How many notes of which size a meter issues per window.

    Raises ``ValueError`` for an empty set, or for a count or quantity that the ledger would refuse.
    """

    note_power_w: int
    """Power of every EPA and ECA note."""
    epa_notes: int
    eca_notes: int
    fa_notes: int
    fa_amount_nano: int
    """Amount of every FA note."""

    def __post_init__(self) -> None:
        if min(self.epa_notes, self.eca_notes, self.fa_notes) < 0:
            raise ValueError("a standard set counts its notes from 0")
        if not 1 <= self.count <= MAX_NOTES:
            raise ValueError(f"a standard set has 1 to {MAX_NOTES} notes, this one {self.count}")
        for name, quantity in (("note_power_w", self.note_power_w), ("fa_amount_nano", self.fa_amount_nano)):
            if not 1 <= quantity <= MAX_QUANTITY:
                raise ValueError(f"{name} is {quantity}; give 1 to 2**63-1")

    @property
    def count(self) -> int:
        """Number of notes, and so of owner addresses, per window."""
        return self.epa_notes + self.eca_notes + self.fa_notes

    def notes(self, window: int, owners: Sequence[Address]) -> tuple[Note, ...]:
        """The set for the delivery interval ``window``: EPA notes first, then ECA, then FA, one owner each.

        Raises ``ValueError`` unless there is exactly one owner per note.
        """
        if len(owners) != self.count:
            raise ValueError(f"the standard set needs {self.count} owner addresses, one per note; got {len(owners)}")
        eca_from, fa_from = self.epa_notes, self.epa_notes + self.eca_notes
        return (
            *(epa(owner, self.note_power_w, window, window) for owner in owners[:eca_from]),
            *(eca(owner, self.note_power_w, window, window) for owner in owners[eca_from:fa_from]),
            *(fa(owner, self.fa_amount_nano) for owner in owners[fa_from:]),
        )

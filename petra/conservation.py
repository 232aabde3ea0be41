"""Nothing appears and nothing is lost: what was issued is deposited or still outstanding."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assets.notes import Kind, Note
from assets.port import Entry
from assets.transactions import Withdraw
from assets.units import energy_wh
from smartmeter.billing import BillingRecord


@dataclass(frozen=True, slots=True)
class Balance:
    """One kind of asset over a run: Wh for EPA and ECA, nano-units for FA."""

    kind: Kind
    issued: int
    """Withdrawn from all meters, as the ledger shows."""
    deposited: int
    """Counted by all meters in time, as their bills show."""

    @property
    def outstanding(self) -> int:
        """Issued and not deposited: late, kept or lost. Never negative."""
        return self.issued - self.deposited


def note_value(note: Note, interval_s: int) -> int:
    """Wh of an energy note over its whole span, or nano-units of an FA note."""
    if note.kind == Kind.FA:
        return note.amount_nano
    return energy_wh(note.power_w, interval_s) * (note.end - note.start + 1)


def balances(entries: Iterable[Entry], bills: Sequence[BillingRecord], interval_s: int) -> tuple[Balance, ...]:
    """The balance of each kind of asset, from the ledger and from the bills."""
    issued: Counter[int] = Counter()
    for entry in entries:
        if isinstance(entry.signed.tx, Withdraw):
            for note in entry.signed.tx.outputs:
                issued[note.kind] += note_value(note, interval_s)
    deposited = {
        Kind.EPA: sum(b.epa_deposited_wh for b in bills),
        Kind.ECA: sum(b.eca_deposited_wh for b in bills),
        Kind.FA: sum(b.fa_deposited_nano for b in bills),
    }
    return tuple(Balance(kind, issued[kind], deposited[kind]) for kind in Kind)

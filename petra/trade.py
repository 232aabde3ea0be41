"""Trades: the fills of the settlements that stand on the ledger."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assets.keys import Digest
from assets.orders import Fill
from assets.port import Entry
from assets.transactions import Settle


@dataclass(frozen=True, slots=True)
class Trade:
    """One settled fill."""

    settlement: Digest
    """Digest of the settlement as it stands on the ledger."""
    place: int
    """Place of the fill in the settlement, from 0."""
    fill: Fill
    energy_wh: int
    """Energy that changed hands, over the whole span of the notes."""

    @property
    def t(self) -> int:
        """First delivery interval of the notes."""
        return self.fill.sell.order.energy.note.start

    @property
    def price_nano_per_wh(self) -> int:
        """What the buyer paid per watt-hour."""
        return self.fill.price_nano_per_wh

    @property
    def amount_nano(self) -> int:
        """What the buyer paid."""
        return self.price_nano_per_wh * self.energy_wh


def trades_of(entries: Iterable[Entry], interval_s: int) -> Iterator[Trade]:
    """The trades among ``entries``, in the ledger's order."""
    for entry in entries:
        if isinstance(entry.signed.tx, Settle):
            for place, fill in enumerate(entry.signed.tx.fills):
                yield Trade(entry.digest, place, fill, fill.energy_wh(interval_s))

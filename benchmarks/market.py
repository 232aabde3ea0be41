"""A seeded market on a ledger: homes that withdraw standard sets, mix, order, settle and deposit."""

from collections.abc import Sequence

from assets.intervals import IntervalGrid
from assets.keys import Address, Digest, SigningKey, ThrowAwayKeys
from assets.notes import MAX_POWER_W, IssuedNote, Kind, Note, eca, epa, fa, issued
from assets.orders import Fill, Order, Side, SignedOrder, sign_order
from assets.port import Ledger, Receipt
from assets.transactions import (
    Authorisation,
    FeederCapacity,
    Regulate,
    Settle,
    Signed,
    Transact,
    Transaction,
    Withdraw,
    digest,
    outputs_of,
    sign,
)

GENESIS_S = 1_700_000_000
GRID = IntervalGrid(GENESIS_S, 900)
POWER_W, AMOUNT_NANO, LIMIT = 1000, 240_000_000, 200_000
TRANSCRIPT = b"\7" * 32
EXPIRES_S = 2 * GENESIS_S

_keys = ThrowAwayKeys(1, "benchmarks/market")
DSO = _keys.fresh()


class Market:
    """Homes on one feeder. Keys come from a seed, so that calldata and gas are the same in every run."""

    def __init__(self, ledger: Ledger, homes: int) -> None:
        self.ledger = ledger
        self._source = ThrowAwayKeys(2, "benchmarks/market")
        self._meters = [self._source.fresh() for _ in range(homes)]
        self._key_of: dict[Address, SigningKey] = {}
        feeder = (FeederCapacity(0, MAX_POWER_W, MAX_POWER_W),)
        grants = [Authorisation(m, key.address, 0, 10**6, 10**6, 10**15) for m, key in enumerate(self._meters)]
        for first in range(0, homes, 40):
            tx = Regulate(ledger.regulation_nonce(), feeder, tuple(grants[first : first + 40]))
            self.submit([sign(ledger.domain, tx, DSO)])

    def submit(self, batch: Sequence[Signed[Transaction]]) -> list[Receipt]:
        """Submit and want everything accepted, every fill included."""
        receipts = [receipt.require() for receipt in self.ledger.submit(batch)]
        for refusal in (fill for receipt in receipts for fill in receipt.fills):
            if refusal is not None:
                raise refusal
        return receipts

    def created(self, batch: Sequence[Signed[Transaction]], kind: Kind) -> list[IssuedNote]:
        """The notes of a kind that the batch creates."""
        domain = self.ledger.domain
        notes = [n for s in batch for n in issued(outputs_of(s.tx, GRID.interval_s), digest(domain, s.tx))]
        return [note for note in notes if note.note.kind == kind]

    def withdrawals(self, homes: range, intervals: range) -> list[Signed[Withdraw]]:
        """For each home one withdrawal of the standard set of every interval: two EPA, two ECA and two FA notes."""
        sets = [(m, tuple(note for t in intervals for note in self._standard_set(t))) for m in homes]
        nonce, domain = self.ledger.meter_nonce, self.ledger.domain
        return [sign(domain, Withdraw(m, nonce(m), intervals[0], outputs), self._meters[m]) for m, outputs in sets]

    def _standard_set(self, t: int) -> list[Note]:
        pairs = [(epa(self._address(), POWER_W, t, t), eca(self._address(), POWER_W, t, t)) for _ in range(2)]
        return [note for pair in pairs for note in (*pair, fa(self._address(), AMOUNT_NANO))]

    def mix(self, notes: Sequence[IssuedNote]) -> Signed[Transact]:
        """One transaction that moves every note to a fresh address."""
        return self._moved(notes, TRANSCRIPT)

    def deposit(self, note: IssuedNote) -> Signed[Transact]:
        """A note on its own to a fresh address."""
        return self._moved([note], bytes(32))

    def settlement(
        self, supply: Sequence[IssuedNote], demand: Sequence[IssuedNote], money: Sequence[IssuedNote]
    ) -> Signed[Settle]:
        """Fills of as many pairs of orders as there are notes."""
        fills = [
            Fill(self._order(Side.SELL, s, ()), self._order(Side.BUY, d, (m,)), POWER_W, LIMIT)
            for s, d, m in zip(supply, demand, money, strict=True)
        ]
        return Signed(Settle(tuple(fills)), ())

    def _order(self, side: Side, energy: IssuedNote, money: tuple[IssuedNote, ...]) -> SignedOrder:
        order = Order(side, energy, money, LIMIT, self._address(), self._address(), EXPIRES_S, POWER_W)
        return sign_order(self.ledger.domain, order, *(self._key_of[owner] for owner in order.owners))

    def _moved(self, notes: Sequence[IssuedNote], memo: bytes) -> Signed[Transact]:
        outputs = [Note(n.note.kind, self._address(), n.note.quantity, n.note.start, n.note.end) for n in notes]
        tx = Transact(tuple(notes), tuple(outputs), Digest(memo))
        return sign(self.ledger.domain, tx, *(self._key_of[owner] for owner in tx.owners))

    def _address(self) -> Address:
        key = self._source.fresh()
        self._key_of[key.address] = key
        return key.address

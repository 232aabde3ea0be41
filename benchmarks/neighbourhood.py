"""Homes on a ledger, and the signed transactions of one interval: what the benchmarks of ledgers submit."""

from collections.abc import Sequence

from assets.intervals import IntervalGrid
from assets.keys import Address, SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import IssuedNote, Kind, Note, eca, epa, fa, issued
from assets.port import Ledger
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    Regulate,
    Signed,
    Transact,
    Transaction,
    Withdraw,
    digest,
    outputs_of,
    sign,
)
from contracts import nodes
from contracts.ledger import EvmLedger

GENESIS_S = 1_700_000_000
GRID = IntervalGrid(GENESIS_S, 3600)
DOMAIN = Domain(1337, Address(b"\x42" * 20))
DSO = ThrowAwayKeys(0, "benchmarks dso").fresh()

NOTES_PER_KIND = 2
"""Notes of each kind that a home withdraws, as in the default scenario."""

NOTES_PER_HOME = len(Kind) * NOTES_PER_KIND
POWER_W = 200
AMOUNT_NANO = POWER_W * 240_000
PROCEEDS_NANO = POWER_W * 150_000
WINDOW = 7
FEEDERS = 4

Batch = Sequence[Signed[Transaction]]


def specification() -> SpecLedger:
    """A fresh executable specification."""
    return SpecLedger(DOMAIN, GRID, DSO.address)


def contract() -> EvmLedger:
    """A fresh contract on a fresh chain in this process."""
    return EvmLedger.deploy(nodes.in_process(GENESIS_S), DSO.address, GRID)


class Neighbourhood:
    """Homes with an authorised meter each. Every note has an address of its own, as in a wallet."""

    def __init__(self, ledger: Ledger, homes: int) -> None:
        self.ledger = ledger
        self._source = ThrowAwayKeys(0, "benchmarks homes")
        self._key_of: dict[Address, SigningKey] = {}
        self._meters = [self._source.fresh() for _ in range(homes)]
        power_w, credit_nano = NOTES_PER_KIND * POWER_W, NOTES_PER_KIND * AMOUNT_NANO
        feeders = tuple(FeederCapacity(f, homes * power_w, homes * power_w) for f in range(FEEDERS))
        grants = tuple(
            Authorisation(number, meter.address, number % FEEDERS, power_w, power_w, credit_nano)
            for number, meter in enumerate(self._meters)
        )
        self.submit([sign(ledger.domain, Regulate(0, feeders, grants), DSO)])

    def submit(self, batch: Batch) -> None:
        """Submit and want everything accepted."""
        for receipt in self.ledger.submit(batch):
            receipt.require()

    def withdrawals(self) -> list[Signed[Withdraw]]:
        """The standard set of every home."""
        return [
            sign(self.ledger.domain, Withdraw(number, 0, WINDOW, self._standard_set()), meter)
            for number, meter in enumerate(self._meters)
        ]

    def _standard_set(self) -> tuple[Note, ...]:
        return (
            *(epa(self._address(), POWER_W, WINDOW, WINDOW) for _ in range(NOTES_PER_KIND)),
            *(eca(self._address(), POWER_W, WINDOW, WINDOW) for _ in range(NOTES_PER_KIND)),
            *(fa(self._address(), AMOUNT_NANO) for _ in range(NOTES_PER_KIND)),
        )

    def created(self, batch: Batch) -> list[IssuedNote]:
        """The notes that the batch creates, in order."""
        interval_s, domain = self.ledger.grid.interval_s, self.ledger.domain
        outputs = [(outputs_of(signed.tx, interval_s), digest(domain, signed.tx)) for signed in batch]
        return [note for created, origin in outputs for note in issued(created, origin)]

    def mix(self, notes: Sequence[IssuedNote]) -> Signed[Transact]:
        """One transaction that moves every note to a fresh address."""
        return self._signed(notes, [self._moved(note) for note in notes])

    def trade(self, production: IssuedNote, consumption: IssuedNote, money: IssuedNote) -> Signed[Transact]:
        """The joint transaction of one trade: three notes of three addresses in, four out."""
        outputs = (
            self._moved(production),
            self._moved(consumption),
            fa(self._address(), PROCEEDS_NANO),
            fa(self._address(), AMOUNT_NANO - PROCEEDS_NANO),
        )
        return self._signed((production, consumption, money), outputs)

    def deposit(self, note: IssuedNote) -> Signed[Transact]:
        """A note on its own to a fresh address."""
        return self._signed((note,), (self._moved(note),))

    def trades(self, notes: Sequence[IssuedNote]) -> list[Signed[Transact]]:
        """As many trades as the notes allow, each home's with its neighbour's."""
        productions, consumptions, monies = (of_kind(notes, kind) for kind in Kind)
        consumptions, monies = (kept[1:] + kept[:1] for kept in (consumptions, monies))
        return [self.trade(*trio) for trio in zip(productions, consumptions, monies, strict=True)]

    def _address(self) -> Address:
        key = self._source.fresh()
        self._key_of[key.address] = key
        return key.address

    def _moved(self, issued_note: IssuedNote) -> Note:
        note = issued_note.note
        return Note(note.kind, self._address(), note.quantity, note.start, note.end)

    def _signed(self, inputs: Sequence[IssuedNote], outputs: Sequence[Note]) -> Signed[Transact]:
        tx = Transact(tuple(inputs), tuple(outputs))
        return sign(self.ledger.domain, tx, *(self._key_of[owner] for owner in tx.owners))


def of_kind(notes: Sequence[IssuedNote], kind: Kind) -> list[IssuedNote]:
    """The notes of one kind, in order."""
    return [note for note in notes if note.note.kind == kind]


def traders(ledger: Ledger, trades: int) -> tuple[Neighbourhood, list[Signed[Transact]]]:
    """A neighbourhood that has withdrawn its notes, and ``trades`` signed trades among them."""
    neighbourhood = Neighbourhood(ledger, -(-trades // NOTES_PER_KIND))
    withdrawals = neighbourhood.withdrawals()
    neighbourhood.submit(withdrawals)
    return neighbourhood, neighbourhood.trades(neighbourhood.created(withdrawals))[:trades]

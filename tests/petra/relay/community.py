"""Homes with notes whose keys are known: what tests of the relay submit."""

from assets.intervals import IntervalGrid
from assets.keys import SigningKey, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import IssuedNote, Note, epa, issued
from assets.port import Ledger
from assets.transactions import (
    Authorisation,
    Domain,
    FeederCapacity,
    Regulate,
    Signed,
    Transact,
    Withdraw,
    digest,
    sign,
)

POWER_W = 400
SOURCE = ThrowAwayKeys(7, "relay")
DSO = SOURCE.fresh()
GRID = IntervalGrid(1_800_000_000, 900)


class Community:
    """Homes on a ledger, each with a meter that may issue notes."""

    def __init__(self, ledger: Ledger, homes: int = 4) -> None:
        self.ledger, self.domain = ledger, ledger.domain
        self.meters = [SOURCE.fresh() for _ in range(homes)]
        self.nonces = [0] * homes
        self.keys: dict[bytes, SigningKey] = {}
        grants = tuple(Authorisation(i, meter.address, 1, 10**6, 10**6, 10**12) for i, meter in enumerate(self.meters))
        rules = Regulate(ledger.regulation_nonce(), feeders=(FeederCapacity(1, 10**8, 10**8),), authorise=grants)
        ledger.submit([sign(self.domain, rules, DSO)])[0].require()

    def address(self) -> bytes:
        key = SOURCE.fresh()
        self.keys[key.address] = key
        return key.address

    def withdrawal(self, home: int, notes: int = 2) -> Signed[Withdraw]:
        """The home's next; the one before has to be recorded first."""
        outputs = tuple(epa(self.address(), POWER_W, 5, 5) for _ in range(notes))
        tx = Withdraw(home, self.nonces[home], 5, outputs)
        self.nonces[home] += 1
        return sign(self.domain, tx, self.meters[home])

    def notes(self, signed: Signed) -> tuple[IssuedNote, ...]:
        return issued(signed.tx.outputs, digest(self.domain, signed.tx))

    def issue(self, home: int, notes: int = 2) -> tuple[IssuedNote, ...]:
        """Notes that are on the ledger."""
        signed = self.withdrawal(home, notes)
        self.ledger.submit([signed])[0].require()
        return self.notes(signed)

    def moved(self, *inputs: IssuedNote) -> Signed[Transact]:
        """A deposit, or a mix: every note goes to a fresh address."""
        outputs = tuple(Note(n.note.kind, self.address(), n.note.quantity, n.note.start, n.note.end) for n in inputs)
        tx = Transact(inputs, outputs)
        return sign(self.domain, tx, *(self.keys[owner] for owner in tx.owners))


def community(homes: int = 4) -> Community:
    return Community(SpecLedger(Domain(5, DSO.address), GRID, DSO.address), homes)

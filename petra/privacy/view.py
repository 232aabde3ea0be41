"""What an adversary gets: the published ledger, and the secrets of the homes that it has corrupted. Nothing else."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from assets.chainlog import decode_log
from assets.codec import is_nested_deeply
from assets.errors import EncodingError
from assets.keys import Address
from assets.orders import Order
from assets.port import Entry
from assets.transactions import NO_MEMO, Settle, Transact, Withdraw


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A note that a meter issued: everybody can read whose it is."""

    owner: Address
    meter: int
    window: int
    nonce: int
    seq: int
    """Ledger entry of the withdrawal."""
    quantity: int


@dataclass(frozen=True, slots=True)
class Output:
    """A note that came out of a mix: the adversary wants to know whose it is."""

    owner: Address
    quantity: int
    place: int
    """Among the mix's outputs."""


@dataclass(frozen=True, slots=True)
class Mix:
    """One mix as it stands on the ledger."""

    window: int
    note_class: tuple[int, int, int, int]
    """Kind, quantity, start and end of its first input."""
    inputs: tuple[Withdrawn, ...]
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Spend:
    """The first transaction that used a mixed note."""

    rank: tuple[int, int]
    """Ledger entry and place in it."""
    order: Order | None
    """``None``: not traded, but deposited."""


@dataclass(frozen=True)
class View:
    """The public data, and what corrupted homes add."""

    entries: Sequence[Entry]
    known: Mapping[Address, int] = field(default_factory=dict)
    """Addresses of corrupted homes."""

    @cached_property
    def corrupted(self) -> frozenset[int]:
        """The corrupted homes."""
        return frozenset(self.known.values())

    @cached_property
    def meters(self) -> int:
        """N: meters that issued notes; no other can be behind a mixed one."""
        return len({note.meter for note in self.withdrawn.values()})

    @cached_property
    def withdrawn(self) -> dict[Address, Withdrawn]:
        """Every withdrawn note by its owner's address."""
        found: dict[Address, Withdrawn] = {}
        for entry in self.entries:
            tx = entry.signed.tx
            if isinstance(tx, Withdraw):
                for note in tx.outputs:
                    row = Withdrawn(note.owner, tx.meter, tx.window, tx.nonce, entry.seq, note.quantity)
                    found.setdefault(note.owner, row)
        return found

    @cached_property
    def mixes(self) -> tuple[Mix, ...]:
        """All mixes, in the ledger's order."""
        found = []
        for entry in self.entries:
            tx = entry.signed.tx
            if isinstance(tx, Transact) and tx.memo != NO_MEMO:
                inputs = tuple(self.withdrawn[i.note.owner] for i in tx.inputs)
                outputs = tuple(Output(note.owner, note.quantity, place) for place, note in enumerate(tx.outputs))
                found.append(Mix(inputs[0].window, tx.inputs[0].note.note_class, inputs, outputs))
        return tuple(found)

    @cached_property
    def spends(self) -> dict[Address, Spend]:
        """How each address spent its note after the mix."""
        found: dict[Address, Spend] = {}
        for entry in self.entries:
            tx = entry.signed.tx
            if isinstance(tx, Transact) and tx.memo == NO_MEMO:
                for place, note in enumerate(tx.inputs):
                    found.setdefault(note.note.owner, Spend((entry.seq, place), None))
            elif isinstance(tx, Settle):
                for place, fill in enumerate(tx.fills):
                    for order in (fill.sell.order, fill.buy.order):
                        for note in order.notes:
                            found.setdefault(note.note.owner, Spend((entry.seq, place), order))
        return found

    @cached_property
    def orders(self) -> tuple[Order, ...]:
        """All orders that settled."""
        return tuple(
            signed.order
            for entry in self.entries
            if isinstance(entry.signed.tx, Settle)
            for fill in entry.signed.tx.fills
            for signed in (fill.sell, fill.buy)
        )

    def honest_inputs(self, mix: Mix) -> tuple[Withdrawn, ...]:
        """Inputs of homes that are not corrupted."""
        return tuple(i for i in mix.inputs if i.meter not in self.corrupted)

    def honest_outputs(self, mix: Mix) -> tuple[Output, ...]:
        """Outputs that no corrupted home knows to be its own."""
        return tuple(o for o in mix.outputs if o.owner not in self.known)


@dataclass(frozen=True)
class Record:
    """A finished run: what everybody can read, and the truth."""

    entries: Sequence[Entry]
    truth: Mapping[Address, int]
    """Home behind every address. Only measurements see it."""

    @cached_property
    def homes(self) -> tuple[int, ...]:
        """All homes, ascending."""
        return tuple(sorted(set(self.truth.values())))

    def view(self, corrupted: int = 0, seed: int = 0) -> View:
        """The view of an adversary that corrupted so many homes, drawn by ``seed``. Raises ``ValueError``."""
        if not 0 <= corrupted <= len(self.homes) - 2:
            raise ValueError(f"corrupt 0 to {len(self.homes) - 2} of {len(self.homes)} homes, so that two remain")
        chosen = set(random.Random(f"petra corrupted/{seed}").sample(self.homes, corrupted))  # noqa: S311
        return View(self.entries, {a: home for a, home in self.truth.items() if home in chosen})


def read_record(run_dir: Path) -> Record:
    """The ledger and the truth of a run folder. Raises ``ValueError`` if it is none, ``LogTampered`` if changed."""
    ledger, truth = run_dir / "ledger.jsonl", run_dir / "truth.jsonl"
    for path in (ledger, truth):
        if not path.is_file():
            raise ValueError(f"{path} is missing; give the folder of a run, made by: petra simulate --out {run_dir}")
    with ledger.open("rb") as file:
        entries = decode_log(file).entries
    owners: dict[Address, int] = {}
    with truth.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                if is_nested_deeply(line):
                    raise ValueError("nested too deeply")
                row = json.loads(line)
                if row["type"] == "address":
                    owners[Address(bytes.fromhex(row["address"][2:]))] = int(row["home"])
            except (ValueError, KeyError, TypeError):
                raise EncodingError(f"{truth}, line {number}: not a line that petra simulate writes") from None
    if any(owner not in owners for owner in _owners_of_notes(entries)):
        raise ValueError(f"{truth} does not name the home of every note; give both files of one run")
    return Record(entries, owners)


def _owners_of_notes(entries: Sequence[Entry]) -> Iterator[Address]:
    """Owners of all notes that meters issued or mixes gave out."""
    for entry in entries:
        if isinstance(entry.signed.tx, Withdraw | Transact):
            yield from (note.owner for note in entry.signed.tx.outputs)


def by_window(view: View) -> dict[int, list[Mix]]:
    """Mixes by delivery interval."""
    rows: defaultdict[int, list[Mix]] = defaultdict(list)
    for mix in view.mixes:
        rows[mix.window].append(mix)
    return dict(rows)

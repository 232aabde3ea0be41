"""Energy and financial transaction: notes change hands, are split or merged. Paper, section "Transactions"."""

from collections.abc import Iterable

from assets import errors
from assets.keys import Digest
from assets.notes import ENERGY_KINDS, MAX_NOTES, Kind, Note
from assets.rules.notes import check_outputs, check_signatures, check_unspent, create, spend
from assets.rules.state import LedgerState, PowerByInterval, no_power
from assets.transactions import Signed, Transact


def check_transact(state: LedgerState, signed: Signed[Transact], message: Digest) -> None:
    """Every input exists unspent, every owner signed ``message``, and outputs equal inputs in every interval."""
    tx = signed.tx
    if not tx.inputs:
        raise errors.EmptyTransaction
    if len(tx.inputs) > MAX_NOTES:
        raise errors.TooManyNotes(len(tx.inputs), MAX_NOTES)
    check_outputs(state, tx.outputs)
    check_unspent(state, tx.inputs)
    check_signatures(state.domain, message, tx.owners, signed.signatures)
    check_balance([i.note for i in tx.inputs], tx.outputs)


def check_balance(inputs: Iterable[Note], outputs: Iterable[Note]) -> None:
    """For EPA and for ECA: equal power in every interval. For FA: equal sums.

    Raises :class:`~assets.errors.Unbalanced` with the first interval that differs. The sums can only change where a
    note starts or has ended, so it is enough to look there.
    """
    steps_w: PowerByInterval = no_power()
    fa_nano = 0
    for sign, notes in ((1, inputs), (-1, outputs)):
        for note in notes:
            if note.kind == Kind.FA:
                fa_nano += sign * note.quantity
            else:
                steps_w[int(note.kind), note.start] += sign * note.quantity
                steps_w[int(note.kind), note.end + 1] -= sign * note.quantity
    for kind in ENERGY_KINDS:
        differing = [t for (k, t), step in steps_w.items() if k == kind and step]
        if differing:
            raise errors.Unbalanced(int(kind), min(differing))
    if fa_nano:
        raise errors.Unbalanced(int(Kind.FA), 0)


def apply_transact(state: LedgerState, tx: Transact, message: Digest) -> None:
    """Spend the inputs and create the outputs of a transaction that passed :func:`check_transact`."""
    spend(state, tx.inputs)
    create(state, tx.outputs, message)

"""How much gas a call may need: an upper bound, so that a relay is packed and sent without asking the node.

The figures are rounded up from measurements (``tests/contracts/test_gas.py`` holds the bound against the contract).
"""

from assets.groups import SIZE
from assets.notes import ENERGY_KINDS, Note
from assets.transactions import Cancel, Regulate, Settle, Signed, Transact, Transaction, Withdraw, inputs_of

RELAY = 40_000
"""A relay of no calls, its 21 000 of any transaction included."""

CALL = 25_000
"""A call of no notes: reading, hashing, its event, one nonce; and the refusal it may end in."""

BYTE = 16 + 8 + 3
"""A byte of calldata: read once, logged once, copied."""

FLOOR_BYTE = 40
"""What a transaction pays at least for a byte of calldata (EIP-7623)."""

GROUP = 23_000
"""A group of notes created: a new word."""

NOTE = 2_500
"""A note created: checked, hashed for the signature and for its group."""

INPUT = 15_000
"""A note spent: hashed, its path climbed, its group's word changed, a signature."""

STEP = 60
"""One comparison of the balance check, which has at most as many as pairs of places where power changes."""

FILL = 20_000
"""A fill: a call of its own, two orders read and hashed, two words of cancellations."""

ISSUED = 2_000
"""Power issued in one interval, for the meter and its feeder."""

ISSUED_WORD = 46_000
"""A new word of issued power of the meter and one of its feeder; it serves four intervals."""

GRANT = 140_000
"""A meter authorised: at most four new words, and two of its feeder's."""

RECORD = 60_000
"""Any other item of a regulatory transaction: at most two new words and one changed, as for a later ban."""


def of_call(signed: Signed[Transaction], call: bytes) -> int:
    """Upper bound of what the encoded ``call`` of ``signed`` adds to a relay."""
    carried = CALL + BYTE * len(call)
    match signed.tx:
        case Withdraw(outputs=outputs):
            return carried + _created(len(outputs)) + _issued(outputs)
        case Transact(inputs=inputs, outputs=outputs):
            notes = [i.note for i in inputs] + list(outputs)
            places = {p for n in notes for p in ((n.kind, n.start), (n.kind, n.end + 1))}
            steps = STEP * 2 * len(notes) * (2 + len(places))
            return carried + INPUT * len(inputs) + _created(len(outputs)) + steps
        case Settle(fills=fills) as tx:
            return carried + FILL * len(fills) + INPUT * len(inputs_of(tx)) + _created(6 * len(fills))
        case Cancel():
            return carried + RECORD
        case Regulate() as tx:
            records = len(tx.feeders) + len(tx.ban) + len(tx.settle) + len(tx.prices) + 1
            return carried + GRANT * len(tx.authorise) + RECORD * records


def _created(notes: int) -> int:
    return NOTE * notes + GROUP * -(-notes // SIZE)


def _issued(outputs: tuple[Note, ...]) -> int:
    energy = [note for note in outputs if note.kind in ENERGY_KINDS]
    intervals = sum(note.end - note.start + 1 for note in energy)
    words = {word for note in energy for word in range(note.start // 4, note.end // 4 + 1)}
    return ISSUED * intervals + ISSUED_WORD * len(words)


def of_relay(calls_gas: int, calldata_bytes: int) -> int:
    """Gas to send with a relay whose calls need ``calls_gas``: at each depth the EVM keeps back a 64th."""
    return max(RELAY + calls_gas * 64 * 64 // (63 * 63), RELAY + FLOOR_BYTE * calldata_bytes)

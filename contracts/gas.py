"""How much gas a call may need: an upper bound, so that a relay is packed and sent without asking the node.

The figures are rounded up from measurements (``tests/contracts/test_gas.py`` holds the bound against the contract).
"""

from assets.notes import ENERGY_KINDS, Note
from assets.transactions import Regulate, Signed, Transact, Transaction, Withdraw

RELAY = 40_000
"""A relay of no calls, its 21 000 of any transaction included."""

CALL = 25_000
"""A call of no notes: reading, hashing, its event, one nonce; and the refusal it may end in."""

BYTE = 16 + 8 + 3
"""A byte of calldata: read once, logged once, copied."""

FLOOR_BYTE = 40
"""What a transaction pays at least for a byte of calldata (EIP-7623)."""

NOTE = 26_000
"""A note created: its word in storage, hashed twice."""

INPUT = 14_000
"""A note spent: hashed, its word in storage, a signature."""

STEP = 200
"""One comparison of the balance check, which has at most as many as pairs of places where power changes."""

ISSUED = 48_000
"""Power issued in one interval: a word of the meter and one of its feeder."""

GRANT = 90_000
"""A meter authorised: two words."""

RECORD = 40_000
"""Any other item of a regulatory transaction: at most a new word."""


def of_call(signed: Signed[Transaction], call: bytes) -> int:
    """Upper bound of what the encoded ``call`` of ``signed`` adds to a relay."""
    carried = CALL + BYTE * len(call)
    match signed.tx:
        case Withdraw(outputs=outputs):
            return carried + NOTE * len(outputs) + ISSUED * sum(map(_intervals, outputs))
        case Transact(inputs=inputs, outputs=outputs):
            notes = [i.note for i in inputs] + list(outputs)
            places = {p for n in notes for p in ((n.kind, n.start), (n.kind, n.end + 1))}
            return carried + INPUT * len(inputs) + NOTE * len(outputs) + STEP * 2 * len(notes) * (2 + len(places))
        case Regulate() as tx:
            records = len(tx.feeders) + len(tx.ban) + len(tx.settle) + len(tx.prices)
            return carried + GRANT * len(tx.authorise) + RECORD * records


def of_relay(calls_gas: int, calldata_bytes: int) -> int:
    """Gas to send with a relay whose calls need ``calls_gas``: at each depth the EVM keeps back a 64th."""
    return max(RELAY + calls_gas * 64 * 64 // (63 * 63), RELAY + FLOOR_BYTE * calldata_bytes)


def _intervals(note: Note) -> int:
    return max(0, note.end - note.start + 1) if note.kind in ENERGY_KINDS else 0

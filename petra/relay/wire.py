"""What goes to a relay and back: bodies of few sizes, so that their length tells nothing.

A request's body is the ledger's canonical JSON of a signed transaction, followed by spaces up to the next of
:data:`SIZES`. Every answer is JSON, followed by spaces up to :data:`ANSWER_BYTES`.
"""

import json

from assets.codec import canonical, is_nested_deeply, parse, signed_from_json, signed_to_json
from assets.errors import EncodingError
from assets.transactions import Cancel, Signed, Transact, Transaction, Withdraw

SIZES = (16 * 1024, 64 * 1024, 256 * 1024)
"""Lengths of a request's body, bytes: withdrawals, deposits and usual mixes take the first, 256 notes the last."""

ANSWER_BYTES = 1024
"""Length of an answer's body."""

PADDING = b" "

Carried = Signed[Withdraw] | Signed[Transact] | Signed[Cancel]
"""What a relay carries: what the DSO and the bid store sign or match has carriers of its own."""


def body_of(signed: Signed[Transaction]) -> bytes:
    """The body of a request. Raises :class:`~assets.errors.EncodingError` for what no ledger can be asked about."""
    data = canonical(signed_to_json(signed))
    size = next((size for size in SIZES if len(data) <= size), None)
    if size is None:
        raise EncodingError(f"body: expected at most {SIZES[-1]} bytes; split the transaction")
    return data.ljust(size, PADDING)


def signed_of(body: bytes) -> Carried:
    """The transaction in a request's body. Raises :class:`~assets.errors.EncodingError`."""
    if len(body) not in SIZES:
        raise EncodingError(f"body: expected JSON followed by spaces up to {', '.join(map(str, SIZES))} bytes")
    return decoded(body.rstrip(PADDING))


def decoded(data: bytes) -> Carried:
    """The transaction in canonical JSON. Raises :class:`~assets.errors.EncodingError`."""
    signed = signed_from_json(parse(data))
    match signed.tx:
        case Withdraw():
            return Signed(signed.tx, signed.signatures)
        case Transact():
            return Signed(signed.tx, signed.signatures)
        case Cancel():
            return Signed(signed.tx, signed.signatures)
    raise EncodingError("signed.tx.type: expected withdraw, transact or cancel; the others have carriers of their own")


def answer_of(fields: dict[str, object]) -> bytes:
    """The body of an answer, of the same length whatever it says."""
    return json.dumps(fields).encode().ljust(ANSWER_BYTES, PADDING)


def fields_of(answer: bytes) -> dict[str, object]:
    """What an answer says. Raises ``ValueError`` if it is none."""
    found = None if is_nested_deeply(answer) else json.loads(answer)
    if not isinstance(found, dict):
        raise ValueError("an answer is a JSON object")
    return found

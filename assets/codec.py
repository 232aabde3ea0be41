"""The one canonical JSON encoding of public ledger data.

Addresses, digests and signatures are ``0x`` and lower-case hexadecimal digits of exact length; integers are JSON
integers; kinds are ``"EPA"``, ``"ECA"`` and ``"FA"``; a transaction names its ``type``. Decoding is strict: what is
not exactly the encoding of a value raises :class:`~assets.errors.EncodingError` with the path of the field and what
is expected there. An object becomes bytes in one way only (:func:`canonical`), and only those bytes are read back
(:func:`parse`).
"""

import json
import re
from collections.abc import Iterable
from typing import NoReturn

from assets.errors import EncodingError
from assets.keys import SIGNATURE_BYTES
from assets.notes import IssuedNote, Kind, Note
from assets.orders import Fill, Order, Side, SignedOrder
from assets.port import Entry
from assets.shapes import Hex, Names, OneOf, Record, TupleOf, Uint
from assets.transactions import (
    Authorisation,
    Cancel,
    FeederCapacity,
    PriceChange,
    Regulate,
    Settle,
    Settlement,
    Signed,
    Transact,
    Transaction,
    Withdraw,
)

JsonObject = dict[str, object]
"""A JSON object of integers, strings, arrays and objects."""

MAX_DEPTH = 16
"""Deepest nesting of arrays and objects; an entry has eleven levels."""

UINT32, UINT64, ADDRESS, DIGEST = Uint(32), Uint(64), Hex(20), Hex(32)

_NOTE = Record(
    Note,
    {
        "kind": Names({kind.name: kind for kind in Kind}),
        "owner": ADDRESS,
        "quantity": UINT64,
        "start": UINT32,
        "end": UINT32,
    },
)
_ISSUED_NOTE = Record(IssuedNote, {"note": _NOTE, "origin": DIGEST, "index": Uint(16)})
_FEEDER = Record(FeederCapacity, {"feeder": UINT32, "export_w": UINT64, "import_w": UINT64})
_AUTHORISATION = Record(
    Authorisation,
    {
        "meter": UINT32,
        "key": ADDRESS,
        "feeder": UINT32,
        "max_epa_w": UINT64,
        "max_eca_w": UINT64,
        "credit_nano": UINT64,
    },
)
_SETTLEMENT = Record(Settlement, {"meter": UINT32, "amount_nano": UINT64})
_PRICE = Record(PriceChange, {"time_s": UINT64, "consumption_nano_per_wh": UINT64, "production_nano_per_wh": UINT64})
_SIGNATURES = TupleOf(Hex(SIGNATURE_BYTES))
_ORDER = Record(
    Order,
    {
        "side": Names({side.name: side for side in Side}),
        "energy": _ISSUED_NOTE,
        "money": TupleOf(_ISSUED_NOTE),
        "limit_nano_per_wh": UINT64,
        "deliver_to": ADDRESS,
        "pay_to": ADDRESS,
        "expires_s": UINT64,
        "least_w": UINT32,
        "keep_at": ADDRESS,
        "nonce": Uint(8),
    },
)
_SIGNED_ORDER = Record(SignedOrder, {"order": _ORDER, "signatures": _SIGNATURES})
_FILL = Record(Fill, {"sell": _SIGNED_ORDER, "buy": _SIGNED_ORDER, "power_w": UINT32, "price_nano_per_wh": UINT64})
_TRANSACTION: OneOf[Transaction] = OneOf(
    Record(
        Withdraw,
        {"meter": UINT32, "nonce": UINT64, "window": UINT32, "outputs": TupleOf(_NOTE)},
        tag="withdraw",
    ),
    Record(
        Transact,
        {"inputs": TupleOf(_ISSUED_NOTE), "outputs": TupleOf(_NOTE), "memo": DIGEST},
        tag="transact",
    ),
    Record(Settle, {"fills": TupleOf(_FILL)}, tag="settle"),
    Record(Cancel, {"owner": ADDRESS, "nonces": Uint(256)}, tag="cancel"),
    Record(
        Regulate,
        {
            "nonce": UINT64,
            "feeders": TupleOf(_FEEDER),
            "authorise": TupleOf(_AUTHORISATION),
            "ban": TupleOf(UINT32),
            "settle": TupleOf(_SETTLEMENT),
            "prices": TupleOf(_PRICE),
            "time_s": Uint(40),
            "successor": ADDRESS,
        },
        tag="regulate",
    ),
)
_SIGNED: Record[Signed[Transaction]] = Record(Signed, {"tx": _TRANSACTION, "signatures": _SIGNATURES})
_ENTRY = Record(Entry, {"seq": UINT64, "time_s": UINT64, "digest": DIGEST, "signed": _SIGNED})


def note_to_json(note: Note) -> JsonObject:
    """``note`` as a JSON object; raises ``EncodingError`` for a note that no ledger accepts."""
    return _NOTE.encode(note, "note")


def note_from_json(obj: object) -> Note:
    """The note that ``obj`` encodes; raises ``EncodingError``."""
    return _NOTE.decode(obj, "note")


def issued_note_to_json(issued_note: IssuedNote) -> JsonObject:
    """``issued_note`` as a JSON object; raises ``EncodingError`` for a note that no ledger accepts."""
    return _ISSUED_NOTE.encode(issued_note, "issued_note")


def issued_note_from_json(obj: object) -> IssuedNote:
    """The issued note that ``obj`` encodes; raises ``EncodingError``."""
    return _ISSUED_NOTE.decode(obj, "issued_note")


def signed_to_json(signed: Signed[Transaction]) -> JsonObject:
    """``signed`` as a JSON object; raises ``EncodingError`` for what no ledger accepts."""
    return _SIGNED.encode(signed, "signed")


def signed_from_json(obj: object) -> Signed[Transaction]:
    """The signed transaction that ``obj`` encodes; raises ``EncodingError``. Signatures are not verified."""
    return _SIGNED.decode(obj, "signed")


def entry_to_json(entry: Entry) -> JsonObject:
    """``entry`` as a JSON object; raises ``EncodingError`` for what no ledger accepts."""
    return _ENTRY.encode(entry, "entry")


def entry_from_json(obj: object) -> Entry:
    """The entry that ``obj`` encodes; raises ``EncodingError``. Digest and signatures are not verified."""
    return _ENTRY.decode(obj, "entry")


def canonical(obj: object) -> bytes:
    """The one encoding of ``obj``: UTF-8 JSON with sorted keys, no spaces and no line breaks.

    ``obj`` consists of dictionaries with string keys, lists, integers and strings; anything else (floats, booleans,
    ``None``, lone surrogates) has no canonical encoding and raises ``EncodingError``.
    """
    if not _is_json(obj, MAX_DEPTH):
        _check_json(obj, "value", MAX_DEPTH)
    try:
        return _ENCODER.encode(obj).encode()
    except UnicodeEncodeError as error:
        raise EncodingError("value: expected text that UTF-8 can encode, got a lone surrogate") from error


def parse(line: bytes) -> object:
    """The value whose :func:`canonical` encoding is ``line``; any other bytes raise ``EncodingError``."""
    if is_nested_deeply(line):
        raise EncodingError(f"value: expected at most {MAX_DEPTH} levels of nesting")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EncodingError(
            f"value: expected UTF-8, got {error.object[error.start]:#04x} at byte {error.start}"
        ) from None
    try:
        obj = json.loads(text, object_pairs_hook=_unique, parse_float=_no_number, parse_constant=_no_number)
        encoded = canonical(obj)
    except EncodingError:
        raise
    except ValueError as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else "a number with thousands of digits"
        raise EncodingError(f"value: expected JSON, got {reason}") from None
    if encoded != line:
        at = next(
            (i for i, (a, b) in enumerate(zip(encoded, line, strict=False)) if a != b), min(len(encoded), len(line))
        )
        raise EncodingError(
            f"value: expected the canonical encoding (sorted keys, no spaces), which differs at byte {at}"
        )
    return obj


_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_nested_deeply(data: bytes) -> bool:
    """Whether JSON has more than ``MAX_DEPTH`` levels of arrays and objects.

    To be asked before a JSON parser sees bytes from elsewhere: where the recursion limit was raised, as the Ethereum
    virtual machine in Python does, deep nesting crashes the interpreter.
    """
    depth = 0
    for bracket in _TEXT.sub(b"", data).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _is_json(obj: object, depth: int) -> bool:
    """Whether :func:`_check_json` would find nothing wrong; quicker, since it names no path."""
    if isinstance(obj, dict):
        if any(type(key) is not str for key in obj):
            return False
        values: Iterable[object] = obj.values()
    elif isinstance(obj, list):
        values = obj
    else:
        return depth >= 0 and type(obj) in (int, str)
    for value in values:
        kind = type(value)
        if depth < 1 or (kind is not int and kind is not str and not _is_json(value, depth - 1)):
            return False
    return depth >= 0


def _check_json(obj: object, path: str, depth: int) -> None:
    if depth < 0:
        raise EncodingError(f"value: expected at most {MAX_DEPTH} levels of nesting")
    if isinstance(obj, dict):
        for key, value in obj.items():
            if not isinstance(key, str):
                raise EncodingError(f"{path}: expected text as key, got {key!r}")
            _check_json(value, f"{path}.{key}", depth - 1)
    elif isinstance(obj, list):
        for i, value in enumerate(obj):
            _check_json(value, f"{path}[{i}]", depth - 1)
    elif type(obj) not in (int, str):
        raise EncodingError(f"{path}: expected an integer, text, array or object, got {type(obj).__name__}")


def _unique(pairs: list[tuple[str, object]]) -> JsonObject:
    obj = dict(pairs)
    if len(obj) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise EncodingError(f"value: expected every key once, got {key!r} twice")
            seen.add(key)
    return obj


def _no_number(text: str) -> NoReturn:
    raise EncodingError(f"value: expected integers only, got {text}")

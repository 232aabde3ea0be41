"""Private statements, sheets and openings as JSON: canonical, read strictly. Formats: docs/statements.md."""

from collections.abc import Sequence

from assets.codec import UINT32, UINT64, JsonObject, canonical, parse
from assets.commitments.dispute import DepositOpening, IntervalOpening
from assets.commitments.group import POINT_BYTES, Group
from assets.commitments.groups import GROUPS
from assets.commitments.sheet import MAX_INTERVALS, PAIR_BYTES, Sheet, SignedSheet
from assets.commitments.statement import PrivateStatement, SignedPrivateStatement, Total
from assets.commitments.tariff import Level, Run
from assets.errors import EncodingError
from assets.keys import SIGNATURE_BYTES
from assets.shapes import Hex, Names, Record, TupleOf, Uint, refuse

VERSION = 1
"""Version of the files."""


class _Int:
    """A signed integer of at most 201 bits, as a JSON integer."""

    def encode(self, value: object, path: str) -> int:
        return self.decode(value, path)

    def decode(self, value: object, path: str) -> int:
        if type(value) is not int or not -(2**200) < value < 2**200:
            refuse(path, "an integer between -2**200 and 2**200", value)
        return value


class _Points:
    """The points of a sheet as one hexadecimal string."""

    def encode(self, value: object, path: str) -> str:
        if not isinstance(value, bytes):
            refuse(path, "bytes", value)
        return Hex(len(value)).encode(value, path)

    def decode(self, value: object, path: str) -> bytes:
        expected = f"0x and {2 * PAIR_BYTES} lower-case hexadecimal digits for each interval"
        if not isinstance(value, str) or len(value) > 2 + 2 * PAIR_BYTES * MAX_INTERVALS:
            refuse(path, expected, value)
        length, odd = divmod(len(value) - 2, 2)
        if odd or length <= 0 or length % PAIR_BYTES:
            refuse(path, expected, value)
        return Hex(length).decode(value, path)


_POINT, _DIGEST, _SIGNATURE, _UINT256 = Hex(POINT_BYTES), Hex(32), Hex(SIGNATURE_BYTES), Uint(256)
_LEVEL = Record(Level, {"consumption_nano_per_wh": UINT64, "production_nano_per_wh": UINT64})
_RUN = Record(Run, {"first": UINT32, "last": UINT32, "level": _LEVEL})
_TOTAL = Record(Total, {"level": _LEVEL, "imported": _POINT, "exported": _POINT})
_STATEMENT = Record(
    PrivateStatement,
    {
        "meter": UINT32,
        "nonce": UINT64,
        "first": UINT32,
        "last": UINT32,
        "sheets": TupleOf(_DIGEST),
        "prices": TupleOf(_RUN),
        "totals": TupleOf(_TOTAL),
        "fa_deposited": _POINT,
        "fa_withdrawn_nano": Uint(128),
        "bill_nano": _Int(),
        "blinding": _UINT256,
    },
)
_SIGNED = Record(SignedPrivateStatement, {"statement": _STATEMENT, "signature": _SIGNATURE})
_SHEET = Record(Sheet, {"meter": UINT32, "first": UINT32, "points": _Points()})
_SIGNED_SHEET = Record(SignedSheet, {"sheet": _SHEET, "signature": _SIGNATURE})
_SHEETS = TupleOf(_SIGNED_SHEET)
_OPENING = Record(
    IntervalOpening,
    {
        "t": UINT32,
        "import_wh": UINT64,
        "export_wh": UINT64,
        "import_blinding": _UINT256,
        "export_blinding": _UINT256,
    },
)
_DEPOSITS = Record(DepositOpening, {"amount_nano": Uint(128), "blinding": _UINT256})
_OPENINGS = TupleOf(_OPENING)
_GROUP: Names[Group] = Names(GROUPS)


def publication_bytes(group: Group, sheets: Sequence[SignedSheet], signed: SignedPrivateStatement) -> bytes:
    """What the DSO gets of a period, as one line."""
    obj: JsonObject = {
        "version": VERSION,
        "type": "private_statement",
        "group": group.name,
        "sheets": _SHEETS.encode(tuple(sheets), "sheets"),
        "signed": _SIGNED.encode(signed, "signed"),
    }
    return canonical(obj) + b"\n"


def read_publication(raw: bytes) -> tuple[Group, tuple[SignedSheet, ...], SignedPrivateStatement]:
    """What :func:`publication_bytes` wrote. Raises :class:`~assets.errors.EncodingError` for anything else."""
    obj = _object(raw, "private_statement", {"group", "sheets", "signed"})
    try:
        return (
            _GROUP.decode(obj["group"], "group"),
            _SHEETS.decode(obj["sheets"], "sheets"),
            _SIGNED.decode(obj["signed"], "signed"),
        )
    except EncodingError:
        raise
    except ValueError as error:
        raise EncodingError(f"signed: {error}") from None


def openings_bytes(openings: Sequence[IntervalOpening], deposits: DepositOpening | None) -> bytes:
    """What the prosumer keeps, or shows a judge: secrets of the intervals in it."""
    obj: JsonObject = {
        "version": VERSION,
        "type": "openings",
        "intervals": _OPENINGS.encode(tuple(openings), "intervals"),
        "deposits": [] if deposits is None else [_DEPOSITS.encode(deposits, "deposits")],
    }
    return canonical(obj) + b"\n"


def read_openings(raw: bytes) -> tuple[tuple[IntervalOpening, ...], DepositOpening | None]:
    """What :func:`openings_bytes` wrote. Raises :class:`~assets.errors.EncodingError` for anything else."""
    obj = _object(raw, "openings", {"intervals", "deposits"})
    deposits = TupleOf(_DEPOSITS).decode(obj["deposits"], "deposits")
    if len(deposits) > 1:
        refuse("deposits", "at most one", obj["deposits"])
    return _OPENINGS.decode(obj["intervals"], "intervals"), deposits[0] if deposits else None


def _object(raw: bytes, kind: str, keys: set[str]) -> JsonObject:
    if not raw.endswith(b"\n"):
        raise EncodingError("file: expected a line feed at its end; the file is cut off")
    obj = parse(raw[:-1])
    if not isinstance(obj, dict) or obj.keys() != keys | {"version", "type"}:
        names = ", ".join(sorted(keys | {"version", "type"}))
        raise EncodingError(f"file: expected an object with exactly the fields {names}")
    if obj["version"] != VERSION or obj["type"] != kind:
        raise EncodingError(f"file: expected type {kind} of version {VERSION}")
    return obj

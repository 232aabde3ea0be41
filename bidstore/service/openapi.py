"""What the API's description says of bodies that are decoded by :mod:`bidstore.service.wire`, and of refusals."""

from typing import Any

ID = "^0x[0-9a-f]{64}$"


def _hex(length: int) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^0x[0-9a-f]{{{2 * length}}}$"}


def _uint(bits: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": 2**bits - 1}


def _object(optional: tuple[str, ...] = (), **fields: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": fields, "required": required, "additionalProperties": False}


_NOTE = _object(kind={"enum": ["EPA", "ECA", "FA"]}, owner=_hex(20), quantity=_uint(64), start=_uint(32), end=_uint(32))
_ISSUED = _object(note=_NOTE, origin=_hex(32), index=_uint(16))
_ORDER = _object(
    side={"enum": ["SELL", "BUY"]},
    energy=_ISSUED,
    money={"type": "array", "items": _ISSUED, "maxItems": 16},
    limit_nano_per_wh=_uint(64),
    deliver_to=_hex(20),
    pay_to=_hex(20),
    expires_s=_uint(64),
    least_w=_uint(32),
    keep_at=_hex(20),
    nonce=_uint(8),
)
_SIGNED = _object(order=_ORDER, signatures={"type": "array", "items": _hex(65), "maxItems": 17})

_BODIES = {
    "Posting": _object(("replaces",), signed=_SIGNED, challenge=_hex(32), signature=_hex(65), replaces=_hex(32)),
    "Cancellation": _object(order_id=_hex(32), challenge=_hex(32), signature=_hex(65)),
}

_PROBLEM = _object(
    type={"type": "string"}, title={"type": "string"}, status={"type": "integer"}, detail={"type": "string"}
)

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": _PROBLEM}}}
    for status, text in {
        400: "no order, or no canonical JSON",
        403: "not signed by the owner",
        404: "unknown order",
        405: "no such method",
        409: "used, taken, spent, or too late",
        413: "too long",
        422: "terms that cannot be",
        429: "too often for one note",
        503: "busy",
    }.items()
}


def body_of(name: str) -> dict[str, Any]:
    """The request body of a route: canonical JSON of the schema called ``name``."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _BODIES[name]}}}}

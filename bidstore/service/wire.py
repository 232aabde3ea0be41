"""Orders, postings and cancellations as bytes, for the API and the database: the ledger's strict JSON."""

from dataclasses import dataclass

from assets.codec import _SIGNED_ORDER, DIGEST, canonical, parse
from assets.domain import Domain
from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Digest, SigningKey
from assets.orders import SignedOrder
from assets.shapes import Hex, Record
from assets.words import exactly
from bidstore.posting import Posting

_SIGNATURE = Hex(SIGNATURE_BYTES)


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A wish to take an order out of the book; it voids nothing on the ledger."""

    order_id: Digest
    challenge: bytes
    """32 bytes that the bid store issued for this."""
    signature: bytes
    """65 bytes by the energy note's owner under :func:`cancellation_digest`."""


_CANCELLATION_TYPE = keccak(b"Cancellation(bytes32 order,bytes32 challenge)")


def cancellation_digest(domain: Domain, order_id: Digest, challenge: bytes) -> Digest:
    """The EIP-712 digest that the energy note's owner signs to take an order out of the book."""
    return domain.seal(keccak(_CANCELLATION_TYPE + exactly(order_id, 32) + exactly(challenge, 32)))


def sign_cancellation(domain: Domain, order_id: Digest, challenge: bytes, key: SigningKey) -> Cancellation:
    """A cancellation signed with ``key``, which is that of the energy note."""
    return Cancellation(order_id, challenge, key.sign(cancellation_digest(domain, order_id, challenge)))


_POSTING = Record(Posting, {"signed": _SIGNED_ORDER, "challenge": DIGEST, "signature": _SIGNATURE})
_CANCELLATION = Record(Cancellation, {"order_id": DIGEST, "challenge": DIGEST, "signature": _SIGNATURE})


def posting_to_bytes(posting: Posting, replaces: Digest | None = None) -> bytes:
    """The body of a request that posts an order; raises ``EncodingError`` for what no ledger can be asked about."""
    body = _POSTING.encode(posting, "posting")
    return canonical(body if replaces is None else {**body, "replaces": DIGEST.encode(replaces, "replaces")})


def posting_from_bytes(body: bytes) -> tuple[Posting, Digest | None]:
    """The posting, and the order that it replaces; raises ``EncodingError``."""
    obj = parse(body)
    replaces = None
    if isinstance(obj, dict) and "replaces" in obj:
        replaces = Digest(DIGEST.decode(obj.pop("replaces"), "replaces"))
    return _POSTING.decode(obj, "posting"), replaces


def order_to_bytes(signed: SignedOrder) -> bytes:
    """A signed order for the database."""
    return canonical(_SIGNED_ORDER.encode(signed, "order"))


def order_from_bytes(body: bytes) -> SignedOrder:
    """The signed order; raises ``EncodingError``."""
    return _SIGNED_ORDER.decode(parse(body), "order")


def order_to_json(signed: SignedOrder) -> dict[str, object]:
    """A signed order as a JSON object."""
    return _SIGNED_ORDER.encode(signed, "order")


def order_from_json(obj: object) -> SignedOrder:
    """The signed order; raises ``EncodingError``."""
    return _SIGNED_ORDER.decode(obj, "order")


def cancellation_to_bytes(cancellation: Cancellation) -> bytes:
    """The body of a request that cancels an order."""
    return canonical(_CANCELLATION.encode(cancellation, "cancellation"))


def cancellation_from_bytes(body: bytes) -> Cancellation:
    """The cancellation; raises ``EncodingError``."""
    return _CANCELLATION.decode(parse(body), "cancellation")


def hex_of(value: bytes) -> str:
    """``0x`` and lower-case digits."""
    return "0x" + value.hex()


def digest_of(text: str) -> Digest:
    """32 bytes written as ``0x`` and 64 lower-case digits; raises ``EncodingError``."""
    if len(text) != 66:
        raise EncodingError("order: expected 0x and 64 lower-case hexadecimal digits")
    return Digest(DIGEST.decode(text, "order"))

"""The published list of a private network: whom to trust as authorities, and which relays there are.

Every home must start from the same list: whoever could give one home another list could put it into a network of
spies. So the list is canonical JSON with one hash, signed by the DSO. The ledger's transactions of the DSO carry no
free field, so what is published there, or printed on a bill, is the hash; the file may come from anywhere.
"""

from dataclasses import dataclass

from assets.codec import ADDRESS, DIGEST, JsonObject, canonical, parse
from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Address, Digest, SigningKey, recover_address
from assets.shapes import Hex
from petra.onion.layout import Role
from petra.onion.network import Network

_TAG = keccak(b"PETra relay list v1")


@dataclass(frozen=True, slots=True)
class RelayList:
    """A list that its publisher signed."""

    body: JsonObject
    """``authorities`` and ``relays`` as in the file."""
    publisher: Address
    signature: bytes

    @property
    def digest(self) -> Digest:
        """Hash of the list: what is compared with the published one, and what is signed."""
        return list_digest(self.body)

    @property
    def encoded(self) -> bytes:
        """The file."""
        return canonical(
            {
                "list": self.body,
                "digest": DIGEST.encode(self.digest, "digest"),
                "publisher": ADDRESS.encode(self.publisher, "publisher"),
                "signature": Hex(SIGNATURE_BYTES).encode(self.signature, "signature"),
            }
        )


def list_digest(body: JsonObject) -> Digest:
    """Tagged Keccak-256 of the canonical JSON of a list."""
    return Digest(keccak(_TAG + canonical(body)))


def publish_relays(network: Network, key: SigningKey) -> RelayList:
    """The list of ``network``, signed with the DSO's ``key``."""
    authorities: list[object] = [
        {"line": a.line, "identity": a.identity, "fingerprint": a.fingerprint} for a in network.authorities
    ]
    relays: list[object] = [
        {"name": n.name, "or_port": n.or_port, "fingerprint": (n.folder / "fingerprint").read_text().split()[1]}
        for n in network.layout.of(Role.RELAY)
    ]
    body: JsonObject = {"version": 1, "authorities": authorities, "relays": relays}
    return RelayList(body, key.address, key.sign(list_digest(body)))


def read_relays(data: bytes, publisher: Address | None = None, digest: Digest | None = None) -> RelayList:
    """The list in a file, if it is signed, by ``publisher`` if one is given, and has ``digest`` if one is given.

    Raises :class:`~assets.errors.EncodingError` for any other.
    """
    obj = parse(data)
    if not isinstance(obj, dict) or obj.keys() != {"list", "digest", "publisher", "signature"}:
        raise EncodingError("a relay list has the fields digest, list, publisher and signature")
    body = obj["list"]
    if not isinstance(body, dict):
        raise EncodingError("list: expected an object")
    found = RelayList(
        body,
        Address(ADDRESS.decode(obj["publisher"], "publisher")),
        Hex(SIGNATURE_BYTES).decode(obj["signature"], "signature"),
    )
    if found.digest != DIGEST.decode(obj["digest"], "digest") or digest not in (None, found.digest):
        raise EncodingError("the relay list is not the one with the published hash; fetch it again")
    if recover_address(found.digest, found.signature) != found.publisher or publisher not in (None, found.publisher):
        raise EncodingError("the relay list is not signed by its publisher; fetch it again")
    return found

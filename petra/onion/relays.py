"""The published list of a private network: whom to trust as authorities, and which relays there are.

Every home must start from the same list: whoever could give one home another list could put it into a network of
spies. So the list is canonical JSON with one hash, signed by the DSO and published beside the ledger
(:mod:`contracts.relay_lists`); :class:`Directory` is what a machine needs of it to join.
"""

import re
from dataclasses import dataclass

from assets.codec import ADDRESS, DIGEST, JsonObject, canonical, parse
from assets.errors import EncodingError
from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, Address, Digest, SigningKey, recover_address
from assets.shapes import Hex
from petra.onion.layout import Role
from petra.onion.network import Network

_TAG = keccak(b"PETra relay list v1")
_FINGERPRINT = re.compile("[0-9A-F]{40}")
_LINE = re.compile(
    r"DirAuthority [A-Za-z0-9]{1,19} orport=[0-9]{1,5} v3ident=(?P<identity>[0-9A-F]{40}) "
    r"(?P<host>[0-9]{1,3}(\.[0-9]{1,3}){3}):[0-9]{1,5} (?P<fingerprint>[0-9A-F]{40})"
)
MAX_NODES = 256


@dataclass(frozen=True, slots=True)
class Directory:
    """A private network as its list describes it."""

    authority_lines: tuple[str, ...]
    """``DirAuthority`` lines for a ``torrc``, each of exactly that form: a list cannot smuggle in another option."""
    fingerprints: frozenset[str]
    """Of all relays, authorities included: no other may be in the network's consensus."""
    loopback: bool
    """Whether the network is all on one machine."""


def read_directory(body: object) -> Directory:
    """The network of a list's body. Raises :class:`~assets.errors.EncodingError` for what is no list."""
    try:
        return _directory(body)
    except (KeyError, TypeError, ValueError) as error:
        raise EncodingError(f"this is no relay list: {error}") from None


def _directory(body: object) -> Directory:
    if not isinstance(body, dict) or body.keys() != {"version", "authorities", "relays"} or body["version"] != 1:
        raise ValueError("it has not the fields authorities, relays and version 1")
    authorities, relays = body["authorities"], body["relays"]
    if not isinstance(authorities, list) or not isinstance(relays, list) or not authorities:
        raise ValueError("authorities and relays are lists, and there is at least one authority")
    if len(authorities) + len(relays) > MAX_NODES:
        raise ValueError(f"it has more than {MAX_NODES} nodes")
    lines, hosts, fingerprints = [], set(), []
    for authority in authorities:
        found = _LINE.fullmatch(authority["line"])
        if found is None or [found["identity"], found["fingerprint"]] != [
            authority["identity"],
            authority["fingerprint"],
        ]:
            raise ValueError("an authority's line is not of the form that torrc wants, or contradicts its fingerprints")
        lines.append(authority["line"])
        hosts.add(found["host"])
        fingerprints.append(found["fingerprint"])
    for relay in relays:
        if not _FINGERPRINT.fullmatch(relay["fingerprint"]):
            raise ValueError("a relay's fingerprint has 40 upper-case hexadecimal digits")
        fingerprints.append(relay["fingerprint"])
    if len(set(fingerprints)) < len(fingerprints):
        raise ValueError("a fingerprint is there twice")
    return Directory(tuple(lines), frozenset(fingerprints), all(host.startswith("127.") for host in hosts))


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

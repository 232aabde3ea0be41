"""A tor process's SOCKS port as wallets use it: proved to be Tor, one circuit for each (session, role), no way out.

Names are resolved by Tor alone (``socks5h``), only ``.onion`` names are ever asked for, and nothing in the
environment (``HTTP_PROXY`` and the like) is obeyed. When Tor is gone, requests fail.
"""

import secrets
import socket
import ssl
from dataclasses import dataclass, field

from petra.onion.errors import NotAnonymous, NotTor

try:
    import httpx2
except ImportError as error:
    raise ImportError("requests over Tor need httpx2; run: pip install 'petra[service]'") from error

PROBE_S = 15
"""Tor answers the probes from its own knowledge, at once; on a busy machine at once may be seconds. Whoever gives up
sooner takes no risk less, and loses a window."""

_SOCKS5_NO_AUTH = b"\x05\x01\x00"
_RESOLVE = b"\x05\xf0\x00\x01\x00\x00\x00\x01\x00\x00"
"""Tor's own SOCKS command 0xF0 for an address that needs no resolving; any other proxy refuses the command."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Streams with the same identity share circuits; streams with different ones never do."""

    username: str
    password: str = field(repr=False)

    @classmethod
    def fresh(cls) -> "Identity":
        """One that was never used."""
        return cls(secrets.token_hex(12), secrets.token_hex(12))


@dataclass(frozen=True, slots=True)
class TorProxy:
    """The SOCKS port of a tor process, verified by :meth:`verify` before anything is sent."""

    port: int
    host: str = "127.0.0.1"
    _identities: dict[tuple[bytes, str], Identity] = field(default_factory=dict, repr=False)

    def verify(self) -> None:
        """Raise :class:`NotTor` unless Tor answers here: it resolves by SOCKS and refuses HTTP in its own name."""
        at = f"{self.host}:{self.port}"
        try:
            resolved = self._exchange(_SOCKS5_NO_AUTH, _RESOLVE)
            spoken = self._exchange(b"GET / HTTP/1.0\r\n\r\n")
        except OSError as error:
            raise NotTor(f"nothing answers at {at} ({error}); start tor, or give its SOCKS port") from error
        if resolved[:2] != b"\x05\x00" or resolved[2:4] != b"\x05\x00" or b"Tor is not an HTTP Proxy" not in spoken:
            raise NotTor(f"what answers at {at} is not Tor; give the SOCKS port of a tor process")

    def identity(self, session: bytes, role: str) -> Identity:
        """The identity for a session and a role in it; another pair never gets the same."""
        return self._identities.setdefault((session, role), Identity.fresh())

    def forget(self, session: bytes) -> None:
        """Drop the session's identities, so that whatever follows has new circuits."""
        for key in [key for key in self._identities if key[0] == session]:
            del self._identities[key]

    def client(self, identity: Identity, timeout_s: float = 30) -> "httpx2.AsyncClient":
        """An HTTP client whose every stream goes through Tor with ``identity``, to onion services only."""
        proxy = httpx2.Proxy(f"socks5h://{self.host}:{self.port}", auth=(identity.username, identity.password))
        return httpx2.AsyncClient(
            transport=_OnionOnly(httpx2.AsyncHTTPTransport(verify=_NO_TLS, proxy=proxy, trust_env=False)),
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
        )

    def _exchange(self, *parts: bytes) -> bytes:
        with socket.create_connection((self.host, self.port), PROBE_S) as connection:
            answer = b""
            for part in parts:
                try:
                    connection.sendall(part)
                    answer += connection.recv(4096)
                except OSError:  # whoever does not know the question hangs up or says nothing
                    break
            return answer


class _OnionOnly(httpx2.AsyncBaseTransport):
    """Passes on requests to onion services over plain HTTP; Tor encrypts and authenticates them. Refuses the rest."""

    def __init__(self, inner: "httpx2.AsyncBaseTransport") -> None:
        self._inner = inner

    async def handle_async_request(self, request: "httpx2.Request") -> "httpx2.Response":
        """Send ``request`` through Tor, or raise :class:`NotAnonymous`."""
        if request.url.scheme != "http" or not request.url.host.endswith(".onion"):
            raise NotAnonymous(f"{request.url.host} is no onion service; the request was not sent")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, and is made once: the default would read all certificates of the system for every client."""


def direct_client(timeout_s: float = 30) -> "httpx2.AsyncClient":
    """A client that connects directly. NOT ANONYMOUS: whoever answers sees this machine's address."""
    return httpx2.AsyncClient(verify=_NO_TLS, timeout=timeout_s, trust_env=False, follow_redirects=False)

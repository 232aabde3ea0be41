"""What PETra asks of a running tor process: six calls, so that the library behind them can be replaced.

stem (LGPLv3) is no longer maintained; :class:`StemControl` is the only place that knows it.
"""

import base64
import warnings
from dataclasses import dataclass
from typing import Any, Protocol

from petra.onion.errors import OnionError

INSTALL = "stem is missing; run: pip install 'petra[tor]'"


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit of a tor process."""

    number: str
    purpose: str
    socks_username: str | None
    """The isolation token of the streams that it carries."""
    rendezvous: str | None
    """The onion service that it leads to."""


class TorControl(Protocol):
    """A tor process's control port. Every call raises :class:`~petra.onion.errors.OnionError`."""

    def socks_ports(self) -> tuple[tuple[str, int], ...]:
        """Where this process offers SOCKS."""

    def publish(self, port: int, target: str, key: str | None = None) -> str:
        """Offer ``target`` (``host:port``) as a v3 onion service at ``port``; returns the ``.onion`` name.

        Without ``key`` the service has a fresh one, which nobody keeps. The service ends with this connection.
        """

    def circuits(self) -> tuple[Circuit, ...]:
        """All circuits that are built."""

    def relays(self) -> frozenset[str]:
        """Fingerprints of all relays in the consensus that this process has."""

    def renew(self) -> None:
        """Use no circuit of before for any new stream."""

    def halt(self) -> None:
        """End the process at once."""

    def close(self) -> None:
        """Leave the control port; services published here end."""


class StemControl:
    """:class:`TorControl` by means of stem."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import stem
                import stem.connection
                import stem.socket
                from stem.control import BaseController, Controller
        except ImportError as error:
            raise ImportError(INSTALL) from error

        class Guest(Controller):  # type: ignore[misc] # stem has no types
            """Leaves the process to whom it belongs: stem would take ownership and end tor when it leaves."""

            def _post_authentication(self) -> None:
                BaseController._post_authentication(self)

        self._failures: tuple[type[Exception], ...] = (stem.ControllerError,)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # stem calls Thread.setDaemon
                self._stem: Any = Guest(stem.socket.ControlPort(host, port))
                self._stem.authenticate()
        except (stem.SocketError, stem.connection.AuthenticationFailure) as error:
            raise OnionError(
                f"no tor control port at {host}:{port} that lets us in ({error}); "
                "set ControlPort and CookieAuthentication in torrc"
            ) from error

    def socks_ports(self) -> tuple[tuple[str, int], ...]:
        """Where this process offers SOCKS."""
        return tuple(self._call("get_listeners", "SOCKS"))

    def publish(self, port: int, target: str, key: str | None = None) -> str:
        """Offer ``target`` as an onion service; returns its name once it is published."""
        kind, content = key.split(":", 1) if key else ("NEW", "ED25519-V3")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            service = self._call(
                "create_ephemeral_hidden_service",
                {port: target},
                key_type=kind,
                key_content=content,
                discard_key=key is None,
                max_streams=64,
                await_publication=True,
                timeout=60,
            )
        return f"{service.service_id}.onion"

    def circuits(self) -> tuple[Circuit, ...]:
        """All circuits that are built."""
        return tuple(
            Circuit(c.id, str(c.purpose), getattr(c, "socks_username", None), c.rend_query)
            for c in self._call("get_circuits")
            if c.status == "BUILT"
        )

    def relays(self) -> frozenset[str]:
        """Fingerprints of the consensus's relays: the third word of its ``r`` lines is the identity in base 64."""
        lines = str(self._call("get_info", "ns/all")).splitlines()
        identities = [line.split()[2] for line in lines if line.startswith("r ")]
        return frozenset(base64.b64decode(identity + "=").hex().upper() for identity in identities)

    def renew(self) -> None:
        """Ask for new circuits."""
        self._call("signal", "NEWNYM")

    def halt(self) -> None:
        """End the process."""
        self._call("signal", "HALT")

    def close(self) -> None:
        """Leave the control port."""
        self._stem.close()

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - stem has no types
        try:
            return getattr(self._stem, name)(*args, **kwargs)
        except self._failures as error:
            raise OnionError(f"tor refuses {name}: {error}") from error

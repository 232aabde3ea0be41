"""A private Tor network on paper: who there is, which ports they use, and the ``torrc`` of each.

Three directory authorities and three more relays: with three relays in all, onion services are not reachable
(*measured*, and what the maintainers' own test networks use). Nobody exits: the network leads to onion services only.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from petra.onion.ports import free_ports

AUTHORITIES = 3
RELAYS = 3

DIRTY_S = 30
"""Seconds after which a circuit that carries no stream any more is closed."""


class Role(Enum):
    """What a node of the network does."""

    AUTHORITY = "authority"
    """Directory authority: says which relays there are, and is one. On machines of the DSO and of others."""
    RELAY = "relay"
    """Carries traffic. On meters' machines."""
    WALLET = "wallet"
    """Offers SOCKS to wallets."""
    SERVICE = "service"
    """Publishes onion services for the board and the bid store."""


@dataclass(frozen=True, slots=True)
class Node:
    """One tor process."""

    name: str
    role: Role
    folder: Path
    control_port: int
    or_port: int = 0
    dir_port: int = 0
    socks_port: int = 0

    @property
    def torrc(self) -> Path:
        """Its configuration file."""
        return self.folder / "torrc"

    @property
    def routes(self) -> bool:
        """Whether it carries others' traffic."""
        return self.role in (Role.AUTHORITY, Role.RELAY)


@dataclass(frozen=True, slots=True)
class Authority:
    """What every node must know of a directory authority."""

    node: Node
    identity: str
    """Fingerprint of its long-term authority key (``v3ident``)."""
    fingerprint: str
    """Fingerprint of its relay key."""

    @property
    def line(self) -> str:
        """Its line in everybody's ``torrc``."""
        n = self.node
        ports = f"orport={n.or_port} v3ident={self.identity} 127.0.0.1:{n.dir_port}"
        return f"DirAuthority {n.name} {ports} {self.fingerprint}"


@dataclass(frozen=True, slots=True)
class Layout:
    """All nodes of a network on this machine."""

    folder: Path
    nodes: tuple[Node, ...] = field(default=())

    @classmethod
    def on_loopback(cls, folder: Path) -> "Layout":
        """A network in ``folder`` on free ports of 127.0.0.1."""
        ports = iter(free_ports(3 * AUTHORITIES + 2 * RELAYS + 3))
        nodes = [
            Node(f"authority{i}", Role.AUTHORITY, folder / f"authority{i}", next(ports), next(ports), next(ports))
            for i in range(AUTHORITIES)
        ]
        nodes += [Node(f"relay{i}", Role.RELAY, folder / f"relay{i}", next(ports), next(ports)) for i in range(RELAYS)]
        nodes.append(Node("wallet", Role.WALLET, folder / "wallet", next(ports), socks_port=next(ports)))
        nodes.append(Node("service", Role.SERVICE, folder / "service", next(ports)))
        return cls(folder, tuple(nodes))

    def of(self, role: Role) -> tuple[Node, ...]:
        """The nodes with a role."""
        return tuple(node for node in self.nodes if node.role is role)


def torrc(node: Node, authorities: tuple[Authority, ...], owner_pid: int | None, start_s: int | None = None) -> str:
    """The configuration of ``node``. It ends with process ``owner_pid``, if there is one."""
    return torrc_of(node, [authority.line for authority in authorities], owner_pid, start_s)


def torrc_of(node: Node, authority_lines: Sequence[str], owner_pid: int | None, start_s: int | None = None) -> str:
    """The same, of a network that is known by its authorities' lines."""
    lines = [
        "TestingTorNetwork 1",
        f"DataDirectory {node.folder}",
        f"Nickname {node.name}",
        f"ControlPort 127.0.0.1:{node.control_port}",
        "CookieAuthentication 1",
        f"Log notice file {node.folder / 'notice.log'}",
        "ShutdownWaitLength 0",
        "GeoIPFile /dev/null",
        "GeoIPv6File /dev/null",
        "CircuitBuildTimeout 5",
        "LearnCircuitBuildTimeout 0",
        "Schedulers Vanilla",
        *authority_lines,
    ]
    if owner_pid is not None:
        lines.append(f"__OwningControllerProcess {owner_pid}")
    if node.routes:
        lines += ["Address 127.0.0.1", f"ORPort 127.0.0.1:{node.or_port}", "SocksPort 0", "AssumeReachable 1"]
        lines += ["ExitRelay 0", "ExitPolicy reject *:*", "NumCPUs 1"]
    else:
        # Each identity's circuits are used once. Kept for Tor's ten minutes and padded, those of 17 wallets came to
        # 3 117 after six windows, and no new one was ready in time. Padding would hide who uses onion services: all do.
        lines += [f"MaxCircuitDirtiness {DIRTY_S}", "CircuitPadding 0"]
    if node.role is Role.RELAY:
        lines.append("DirCache 0")  # a relay that caches serves clients before it has what they ask for
    if node.role is Role.AUTHORITY:
        lines += _AUTHORITY_LINES
        # The first votes are due two seconds from now, when all relays have told who they are; not on the full minute.
        lines.append(f"TestingV3AuthVotingStartOffset {int(time.time() if start_s is None else start_s) % 8}")
        lines.append(f"DirPort 127.0.0.1:{node.dir_port}")
    if node.role is Role.WALLET:
        lines += [f"SocksPort 127.0.0.1:{node.socks_port} IsolateSOCKSAuth", "ClientOnly 1"]
    if node.role is Role.SERVICE:
        # Who serves here is no secret, so the service's half of every circuit is one hop; wallets keep their three.
        lines += ["SocksPort 0", "ClientOnly 1", "HiddenServiceSingleHopMode 1", "HiddenServiceNonAnonymousMode 1"]
    return "\n".join(lines) + "\n"


_AUTHORITY_LINES = [
    "AuthoritativeDirectory 1",
    "V3AuthoritativeDirectory 1",
    "TestingV3AuthInitialVotingInterval 8",
    "TestingV3AuthInitialVoteDelay 2",
    "TestingV3AuthInitialDistDelay 2",
    "V3AuthVotingInterval 32",
    "V3AuthVoteDelay 5",
    "V3AuthDistDelay 5",
    "V3AuthNIntervalsValid 3",
    "TestingDirAuthVoteGuard *",
    "TestingDirAuthVoteHSDir *",
]

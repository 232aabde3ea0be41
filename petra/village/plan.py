"""Which processes a village has, and the command line of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from petra.scenario import Scenario
from petra.village.layout import Layout
from petra.village.options import ANVIL, Options
from petra.village.program import Program

CLOCK = "PETRA_CLOCK"
RELAYER_KEY = "PETRA_RELAYER_KEY"

TICK_MS = 500
"""Real milliseconds from block to block."""

TOR_S = 330.0
"""How long a Tor network may take, in real seconds: 15 on an idle machine, minutes on a very busy one."""

STATE_S = 2
"""How often anvil writes its state, in seconds: what a chain node that is killed loses."""


def gate_s(interval_s: int) -> int:
    """Seconds before an interval at which its auction is held."""
    return interval_s // 5


@dataclass(frozen=True, slots=True)
class Plan:
    """Makes the programs of a village from its options; does nothing itself."""

    options: Options
    layout: Layout
    ports: Mapping[str, int]
    """By name; of processes that listen, and of links."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Accounts that carry transactions, by process."""

    @property
    def homes(self) -> range:
        """Numbers of the homes."""
        return range(1, self.options.homes + 1)

    @property
    def replicas(self) -> list[str]:
        """Names of the bid store's replicas."""
        return [f"bidstore{k}" for k in range(1, self.options.replicas + 1)]

    @property
    def node(self) -> str:
        """URL of the chain's node itself."""
        return f"http://127.0.0.1:{self.ports['chain']}" if self.options.chain == ANVIL else self.options.chain

    def way(self, name: str, target: str = "chain") -> str:
        """URL by which process ``name`` reaches ``target``: through a link of its own."""
        return f"http://127.0.0.1:{self.ports[f'{name}-{target}']}"

    def links(self) -> Iterator[tuple[str, str]]:
        """Name and target ``host:port`` of every link.

        Over Tor, a wallet's way to board, bid store and relays is its circuits; over plain HTTP it has links there.
        """
        for name in (*(f"{r}{i}" for r in ("meter", "wallet") for i in self.homes), "board", "relay", *self.replicas):
            yield f"{name}-chain", self._host(self.node)
        if self.options.transport == "http":
            for i in self.homes:
                for service in ("board", "relay", *self.replicas):
                    yield f"wallet{i}-{service}", f"127.0.0.1:{self.ports[service]}"

    def _host(self, url: str) -> str:
        return url.split("://", 1)[1].split("/", 1)[0]

    def chain(self, anvil: str, timestamp_s: int) -> Program:
        """The development node: it makes no blocks by itself."""
        port = self.ports["chain"]
        command = [anvil, "--host", "127.0.0.1", "--port", str(port), "--no-mining", "--accounts", "1"]
        command += ["--state", str(self.layout.chain_state), "--state-interval", str(STATE_S)]
        # Also when it is started again: without it, anvil takes the machine's time for that of the block before.
        command += ["--timestamp", str(timestamp_s)]
        state = self.layout.chain_state
        return Program("chain", "chain", tuple(command), port=port, address=self.node, chain_state=state)

    def clock(self) -> Program:
        """Makes the blocks."""
        command = ("petra", "chain", "clock", "--rpc", self.node, "--tick-ms", str(TICK_MS))
        return Program("clock", "clock", command, {CLOCK: str(self.layout.clock)})

    def links_program(self) -> Program:
        """Everybody's links."""
        return Program("links", "links", ("petra", "village", "links", str(self.layout.folder)), says="links")

    def tor(self) -> Program:
        """A private Tor network."""
        command = ("petra", "village", "tor", str(self.layout.folder))
        return Program("tor", "tor", command, says="socks", patience_s=TOR_S)

    def services(self, database: str) -> list[Program]:
        """Board, relay, bid store and the DSO's service."""
        return [self._board(), self._relay(), *(self._bidstore(n, database) for n in self.replicas), self._dso()]

    def _listening(self, name: str) -> list[str]:
        if self.options.transport == "http":
            return ["--port", str(self.ports[name])]
        folder = self.layout.of(name)
        return ["--onion-dir", str(self.onion_dir), "--onion-key-file", str(folder / "onion.key")]

    @property
    def onion_dir(self) -> Path:
        """Folder of the Tor network."""
        return self.layout.of("tor") / "network"

    def _on_ledger(self, name: str) -> list[str]:
        return ["--rpc", self.way(name), "--deployments", str(self.layout.deployments)]

    def _env(self, name: str) -> dict[str, str]:
        return {RELAYER_KEY: self.keys[name]} if name in self.keys else {}

    def _board(self) -> Program:
        folder = self.layout.of("board")
        command = ["petra", "board", "serve", "--database", str(folder / "board.db"), *self._on_ledger("board")]
        command += ["--key-file", str(folder / "board.key"), *self._listening("board")]
        return Program("board", "board", tuple(command), says="board")

    def _relay(self) -> Program:
        command = [
            "petra",
            "relay",
            "serve",
            "--database",
            str(self.layout.of("relay") / "relay.db"),
            *self._on_ledger("relay"),
        ]
        return Program("relay", "relay", (*command, *self._listening("relay")), self._env("relay"), says="relay")

    def _bidstore(self, name: str, database: str) -> Program:
        command = ["petra", "bidstore", "serve", *self._on_ledger(name), "--database", database]
        command += ["--gate-s", str(gate_s(self.options.interval_s)), *self._listening(name)]
        return Program(name, "bidstore", tuple(command), self._env(name), says="bidstore")

    @property
    def dso(self) -> str:
        """Where meters state their bills."""
        return f"http://127.0.0.1:{self.ports['dso']}"

    def _dso(self) -> Program:
        port = self.ports["dso"]
        command = ("petra", "dso", "serve", "--desk", str(self.layout.desk), "--port", str(port))
        return Program("dso", "dso", command, port=port, address=self.dso)

    def simulators(self, genesis_s: int) -> list[Program]:
        """One Modbus device for each home."""
        return [self._simulator(i, genesis_s) for i in self.homes]

    def _simulator(self, home: int, genesis_s: int) -> Program:
        name = f"simulator{home}"
        port = self.ports[name]
        command = ["petra", "meter", "simulate", "--profiles", str(self.layout.profile(home)), "--port", str(port)]
        env = {CLOCK: str(self.layout.own_clock(name))}
        return Program(name, "simulator", (*command, "--genesis", str(genesis_s)), env, port=port)

    def meters(self) -> list[Program]:
        """One meter for each home."""
        return [self._daemon("meter", i) for i in self.homes]

    def wallets(self) -> list[Program]:
        """One wallet for each home."""
        return [self._daemon("wallet", i) for i in self.homes]

    def _daemon(self, role: str, home: int) -> Program:
        name = f"{role}{home}"
        folder, secret = self.layout.of(name), self.layout.passphrase(name)
        command = ("petra", role, "run", str(folder), "--password-file", str(secret))
        env = {CLOCK: str(self.layout.own_clock(name)), **self._env(name)} if role == "meter" else self._env(name)
        return Program(name, role, command, env, prints=f"{role} running")


def port_names(options: Options) -> list[str]:
    """What a village needs ports for."""
    homes = range(1, options.homes + 1)
    replicas = [f"bidstore{k}" for k in range(1, options.replicas + 1)]
    names = ["chain", "postgres", "board", "relay", "dso", *replicas, *(f"simulator{i}" for i in homes)]
    users = (*(f"meter{i}" for i in homes), *(f"wallet{i}" for i in homes), "board", "relay", *replicas)
    names += [f"{user}-chain" for user in users]
    if options.transport == "http":
        names += [f"wallet{i}-{service}" for i in homes for service in ("board", "relay", *replicas)]
    return names


def process_names(options: Options) -> set[str]:
    """All processes of a village."""
    homes = range(1, options.homes + 1)
    names = {"links", "board", "relay", "dso", *(f"bidstore{k}" for k in range(1, options.replicas + 1))}
    names |= {f"{role}{i}" for role in ("simulator", "meter", "wallet") for i in homes}
    names |= {"chain", "clock"} if options.chain == ANVIL else set()
    names |= {"tor"} if options.transport == "tor" else set()
    return names | ({"postgres"} if options.db == "postgres" else set())


def relaying(options: Options) -> list[str]:
    """Processes that send transactions to the chain themselves."""
    return [
        "dso",
        "relay",
        *(f"bidstore{k}" for k in range(1, options.replicas + 1)),
        *(f"meter{i}" for i in range(1, options.homes + 1)),
    ]


def replaced(program: Program, options: Options, folder: Path) -> Program:
    """``program``, or what the user wants run in its place, with its folder as the last argument."""
    import shlex
    from dataclasses import replace

    command = options.replace.get(program.name)
    if command is None:
        return program
    words = (*shlex.split(command), str(folder / program.name))
    return replace(program, command=words, prints=None)  # another program says what it likes


LEAD_REAL_S, LEAD_S = 5, 120


def lead_s(options: Options) -> int:
    """Simulated seconds before interval 0 at which the clock begins, slowly at first, until all homes are there."""
    return LEAD_S + LEAD_REAL_S * options.speed


def scene_facts(scene: Scenario) -> dict[str, object]:
    """What others want to know of the scenario without making it anew."""
    return {
        "source": scene.name,
        "start": scene.profiles.start.isoformat(),
        "feeders": {str(home.home): home.node for home in scene.profiles.homes},
    }

"""A Clique network of validators on loopback: built once, then started, stopped, and hurt on purpose."""

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from contracts.errors import NodeError
from contracts.network import genesis, geth, validator
from contracts.network.validator import Validator
from contracts.processes import Child, free_ports, require_free

CHAIN_ID = 20_252
"""Chain id unless another one is given."""

PERIOD_S = 1
"""Seconds between blocks unless told otherwise."""

PORTS_EACH = 3
"""Ports of a validator: for its peers, for JSON-RPC, and one that geth opens for nobody."""

PREFIX = "validator"
"""What the names of the validators' folders start with; a number counted from 1 follows."""


@dataclass
class CliqueNetwork:
    """Validators that take turns at sealing; more than half of them must be up for the chain to grow."""

    folder: Path
    chain_id: int
    period_s: int
    validators: list[Validator]
    program: str = field(default_factory=geth.find)
    _children: dict[int, Child] = field(default_factory=dict)

    @classmethod
    def build(
        cls, folder: Path, validators: int = 4, period_s: int = PERIOD_S, chain_id: int = CHAIN_ID, port: int = 0
    ) -> Self:
        """Make keys, genesis and node files in ``folder``. JSON-RPC answers from ``port`` on; 0 takes any free ports.

        Raises ``ValueError`` for a folder that is not empty, ``OSError`` for a port that is in use, and
        :class:`~contracts.processes.ProgramMissing`. ``genesis.json`` comes last: a network is all there, or none.
        """
        program = geth.find()
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; give a folder for the network")
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(f"{folder} holds other files or half a network; empty it, or give a new folder")
        if validators < 1:
            raise ValueError("a network needs at least one validator")
        ports = list(range(port, port + validators * PORTS_EACH)) if port else free_ports(validators * PORTS_EACH)
        require_free(ports, f"{validators * PORTS_EACH} ports in a row are needed; give --port another first one")
        rpc, p2p, auth = (ports[validators * i : validators * (i + 1)] for i in range(PORTS_EACH))
        folders = [folder / f"{PREFIX}{i + 1}" for i in range(validators)]
        unfinished = folder / "genesis.json.new"
        try:
            made = [validator.create(path, *each) for path, *each in zip(folders, p2p, rpc, auth, strict=True)]
            for one in made:
                validator.write_config(one, [v.enode for v in made if v is not one], chain_id, one.peer_port)
            first = genesis.clique(chain_id, [v.address for v in made], period_s, int(time.time()))
            unfinished.write_text(json.dumps(first, indent=2) + "\n", encoding="utf-8")
            for one in made:
                geth.init(program, one, unfinished)
            unfinished.replace(folder / "genesis.json")
        except BaseException:
            for path in folders:
                shutil.rmtree(path, ignore_errors=True)
            unfinished.unlink(missing_ok=True)
            raise
        return cls(folder, chain_id, period_s, made, program)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The network that was built in ``folder``. Raises :class:`~contracts.errors.NodeError` if there is none."""
        try:
            first = json.loads((folder / "genesis.json").read_text(encoding="utf-8"))
            config = first["config"]
            chain_id, period_s = int(config["chainId"]), int(config["clique"]["period"])
            signers = genesis.signers(first)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as failure:
            raise NodeError(f"{folder} holds no network ({type(failure).__name__}); give a new folder") from failure
        found = [validator.load(folder / f"{PREFIX}{i + 1}") for i in range(len(signers))]
        if not found or sorted(v.address for v in found) != signers:
            raise NodeError(f"the validators in {folder} are not those of its genesis.json; give a new folder")
        return cls(folder, chain_id, period_s, found, geth.find())

    def differences(self, validators: int | None, period_s: int | None, chain_id: int | None, port: int) -> list[str]:
        """What was asked for and is not so here, in words; ``None``, and 0 for the port, ask for nothing."""
        is_port = self.validators[0].rpc_port
        pairs = {
            "--validators": (validators, len(self.validators)),
            "--period-s": (period_s, self.period_s),
            "--chain-id": (chain_id, self.chain_id),
            "--port": (port or None, is_port),
        }
        return [f"{name} {has}, not {asked}" for name, (asked, has) in pairs.items() if asked not in (None, has)]

    def _require_free(self, i: int) -> None:
        one = self.validators[i]
        if geth.in_use(one):
            raise NodeError(f"another process runs the network in {self.folder}; end it first")
        require_free(
            (one.rpc_port, one.peer_port, one.auth_port), f"{one.folder} needs it; end the program that has it"
        )

    @property
    def urls(self) -> list[str]:
        """Where the validators' JSON-RPC answers."""
        return [v.url for v in self.validators]

    def start(self) -> None:
        """Start all validators that are not running, and wait until they answer."""
        missing = [i for i, _ in enumerate(self.validators) if not self.running(i)]
        for i in missing:
            self._require_free(i)
        try:
            for i in missing:
                self._children[i] = geth.start(self.program, self.validators[i])
            for i in missing:
                geth.wait_ready(self._children[i], self.validators[i])
        except BaseException:
            self.stop()
            raise

    def start_one(self, i: int) -> None:
        """Start validator ``i``, counted from 0."""
        self._require_free(i)
        self._children[i] = geth.start(self.program, self.validators[i])
        geth.wait_ready(self._children[i], self.validators[i])

    def running(self, i: int) -> bool:
        """Whether validator ``i`` is up."""
        child = self._children.get(i)
        return child is not None and child.running

    def pid(self, i: int) -> int:
        """The process of validator ``i``."""
        return self._children[i].pid

    def kill(self, i: int) -> None:
        """Take the power from validator ``i``."""
        self._children[i].kill()

    def stop(self) -> None:
        """End all validators in order."""
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            child.stop()

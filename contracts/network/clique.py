"""A Clique network of validators on loopback: built once, then started, stopped, and hurt on purpose."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from contracts.errors import NodeError
from contracts.network import genesis, geth, validator
from contracts.network.validator import Validator
from contracts.processes import Child, free_ports

CHAIN_ID = 20_252
"""Chain id unless another one is given."""

PERIOD_S = 1
"""Seconds between blocks unless told otherwise."""

PORTS_EACH = 3
"""Ports of a validator: for its peers, for JSON-RPC, and one that geth opens for nobody."""


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

        Raises ``ValueError`` for a folder that is not empty, and :class:`~contracts.processes.ProgramMissing`.
        """
        program = geth.find()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{folder} is not empty; give a new folder, or one with a network to go on with")
        if validators < 1:
            raise ValueError("a network needs at least one validator")
        ports = list(range(port, port + validators * PORTS_EACH)) if port else free_ports(validators * PORTS_EACH)
        rpc, p2p, auth = (ports[validators * i : validators * (i + 1)] for i in range(PORTS_EACH))
        made = [validator.create(folder / f"validator{i + 1}", p2p[i], rpc[i], auth[i]) for i in range(validators)]
        for i, one in enumerate(made):
            validator.write_config(one, [v.enode for v in made if v is not one], chain_id, p2p[i])
        first = genesis.clique(chain_id, [v.address for v in made], period_s, int(time.time()))
        path = folder / "genesis.json"
        path.write_text(json.dumps(first, indent=2) + "\n", encoding="utf-8")
        for one in made:
            geth.init(program, one, path)
        return cls(folder, chain_id, period_s, made, program)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The network that was built in ``folder``. Raises :class:`~contracts.errors.NodeError` if there is none."""
        try:
            config = json.loads((folder / "genesis.json").read_text(encoding="utf-8"))["config"]
            chain_id, period_s = int(config["chainId"]), int(config["clique"]["period"])
        except (OSError, ValueError, KeyError, TypeError) as failure:
            raise NodeError(f"{folder} holds no network ({failure}); give a new folder") from failure
        folders = sorted(folder.glob("validator*"), key=lambda path: int(path.name.removeprefix("validator")))
        return cls(folder, chain_id, period_s, [validator.load(path) for path in folders])

    @property
    def urls(self) -> list[str]:
        """Where the validators' JSON-RPC answers."""
        return [v.url for v in self.validators]

    def start(self) -> None:
        """Start all validators that are not running, and wait until they answer."""
        missing = [i for i, _ in enumerate(self.validators) if not self.running(i)]
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

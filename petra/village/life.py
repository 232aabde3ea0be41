"""The life of a village, from an empty folder to its last bill: what its supervisor does."""

import json
import os
import secrets
import shutil
import signal
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assets.errors import PriceInversion
from assets.keys import ORDER, Address, SigningKey
from petra.prosumer.seed import SeedPhrase
from petra.scenario import Scenario
from petra.village import founding, homes, plan
from petra.village.clockfile import VillageClock
from petra.village.layout import Layout, write_private
from petra.village.options import ANVIL, Options
from petra.village.plan import Plan
from petra.village.ports import pick_ports
from petra.village.program import Program
from petra.village.state import Phase, VillageState, write_json
from petra.village.supervisor import Supervisor, Watched
from petra.village.wallets import Reach, wallet_toml
from smartmeter.identity import LIGHT_N

OPTIONS = "options.json"
LEAD_S = 180
"""On a chain whose time is the world's: seconds for set-up before interval 0, at least."""
READY_S = 360.0
"""How long set-up may wait for a process."""
ASK_S = 2.0
"""Real seconds between two looks at the meters' books."""
DAY_S = 86_400


class Village:
    """One village, run by this process until its last bill, or until told to stop."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder.absolute())
        self.options = Options.from_json(json.loads((folder / OPTIONS).read_text(encoding="utf-8")))
        self.supervisor = Supervisor(self.layout, self.tell)
        self._state = VillageState(self.options, Phase.STARTING, os.getpid(), round(time.time(), 3))
        self._stopping = False
        self._asked_s = 0.0
        self._told: VillageState | None = None
        self._phrases: dict[int, SeedPhrase] = {}
        self._place: homes.LedgerPlace

    def run(self) -> bool:
        """From set-up to the end; whether the run was delivered. Ends every process whatever happens."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            self._say(Phase.STARTING, "making keys and folders")
            delivered = self._set_up() and self._live()
            if delivered:
                self._note(delivered=True)
                self._say(Phase.DELIVERED, "every interval is billed and stated")
        except Exception as failure:
            self._say(Phase.FAILED, str(failure) or type(failure).__name__)
            self.supervisor.stop_all()
            raise
        else:
            if not delivered:
                self._say(Phase.STOPPING, "told to stop")
            self.supervisor.stop_all()
            self._say(Phase.STOPPED, "delivered" if delivered else "stopped before the last bill")
        finally:
            for path in self._state.facts.get("elsewhere", ()):
                shutil.rmtree(path, ignore_errors=True)
        return delivered

    # --- Set-up ------------------------------------------------------------------------------------------

    def _set_up(self) -> bool:
        options, layout = self.options, self.layout
        scene = homes.scenario(options)
        names = plan.port_names(options)
        ports = dict(zip(names, pick_ports(len(names)), strict=True))
        base = Plan(options, layout, ports)
        early = self._start(*self._early(base, scene))
        keys = self._make_meters(base)
        database = self._database(base)
        if not self.supervisor.until_ready([w for w in early if w.program.role != "tor"], self.stopping, READY_S):
            return False
        base = self._found(base, scene, keys)
        if not self._ready(base.links_program()) or not self.supervisor.until_ready(early, self.stopping, READY_S):
            return False
        self._say(Phase.STARTING, "starting board, relay, bid store and DSO")
        if not self._ready(*base.services(database)):
            return False
        self._make_wallets(base, scene)
        # On a node that is not the village's own, time is the world's.
        begins_s = self._facts["genesis_s"] - plan.lead_s(options) if options.chain == ANVIL else time.time()
        clock = VillageClock.beginning(begins_s)
        self._set_clocks(base, clock)
        self._say(Phase.STARTING, "starting the homes")
        if options.chain == ANVIL:
            self._start(base.clock())
        everybody = self._start(*base.simulators(self._facts["genesis_s"]), *base.meters(), *base.wallets())
        if not self.supervisor.until_ready(everybody, self.stopping, READY_S):
            return False
        self._set_clocks(base, clock.going(options.speed))
        self._say(Phase.RUNNING, "")
        return True

    def _set_clocks(self, base: Plan, clock: VillageClock) -> None:
        for name in (f"{role}{i}" for role in ("simulator", "meter") for i in base.homes):
            clock.write(self.layout.own_clock(name))
        clock.write(self.layout.clock)

    def _early(self, base: Plan, scene: Scenario) -> list[Program]:
        programs = []
        if self.options.chain == ANVIL:
            from contracts import anvil

            self.layout.chain_state.parent.mkdir(parents=True)
            programs.append(base.chain(anvil.find(), scene.start_s - DAY_S))
        if self.options.transport == "tor":
            programs.append(base.tor())
        return programs

    def _database(self, base: Plan) -> str:
        if self.options.db == "sqlite":
            return str(self.layout.of("bidstore1") / "bids.db")
        from petra.village.postgres import database_url, make_cluster

        port = base.ports["postgres"]
        program, place = make_cluster(self.layout.of("postgres"), port)
        if place != self.layout.of("postgres"):
            self._note(elsewhere=[str(place)])
        if not self._ready(program):
            raise OSError("stopped before the database was ready")
        return database_url(port)

    def _make_meters(self, base: Plan) -> dict[int, tuple[Address, bytes]]:
        """Keystores of all meters: address and seed by home."""
        found = {}
        for i in base.homes:
            name = f"meter{i}"
            passphrase, secret = self.layout.make_passphrase(name), _secret()
            seed = self._meter_seed(i)
            key = SigningKey(secret)
            found[i] = homes.make_meter(self.layout.of(name), key, secret, seed, passphrase), seed
        return found

    def _meter_seed(self, home: int) -> bytes:
        """The seed of a home's meter, which its wallet's phrase gives as well."""
        from petra.prosumer.seed import HomeSeed

        self._phrases[home] = SeedPhrase.generate()
        return HomeSeed(self._phrases[home]).meter_seed

    def _found(self, base: Plan, scene: Scenario, keys: Mapping[int, tuple[Address, bytes]]) -> Plan:
        """The ledger with all that the DSO rules, the links, and the homes' folders."""
        from contracts import nodes
        from petra.village.links import Link, write_links

        self._say(Phase.STARTING, "deploying the ledger")
        w3, ours = nodes.connect(base.node), self.options.chain == ANVIL
        if ours:
            founding.request(w3, "evm_setAutomine", [True])
        genesis_s = scene.start_s if ours else self._soon(int(w3.eth.get_block("latest")["timestamp"]))
        addresses = {i: address for i, (address, _) in keys.items()}
        ledger = founding.found_ledger(w3, base.node, self.layout, scene, genesis_s, self.options.intervals, addresses)
        accounts = founding.relayer_keys(w3, plan.relaying(self.options))
        founding.make_tokens(self.layout.desk)
        if ours:
            founding.request(w3, "evm_setAutomine", [False])
        place = self._place = homes.LedgerPlace(ledger.domain, ledger.grid, ledger.since_block)
        base = Plan(self.options, self.layout, base.ports, accounts)
        write_links(self.layout.folder, [Link(name, base.ports[name], to) for name, to in base.links()])
        for home in scene.profiles.homes:
            homes.write_profile(self.layout.profile(home.home), scene.profiles, home)
            name = f"meter{home.home}"
            port = base.ports[f"simulator{home.home}"]
            text = homes.meter_toml(home.home, base.way(name), base.dso, place, scene, port, self.options)
            (self.layout.of(name) / "meter.toml").write_text(text, encoding="utf-8")
        self._note(
            rpc=base.node,
            chain_id=ledger.domain.chain_id,
            contract="0x" + ledger.domain.contract.hex(),
            since_block=ledger.since_block,
            genesis_s=genesis_s,
            **plan.scene_facts(scene),
        )
        return base

    def _soon(self, head_s: int) -> int:
        """Start of interval 0 on a chain whose time is the world's."""
        length_s = self.options.interval_s
        return (max(head_s, int(time.time())) + LEAD_S) // length_s * length_s + length_s

    def _make_wallets(self, base: Plan, scene: Scenario) -> None:
        """Folders of all wallets. The phrase of each is in phrase.txt, readable by its owner only."""
        from petra.prosumer.folder import WalletFolder

        place = self._place
        for i in base.homes:
            name = f"wallet{i}"
            reach = self._reach(base, name)
            config = wallet_toml(i, base.way(name), place, scene, reach, self._mix_timeout_s, self.options)
            passphrase = self.layout.make_passphrase(name)
            folder, phrase = self.layout.of(name), self._phrases[i]
            WalletFolder.create(folder, config, phrase, passphrase, LIGHT_N)
            write_private(folder / "phrase.txt", phrase.reveal() + "\n")
        self._phrases.clear()

    def _reach(self, base: Plan, name: str) -> Reach:
        """Where a wallet finds board, bid store and relay: by links of its own, or behind onion services."""
        at = {w.program.name: w.address or "" for w in self.supervisor.watched}
        # Each wallet begins with another replica, so that they share the work.
        turn = int(name.removeprefix("wallet")) % len(base.replicas)
        replicas = (*base.replicas[turn:], *base.replicas[:turn])
        if self.options.transport == "tor":
            return Reach("tor", at["board"], tuple(at[r] for r in replicas), (at["relay"],), int(at["tor"]))
        key = at["board"].partition("#")[2]
        stores = tuple(base.way(name, r) for r in replicas)
        return Reach("http", f"{base.way(name, 'board')}#{key}", stores, (base.way(name, "relay"),))

    @property
    def _mix_timeout_s(self) -> int:
        """Real seconds that a peer waits for another: a silent one must not cost the others their window."""
        return max(3, int(self.options.real_interval_s) // 6)

    # --- Running -----------------------------------------------------------------------------------------

    def _live(self) -> bool:
        """Until every interval is billed and stated; ``False`` if told to stop before."""
        return self.supervisor.run_until(self._delivered, self.stopping)

    def _delivered(self) -> bool:
        """Whether the DSO has booked every meter's statement of the whole run, and so every bill is made."""
        if time.monotonic() - self._asked_s < ASK_S:
            return False
        self._asked_s = time.monotonic()
        return booked(self.layout.desk / "bills.db") >= self.options.homes

    # --- Telling -----------------------------------------------------------------------------------------

    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stopping

    def _stop(self, *_: object) -> None:
        self._stopping = True

    @property
    def _facts(self) -> Mapping[str, Any]:
        return self._state.facts

    def _note(self, **facts: object) -> None:
        self._state = replace(self._state, facts={**self._state.facts, **facts})

    def _say(self, phase: Phase, message: str) -> None:
        self._state = replace(self._state, phase=phase, message=message)
        self.tell()

    def tell(self) -> None:
        """Write ``village.json`` if anything in it has changed."""
        supervisor = 0 if self._state.phase is Phase.STOPPED else self._state.supervisor
        processes = tuple(one.state() for one in self.supervisor.watched)
        state = replace(self._state, supervisor=supervisor, processes=processes)
        if state != self._told:
            state.write(self.layout.folder)
            self._told = state

    def _start(self, *programs: Program) -> list[Watched]:
        return self.supervisor.start(*(plan.replaced(p, self.options, self.layout.folder) for p in programs))

    def _ready(self, *programs: Program) -> bool:
        return self.supervisor.until_ready(self._start(*programs), self.stopping, READY_S)


def booked(store: Path) -> int:
    """Of how many meters the DSO has booked a statement; 0 while its file cannot be read."""
    try:
        db = sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=1)
        try:
            ((count,),) = db.execute("SELECT COUNT(DISTINCT meter) FROM booked").fetchall()
        finally:
            db.close()
    except sqlite3.Error:
        return 0
    return int(count)


def prepare(folder: Path, options: Options) -> None:
    """An empty folder with the options in it.

    Raises ``ValueError`` or ``OSError``, and makes no folder, for options that are no village and for a folder that
    holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is not empty; give a village a folder of its own")
    _check(options)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_json(folder / OPTIONS, options.to_json())


def _check(options: Options) -> None:
    """What can be known to fail before anything is made."""
    from petra.strategies import NAMES

    try:
        homes.scenario(options)
    except PriceInversion:
        raise ValueError(
            f"--tariff {options.tariff}: the DSO would buy dearer than it sells; give SELLS/BUYS, the dearer one first"
        ) from None
    if options.strategy not in NAMES:
        raise ValueError(f"--strategy {options.strategy}: there is none; choose one of {', '.join(NAMES)}")
    unknown = sorted(set(options.replace) - plan.process_names(options))
    if unknown:
        raise ValueError(f"--replace {unknown[0]}: no process here is called so; names are such as board or wallet1")
    if options.chain != ANVIL:
        from contracts import nodes

        if not nodes.answers(options.chain):
            raise ValueError(
                f"--chain {nodes.public_url(options.chain)}: no node answers; start it, or leave it to {ANVIL}"
            )


def _secret() -> bytes:
    return (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big")

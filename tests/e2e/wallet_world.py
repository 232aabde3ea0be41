"""A microgrid whose parts are processes of their own: what tests of `petra wallet run` stand on.

The chain's time is the test's: it stands still, but for a second with every block, until the test lets it pass.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from typer.testing import CliRunner

from assets.intervals import IntervalGrid
from assets.keys import SigningKey
from assets.notes import issued
from assets.port import NoteStatus
from assets.transactions import Authorisation, FeederCapacity, PriceChange, Regulate, Settle, Transact, Withdraw, sign
from contracts import deployments, nodes
from contracts.ledger import EvmLedger
from petra.cli import app
from petra.prosumer.folder import WalletFolder
from petra.prosumer.seed import HomeSeed, SeedPhrase
from petra.prosumer.template import wallet_toml
from smartmeter.folder import MeterFolder
from smartmeter.identity import LIGHT_N, DepositSeed, DerivedAddresses, OwnerSeed
from smartmeter.journal import Reading
from smartmeter.meter import Meter
from smartmeter.standard_set import StandardSet

INTERVAL_S = 240
MIX_AFTER_S, GATE_S, DEPOSIT_AFTER_S = INTERVAL_S // 4, INTERVAL_S // 5, INTERVAL_S // 10
"""As in a new wallet's configuration."""

SEED_WAIT_S = 20
"""How long an auction waits for a ledger entry."""

NOTE_W = 3_600 // INTERVAL_S
"""A note of this power is a watt-hour."""

DSO = SigningKey(b"\x0d" * 32)
PRICES = 240_000, 90_000
PASSPHRASE = "not a secret"
POLL_MS = 200


class Program:
    """A process of the microgrid, with a log file."""

    def __init__(self, command, log, *, speaks=False):
        self.log = log
        self._file = log.open("a")
        out = subprocess.PIPE if speaks else self._file
        self.process = subprocess.Popen(command, stdout=out, stderr=self._file)

    def read(self, name):
        """What its first line says under ``name``."""
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return json.loads(line)[name]

    def cpu_s(self):
        """CPU seconds used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self):
        """Most memory used so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))

    def kill(self):
        self.end(signal.SIGKILL)

    def end(self, number=signal.SIGTERM):
        """The exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._file.close()
        return code


class Home:
    """A meter that the test plays, with its folder and readings, and a wallet's folder."""

    def __init__(self, world, number, net_wh):
        self.world, self.number, self.net_wh = world, number, net_wh
        self.phrase = SeedPhrase.generate()
        self.seed = HomeSeed(self.phrase)
        self.key = SigningKey.generate()
        self.path = world.path / f"wallet{number}"
        self.running = None

    def set_up(self):
        world = self.world
        addresses = DerivedAddresses(DepositSeed(self.seed.meter_seed))
        domain, grid = world.ledger.domain, world.ledger.grid
        self.meter = Meter(self.number, self.key, addresses, domain, grid, world.notes, INTERVAL_S // 2)
        addresses.watch(range(8))
        folder = world.path / f"meter{self.number}"
        options = ["--number", str(self.number), "--rpc", world.url, "--contract", "0x" + domain.contract.hex()]
        options += ["--password-file", str(world.password_file), "--light"]
        done = CliRunner().invoke(app, ["meter", "init", str(folder), *options])
        assert done.exit_code == 0, done.output
        self.meter_folder = MeterFolder(folder)
        WalletFolder.create(self.path, world.wallet_toml(self.number), self.phrase, PASSPHRASE, LIGHT_N)

    def read(self, t):
        """Let the journal have readings up to the start of interval ``t``."""
        grid, journal = self.world.ledger.grid, self.meter_folder.journal()
        drawn, fed = self.meter_folder.wiring.counters
        for at in range(-1, t + 1):  # what is counted begins after the first reading
            readings = [(drawn, 1_000 + at * max(0, self.net_wh)), (fed, 1_000 + at * max(0, -self.net_wh))]
            journal.append([Reading(name, grid.start_s(at) * 1000, b"", wh) for name, wh in readings])
        journal.use()
        journal.close()

    def withdrawal(self, t):
        owners = OwnerSeed(self.seed.meter_seed).owners(t, self.world.notes.count)
        return self.meter.withdraw(t, self.world.ledger.meter_nonce(self.number), owners)

    def start(self):
        command = [*self.world.wallet_run, str(self.path), "--password-file", str(self.world.password_file)]
        self.running = Program(command, self.world.path / f"wallet{self.number}.log")

    @property
    def is_running(self):
        return self.running is not None and self.running.process.poll() is None

    def has_told(self, event, t=None):
        """Whether the wallet's log has an event of a window."""
        told = [json.loads(line) for line in self.running.log.read_text().splitlines() if line.startswith("{")]
        return any(line["event"] == event and line.get("window") == t for line in told)

    def restore(self):
        """Make the wallet anew from nothing but its phrase, as its owner would."""
        w, words = self.world, self.world.path / "words"
        words.write_text(self.phrase.reveal())
        options = ["--rpc", w.url, "--contract", "0x" + w.ledger.domain.contract.hex(), "--transport", w.transport]
        options += ["--socks-port", w.socks_port, "--board", w.board, "--bidstore", w.bidstore, "--relay", w.relay]
        options += ["--meter", f"../meter{self.number}", "--poll-ms", POLL_MS, "--light"]
        options += ["--phrase-file", words, "--password-file", w.password_file]
        done = CliRunner().invoke(app, ["wallet", "restore", str(self.path), *map(str, options)])
        assert done.exit_code == 0, done.output

    def state(self):
        return WalletFolder(self.path).state(self.seed)

    def kinds(self):
        """What happened so far, as its encrypted history has it."""
        state = self.state()
        try:
            return [(e.kind, e.facts.get("window")) for e in state.events()]
        finally:
            state.close()

    def orders(self):
        state = self.state()
        try:
            return state.orders()
        finally:
            state.close()

    def bill(self, t):
        self.meter.follow(self.world.ledger.entries(self.meter.cursor), self.world.ledger.now_s)
        self.meter.record_reading(t, self.net_wh)
        return self.meter.bill(t, self.world.ledger.price_at(t))


class World:
    """A chain, a board, a bid store, a relay and homes."""

    wallet_run = (sys.executable, "-m", "petra", "wallet", "run")

    def __init__(self, url, path, nets_wh, *, notes=None, mix_timeout_s=20):
        self.url, self.path, self.mix_timeout_s = url, path, mix_timeout_s
        self.w3 = nodes.connect(url)
        self.rpc("anvil_setBlockTimestampInterval", 1)
        self.notes = notes or StandardSet(NOTE_W, 1, 1, 1, 10**6)
        genesis_s = self.w3.eth.get_block("latest")["timestamp"] + 600
        self.ledger = EvmLedger.deploy(self.w3, DSO.address, IntervalGrid(genesis_s, INTERVAL_S))
        deployments.Deployment.of(self.w3, self.ledger).save(path / "deployments")
        self.password_file = path / "passphrase"
        self.password_file.write_text(PASSPHRASE + "\n")
        self.services = {}
        self.homes = [Home(self, number, net_wh) for number, net_wh in enumerate(nets_wh, 1)]
        grants = tuple(Authorisation(h.number, h.key.address, 1, 10**6, 10**6, 10**12) for h in self.homes)
        feeders = (FeederCapacity(1, 10**7, 10**7),)
        tx = Regulate(0, feeders=feeders, authorise=grants, prices=(PriceChange(genesis_s, *PRICES),))
        self.ledger.submit([sign(self.ledger.domain, tx, DSO)])[0].require()
        self.to(genesis_s - 5)

    def rpc(self, method, *parameters):
        answer = self.w3.provider.make_request(method, list(parameters))
        assert "error" not in answer, answer
        return answer.get("result")

    def serve_all(self, *reach):
        """Board, bid store and relay; ``reach``: how they can be reached, a port of their own unless given."""
        chain = ["--rpc", self.url, "--deployments", self.path / "deployments", *(reach or ("--port", "0"))]
        database = ["--database", self.path / "bids.db", "--gate-s", GATE_S]
        self.serve("board", *chain)
        self.serve("bidstore", *chain, *database)
        self.serve("relay", *chain, "--database", self.path / "relay.db", "--tick", "0.3")
        self.board, self.bidstore, self.relay = (self.services[n].read(n) for n in ("board", "bidstore", "relay"))

    def serve(self, name, *options):
        """Start one of the services."""
        command = [sys.executable, "-m", "petra", name, "serve", *map(str, options)]
        self.services[name] = Program(command, self.path / f"{name}.log", speaks=True)

    def wallet_toml(self, number):
        text = wallet_toml(
            url=self.url,
            domain=self.ledger.domain,
            since_block=0,
            grid=self.ledger.grid,
            notes=self.notes,
            transport=self.transport,
            socks_port=self.socks_port,
            board=self.board,
            bidstores=[self.bidstore],
            relays=[self.relay],
            meter=f"../meter{number}",
            poll_ms=POLL_MS,
        )
        return text.replace("mix_timeout_s = 20", f"mix_timeout_s = {self.mix_timeout_s}")

    transport, socks_port = "http", 9050

    def open_homes(self):
        for home in self.homes:
            home.set_up()
            home.read(0)
        for home in self.homes:
            home.start()
        self.wait(lambda: all(h.has_told("ledger read") for h in self.homes))

    def to(self, at_s):
        """Let ledger time pass to ``at_s``."""
        while (now_s := self.w3.eth.get_block("latest")["timestamp"]) < at_s:
            step_s = min(at_s, now_s + 4) if at_s - now_s < 300 else at_s
            with suppress(AssertionError):  # a block came in between
                self.rpc("evm_setNextBlockTimestamp", step_s)
                self.rpc("evm_mine")
            time.sleep(0.05)

    def begin(self, t):
        """The meters issue the notes of window ``t``, an interval before."""
        self.to(self.ledger.grid.start_s(t) - INTERVAL_S + 1)
        for home in self.homes:
            home.read(t - 1)
        for receipt in self.ledger.submit([home.withdrawal(t) for home in self.homes]):
            receipt.require()

    def to_mix(self, t):
        self.to(self.ledger.grid.start_s(t) - INTERVAL_S + MIX_AFTER_S + 1)

    def to_gate(self, t, homes, orders):
        """Let these homes decide and post; then the auction is held."""
        self.wait(lambda: all(h.has_told("offer", t) for h in homes))
        self.to(self.ledger.grid.start_s(t) - GATE_S - 1)
        self.wait(lambda: len(self.book(t)) == orders)
        self.to(self.ledger.grid.start_s(t) - GATE_S + SEED_WAIT_S + 2)

    def to_deposit(self, t):
        self.to(self.ledger.grid.start_s(t) + DEPOSIT_AFTER_S)

    def to_deadline(self, t):
        self.to(self.ledger.grid.end_s(t) + INTERVAL_S // 2 + 1)

    def book(self, t):
        """The open orders for a window."""
        query = f"power_w={self.notes.note_power_w}&start={t}&end={t}"
        with urllib.request.urlopen(f"{self.bidstore}/v1/orders?{query}", timeout=10) as answer:
            return json.load(answer)["orders"]

    def wait(self, what, seconds=300):
        """Wait in real time until ``what()`` holds."""
        until = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < until, f"{what} did not come true\n" + self.logs()
            time.sleep(0.1)
        return found

    def logs(self):
        logs = [log for log in sorted(self.path.glob("*.log")) if log.name != "anvil.log"]
        return "\n".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in logs)

    def mixes(self, t):
        """The mixes of a window that are on the ledger."""
        of_window = {n.id for n in self.withdrawn(t)}
        found = (e.signed.tx for e in self.ledger.entries() if isinstance(e.signed.tx, Transact))
        return [tx for tx in found if len(tx.inputs) > 1 and tx.inputs[0].id in of_window]

    def withdrawn(self, t):
        entries = [e for e in self.ledger.entries() if isinstance(e.signed.tx, Withdraw) and e.signed.tx.window == t]
        return [note for e in entries for note in issued(e.signed.tx.outputs, e.digest)]

    def fills(self, t):
        """What was traded for a window."""
        settlements = (e.signed.tx for e in self.ledger.entries() if isinstance(e.signed.tx, Settle))
        return [f for tx in settlements for f in tx.fills if f.sell.order.energy.note.start == t]

    def at_home(self, t):
        """Notes of window ``t`` that no meter has yet: withdrawn or mixed ones that stand unspent."""
        mixes = self.mixes(t)
        mixed = [
            n for e in self.ledger.entries() if e.signed.tx in mixes for n in issued(e.signed.tx.outputs, e.digest)
        ]
        return [n for n in self.withdrawn(t) + mixed if self.ledger.status(n.id) is NoteStatus.UNSPENT]

    def check_bills(self, t):
        """Every note of the window came back to a meter that counts it: energy and money are conserved."""
        self.to_deadline(t)
        bills = [home.bill(t) for home in self.homes]
        assert all(not home.meter.refused_deposits for home in self.homes)
        for kind in ("epa", "eca"):
            withdrawn, deposited = f"{kind}_withdrawn_wh", f"{kind}_deposited_wh"
            assert sum(getattr(b, withdrawn) for b in bills) == sum(getattr(b, deposited) for b in bills) > 0
        assert sum(b.fa_withdrawn_nano for b in bills) == sum(b.fa_deposited_nano for b in bills) > 0
        return bills

    def close(self):
        for program in [*(h.running for h in self.homes if h.running), *self.services.values()]:
            if program.process.poll() is None:
                program.kill()

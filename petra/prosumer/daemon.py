"""The agent as a process: what a wallet's folder names is put together, and works until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from petra.homes.profile import Battery
from petra.prosumer.agent import Agent
from petra.prosumer.folder import WalletFolder
from petra.prosumer.following import LedgerReader, open_ledger
from petra.prosumer.home import Home, Tell
from petra.prosumer.mixing import Mixing, MixRules
from petra.prosumer.reach import Reach, open_reach
from petra.prosumer.readings import Readings
from petra.prosumer.schedule import Schedule
from petra.prosumer.seed import HomeSeed
from petra.prosumer.state import State

if TYPE_CHECKING:
    from petra.prosumer.config import WalletConfig

SPREAD_S = 0.5
"""Requests that are due at one look at the ledger are spread over this many real seconds, or over a whole look."""


def schedule_of(config: "WalletConfig", readings: Readings | None) -> Schedule:
    """The microgrid's times. The deposit deadline is the meter's; half an interval if there is no meter to ask."""
    told_s = None if readings is None else readings.deadline_s()
    grid = config.ledger.grid
    deadline_s = grid.interval_s // 2 if told_s is None else told_s
    return Schedule(grid, config.mix_after_s, config.gate_s, config.deposit_after_s, deadline_s)


def battery_of(config: "WalletConfig") -> Battery | None:
    """The home's battery, for strategies that look ahead."""
    b = config.battery
    return None if b is None else Battery(b.capacity_wh, b.power_w, b.efficiency_permille)


def home_of(folder: WalletFolder, secrets: HomeSeed, state: State, reach: Reach, tell: Tell) -> Home:
    """Everything that a folder's agent works with. Raises ``ValueError`` for a configuration that cannot be used."""
    from petra.strategies import load

    config = folder.config
    readings = None if folder.meter_path is None else Readings(folder.meter_path, config.ledger.grid)
    keychain = folder.keychain(secrets, state)
    rules = MixRules(config.min_peers, config.mix_timeout_s)
    return Home(
        domain=config.ledger.domain,
        schedule=schedule_of(config, readings),
        keychain=keychain,
        account=folder.account(keychain, state.settled_below),
        memory=state,
        reader=LedgerReader(lambda: open_ledger(folder)),
        reach=reach,
        mixing=None if config.board is None else Mixing(config.board, reach, rules, keychain, state),
        bidstores=config.bidstores,
        relays=config.relays,
        strategy=load(folder),
        readings=readings,
        battery=battery_of(config),
        note_power_w=config.standard_set.note_power_w,
        poll_s=config.ledger.poll_ms / 1000,
        tell=tell,
        spread_s=max(SPREAD_S, config.ledger.poll_ms / 1000),
    )


class Teller:
    """One JSON object a line on standard error; whatever looks like an address, a key or an id is cut out."""

    def __init__(self) -> None:
        import structlog

        from bidstore.service.logs import configure

        configure()
        self._log = structlog.get_logger()

    def __call__(self, level: str, event: str, **facts: int | str) -> None:
        """Write one line."""
        self._log.log(logging.WARNING if level == "warning" else logging.INFO, event, **facts)


def run(folder: WalletFolder, secrets: HomeSeed) -> None:
    """Run until SIGTERM or SIGINT. Refuses to begin if the way to the services is to be Tor and is not.

    Raises ``ValueError``, :class:`~petra.onion.errors.NotTor`.
    """
    reach = open_reach(folder.config.transport, folder.config.socks_port)
    reach.verify()
    state = folder.state(secrets)
    tell = Teller()
    try:
        agent = Agent(home_of(folder, secrets, state, reach, tell))
        asyncio.run(_until_told(agent, tell))
    finally:
        state.close()


async def _until_told(agent: Agent, tell: Teller) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    tell("info", "wallet running")
    await agent.run(stop)
    tell("info", "wallet stopped")

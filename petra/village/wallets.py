"""The wallets of a village: their folders and configurations."""

from collections.abc import Mapping
from dataclasses import dataclass

from petra.homes.profile import Battery
from petra.scenario import Scenario
from petra.village.homes import LedgerPlace, shared_toml
from petra.village.options import Options

LOOKS = 150
"""How often in an interval a wallet looks at the ledger, unless that is too often for the machine."""

FASTEST_MS, SLOWEST_MS = 400, 3_000
"""Least and most real milliseconds between two looks."""


def wallet_looks_ms(options: Options) -> int:
    """Real milliseconds between two looks of a wallet at the ledger."""
    return max(FASTEST_MS, min(SLOWEST_MS, int(options.real_interval_s * 1000) // LOOKS))


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a wallet finds the others, and by what transport."""

    transport: str
    board: str
    bidstores: tuple[str, ...]
    relays: tuple[str, ...]
    socks_port: int | None = None


def wallet_toml(
    home: int, rpc: str, place: LedgerPlace, scene: Scenario, reach: Reach, mix_timeout_s: int, options: Options
) -> str:
    """``wallet.toml`` of one home."""
    socks = f"socks_port = {reach.socks_port}\n" if reach.socks_port is not None else ""
    return f"""\
transport = "{reach.transport}"
{socks}board = "{reach.board}"
bidstores = {_list(reach.bidstores)}
relays = {_list(reach.relays)}
meter = "../meter{home}"
mix_timeout_s = {mix_timeout_s}

{shared_toml(rpc, place, scene, wallet_looks_ms(options))}
[strategy]
name = "{options.strategy}"
{_parameters(options.strategy, scene.seed, home)}{_battery(scene.profiles.homes[home - 1].battery)}"""


def _parameters(strategy: str, seed: int, home: int) -> str:
    return f"parameters = {{ seed = {seed}, home = {home} }}\n" if strategy == "zero-intelligence" else ""


def _battery(battery: Battery | None) -> str:
    if battery is None:
        return ""
    values: Mapping[str, int] = {
        "capacity_wh": battery.capacity_wh,
        "power_w": battery.power_w,
        "efficiency_permille": battery.efficiency_permille,
    }
    return "\n[battery]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def _list(urls: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{url}"' for url in urls) + "]"

"""The plan: every process of a village once, its own ports, folders, keys and links."""

from collections import Counter
from pathlib import Path

import pytest

from petra.village.layout import Layout
from petra.village.options import Options
from petra.village.plan import Plan, port_names, relaying, replaced
from petra.village.ports import FIRST, LAST, pick_ports


def plan(**given) -> Plan:
    options = Options(**{"homes": 3, **given})
    ports = {name: 20_000 + place for place, name in enumerate(port_names(options))}
    return Plan(options, Layout(Path("/v")), ports, dict.fromkeys(relaying(options), "0x" + "11" * 32))


def all_of(found: Plan):
    programs = [found.chain("/bin/anvil", 5), found.clock(), found.links_program(), found.tor()]
    programs += [*found.services("bids.db"), *found.simulators(7), *found.meters(), *found.wallets()]
    return programs


@pytest.mark.parametrize("transport", ["http", "tor"])
def test_every_process_has_its_own_name_port_and_link(transport) -> None:
    found = plan(transport=transport, db="postgres", replicas=3)
    names = [program.name for program in all_of(found)]
    assert max(Counter(names).values()) == 1
    assert Counter(p.role for p in all_of(found)) == {
        **{"chain": 1, "clock": 1, "links": 1, "tor": 1, "board": 1, "relay": 1, "dso": 1},
        **{"bidstore": 3, "simulator": 3, "meter": 3, "wallet": 3},
    }
    ports = [port for program in all_of(found) if (port := program.port) is not None]
    assert len(set(ports)) == len(ports)
    links = list(found.links())
    assert {name for name, _ in links} <= set(port_names(found.options))
    assert {name for name, to in links if to == f"127.0.0.1:{found.ports['chain']}"} == {
        *(f"{role}{i}-chain" for role in ("meter", "wallet") for i in (1, 2, 3)),
        *("board-chain", "relay-chain", "bidstore1-chain", "bidstore2-chain", "bidstore3-chain"),
    }
    over_http = {name for name, _ in links} - {name for name, _ in links if name.endswith("-chain")}
    assert len(over_http) == (3 * 5 if transport == "http" else 0)


def test_over_tor_no_service_listens_at_a_port() -> None:
    for program in plan(transport="tor").services("bids.db")[:3]:
        assert "--port" not in program.command
        assert "--onion-dir" in program.command


def test_each_process_that_pays_has_an_account_of_its_own_and_lives_by_its_own_clock() -> None:
    found = plan()
    for program in [*found.meters(), *found.simulators(7)]:
        assert program.env["PETRA_CLOCK"] == f"/v/clocks/{program.name}.json"
    paying = [p.name for p in all_of(found) if "PETRA_RELAYER_KEY" in p.env]
    assert paying == ["relay", "bidstore1", "meter1", "meter2", "meter3"]


def test_no_secret_is_in_a_command_line() -> None:
    assert not any("11" * 32 in word for program in all_of(plan()) for word in program.command)


def test_a_program_is_replaced_by_the_users() -> None:
    found = plan(replace={"meter2": "python 'my meter.py' --x"})
    programs = [replaced(program, found.options, Path("/v")) for program in found.meters()]
    assert programs[1].command == ("python", "my meter.py", "--x", "/v/meter2")
    assert programs[1].env == found.meters()[1].env
    assert programs[0] == found.meters()[0]


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    ports = pick_ports(50)
    assert len(set(ports)) == 50
    assert all(FIRST <= port < LAST for port in ports)

"""What has to be on the ledger before a village can live: contract, meters, feeders, prices, and when it ends."""

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.transactions import Authorisation, FeederCapacity, Regulate
from petra.scenario import Scenario
from petra.village.layout import Layout, write_private

if TYPE_CHECKING:
    from web3 import Web3

    from contracts.ledger import EvmLedger

BALANCE_WEI = 10**24
"""What anvil gives every relaying account."""


def found_ledger(
    w3: "Web3", rpc: str, layout: Layout, scene: Scenario, genesis_s: int, last: int, meters: Mapping[int, Address]
) -> "EvmLedger":
    """Make the DSO's desk, deploy the ledger for it, and rule what the village needs, through the desk's log.

    After ``last``, the last interval with notes, all meters are banned: the run ends with every note deposited or
    expired.
    """
    from contracts.deployments import Deployment
    from contracts.ledger import EvmLedger
    from dso.desk.approvals import Policy
    from dso.desk.desk import KeySigner
    from dso.desk.folder import DeskFolder
    from dso.desk.keystore import create_key
    from dso.desk.log import ActionLog

    passphrase = layout.make_passphrase(layout.desk.name)
    key = create_key(layout.desk / "dso.json", passphrase)
    ledger = EvmLedger.deploy(w3, key.address, IntervalGrid(genesis_s, scene.interval_s))
    Deployment.of(w3, ledger).save(layout.deployments)
    folder = DeskFolder(layout.desk, rpc, ledger.domain.contract, scene.gate_s, Policy(0, ()))
    folder.save()
    ActionLog(layout.desk / "actions.jsonl").append("init", ledger.now_s, contract="0x" + ledger.domain.contract.hex())
    desk, signer = folder.desk(ledger), KeySigner(key)
    for ruling in rulings(scene, ledger.grid, last, meters):
        desk.release(desk.propose(ruling), signer).require()
    return ledger


def rulings(scene: Scenario, grid: IntervalGrid, last: int, meters: Mapping[int, Address]) -> tuple[Regulate, ...]:
    """The DSO's regulatory transactions, in order."""
    notes = scene.standard_set
    export_w, import_w = notes.epa_notes * notes.note_power_w, notes.eca_notes * notes.note_power_w
    credit_nano = notes.fa_notes * notes.fa_amount_nano * scene.intervals
    feeder_of = {home.home: home.node for home in scene.profiles.homes}
    sizes = Counter(feeder_of.values())
    return (
        Regulate(
            0,
            feeders=tuple(FeederCapacity(f, n * export_w, n * import_w) for f, n in sorted(sizes.items())),
            authorise=tuple(
                Authorisation(number, address, feeder_of[number], export_w, import_w, credit_nano)
                for number, address in meters.items()
            ),
        ),
        Regulate(0, prices=scene.tariff.price_changes(grid)),
        # Interval `last` is the last one with notes, which were issued before it began.
        Regulate(0, ban=tuple(meters), time_s=grid.start_s(last)),
    )


def make_tokens(desk: Path) -> None:
    """Tokens of the DSO's service, each in a file of its own that only its owner reads."""
    from dso.service.app import Role, token_hash

    tokens = {role: secrets.token_urlsafe(32) for role in Role}
    for role, token in tokens.items():
        write_private(desk / f"{role.value}.token", token + "\n")
    write_private(desk / "tokens.json", json.dumps({token_hash(t): r.value for r, t in tokens.items()}) + "\n")


def relayer_keys(w3: "Web3", names: list[str]) -> dict[str, str]:
    """An account for each process that sends transactions, so that none takes the place of another's.

    On a node that is no anvil: only where gas is free, otherwise nothing, and all use what the environment has.
    """
    from eth_account import Account

    from contracts import nodes

    is_anvil = nodes.name_of(w3).startswith("anvil")
    if not is_anvil and w3.eth.gas_price:
        return {}
    found: dict[str, str] = {}
    for name in names:
        account = Account.from_key(secrets.token_bytes(32))
        found[name] = "0x" + bytes(account.key).hex()
        if is_anvil:
            request(w3, "anvil_setBalance", [account.address, hex(BALANCE_WEI)])
    return found


def request(w3: "Web3", method: str, parameters: list[Any]) -> Any:  # noqa: ANN401 - JSON
    """Ask the node something of its own. Raises ``OSError`` with what it answers instead."""
    provider: Any = w3.provider
    answer = provider.make_request(method, parameters)
    if "error" in answer:
        raise OSError(f"the node does not do {method}: {answer['error'].get('message')}; give anvil")
    return answer.get("result")

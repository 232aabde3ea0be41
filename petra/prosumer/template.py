"""The text of a new wallet's ``wallet.toml``."""

import json
from collections.abc import Sequence

from assets.intervals import IntervalGrid
from assets.transactions import Domain
from smartmeter.standard_set import StandardSet


def wallet_toml(
    *,
    url: str,
    domain: Domain,
    since_block: int,
    grid: IntervalGrid,
    notes: StandardSet,
    lead: int = 1,
    transport: str = "tor",
    socks_port: int = 9050,
    board: str | None = None,
    bidstores: Sequence[str] = (),
    relays: Sequence[str] = (),
    meter: str | None = None,
    poll_ms: int = 5_000,
) -> str:
    """A configuration that works as it is; whatever is not known yet is a comment."""
    interval_s = grid.interval_s
    return f"""\
# docs/wallet.md explains every field.
transport = {_text(transport)}  # "http" is NOT ANONYMOUS
socks_port = {socks_port}
{_or_comment("board", board, "http://….onion#0x…")}
bidstores = {_texts(bidstores)}
relays = {_texts(relays)}
{_or_comment("meter", meter, "../meter")}
min_peers = 2
mix_timeout_s = 20

[ledger]
url = {_text(url)}
chain_id = {domain.chain_id}
contract = "0x{domain.contract.hex()}"
since_block = {since_block}
genesis_s = {grid.genesis_s}
interval_s = {interval_s}
poll_ms = {poll_ms}

[standard_set]  # the same for all homes of the microgrid
note_power_w = {notes.note_power_w}
epa_notes = {notes.epa_notes}
eca_notes = {notes.eca_notes}
fa_notes = {notes.fa_notes}
fa_amount_nano = {notes.fa_amount_nano}
lead = {lead}

[schedule]  # seconds of ledger time, the same for all homes
mix_after_s = {max(1, interval_s // 4)}
gate_s = {max(1, interval_s // 5)}
deposit_after_s = {max(1, interval_s // 10)}

[strategy]
name = "price-taker"
"""


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _or_comment(name: str, value: str | None, example: str) -> str:
    return f"{name} = {_text(value)}" if value is not None else f'# {name} = "{example}"'

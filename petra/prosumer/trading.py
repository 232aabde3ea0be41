"""One window, stage by stage: what a wallet would do in it, without doing anything."""

from dataclasses import dataclass
from typing import Any

from assets.notes import Kind
from assets.orders import Side
from assets.units import energy_wh
from petra.prosumer.daemon import battery_of, schedule_of
from petra.prosumer.folder import WalletFolder
from petra.prosumer.keychain import Purpose
from petra.prosumer.members import Members
from petra.prosumer.mixing import own_sessions
from petra.prosumer.overview import View
from petra.prosumer.readings import Readings
from petra.prosumer.records import Instruction
from petra.prosumer.schedule import Schedule
from petra.strategies import load
from petra.strategies.errors import StrategyError
from petra.strategies.forecast import situation_of
from petra.strategy import Decision

LOOK_BACK_S = 8 * 86_400
"""How far back readings are used."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be offered, and why."""

    decision: Decision | None
    because: str


def schedule_for(folder: WalletFolder) -> Schedule:
    """The microgrid's times, as the folder's agent has them."""
    return schedule_of(folder.config, _readings(folder))


def intent(folder: WalletFolder, view: View, window: int) -> Intent:
    """What the owner's instructions, or else the strategy, would offer in ``window`` with what is known now."""
    given = view.state.instructions(window)
    if given:
        return Intent(_as_decision(given[-1]), f"instruction {given[-1].number}")
    mixable = [*view.account.notes(Purpose.WITHDRAWN, window), *view.account.notes(Purpose.MIXED, window)]
    count = {kind: sum(note.note.kind is kind for note in mixable) for kind in Kind}
    config, readings = folder.config, _readings(folder)
    interval_s = config.ledger.interval_s
    told = situation_of(
        window,
        net_wh={} if readings is None else readings.net_wh(window - LOOK_BACK_S // interval_s, view.now_s),
        note_wh=energy_wh(config.standard_set.note_power_w, interval_s),
        sellable=count[Kind.EPA],
        buyable=min(count[Kind.ECA], count[Kind.FA]),
        price_at=view.price_at,
        interval_s=interval_s,
        battery=battery_of(config),
    )
    if told is None:
        return Intent(None, "the DSO has announced no price")
    if told.expected_net_wh is None:
        return Intent(None, "the home's meter has measured no whole interval yet")
    name = config.strategy.name or config.strategy.class_name or ""
    try:
        return Intent(load(folder).decide(told), f"strategy {name}, {told.expected_net_wh} Wh expected")
    except StrategyError as error:
        return Intent(None, str(error))


def plan(folder: WalletFolder, view: View, window: int) -> tuple[dict[str, Any], list[str]]:
    """The stages of ``window``: what each would do and when, for machines and for people."""
    schedule = schedule_for(folder)
    members = Members()
    members.follow(view.entries)
    sessions = own_sessions(
        members.sessions(folder.config.ledger.domain, window, schedule.mix_s(window)), view.keychain
    )
    sizes = [own.session.size for own in sessions]
    aim = intent(folder, view, window)
    withdrawn, mixed = (len(view.account.notes(purpose, window)) for purpose in (Purpose.WITHDRAWN, Purpose.MIXED))
    restored = window <= view.state.restored_window
    offered = _offered(aim)
    value = {
        "window": window,
        "now_s": view.now_s,
        "withdrawn": withdrawn,
        "mixed": mixed,
        "mix": {"at_s": schedule.mix_s(window), "sessions": [] if restored else sizes},
        "offer": {"until_s": schedule.gate_closes_s(window), "because": aim.because} | offered,
        "deposit": {"at_s": schedule.deposit_s(window), "until_s": schedule.overdue_s(window)},
    }
    lines = [
        f"window {window}, ledger time {view.now_s}",
        f"  withdraw: {withdrawn} notes issued to the home, {mixed} mixed already",
        f"  mix, {_when(view.now_s, schedule.mix_s(window))}: " + _mixes(sizes, restored),
        f"  offer, {_when(view.now_s, schedule.gate_closes_s(window), 'until')}: {_words(aim)}",
        f"  deposit, {_when(view.now_s, schedule.deposit_s(window))}: every note that is left, each on its own",
    ]
    return value, lines


def _readings(folder: WalletFolder) -> Readings | None:
    return None if folder.meter_path is None else Readings(folder.meter_path, folder.config.ledger.grid)


def _as_decision(given: Instruction) -> Decision | None:
    return Decision(given.side, given.notes, given.limit_nano_per_wh) if given.notes else None


def _offered(aim: Intent) -> dict[str, Any]:
    if aim.decision is None:
        return {"side": None, "notes": 0}
    d = aim.decision
    return {"side": d.side.name.lower(), "notes": d.notes, "limit_nano_per_wh": d.limit_nano_per_wh}


def _words(aim: Intent) -> str:
    if aim.decision is None:
        return f"nothing ({aim.because})"
    d = aim.decision
    bound = "at least" if d.side is Side.SELL else "at most"
    return f"{d.side.name.lower()} {d.notes} notes for {bound} {d.limit_nano_per_wh} nano per Wh ({aim.because})"


def _mixes(sizes: list[int], restored: bool) -> str:
    if restored:
        return "none, since the lost wallet may have begun them"
    if not sizes:
        return "no session yet; members are those whose notes are on the ledger by then"
    return f"{len(sizes)} sessions of {min(sizes)} to {max(sizes)} homes as of now"


def _when(now_s: int, at_s: int, word: str = "at") -> str:
    far = f"in {at_s - now_s} s" if at_s >= now_s else f"{now_s - at_s} s ago"
    return f"{word} {at_s} ({far})"

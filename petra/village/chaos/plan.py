"""A plan of faults, drawn from a seed: the same seed and the same village give the same plan."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from petra.village.chaos.kinds import Kind, Planned
from petra.village.chaos.manners import MANNERS

CALM_MS = 12_000
"""How long nothing else happens to a process after a fault was taken back."""

LASTS_MS = {
    Kind.KILL: (0, 0),
    Kind.CHAIN: (0, 0),
    Kind.PAUSE: (2_000, 15_000),
    Kind.CUT: (3_000, 20_000),
    Kind.SILENT: (3_000, 20_000),
    Kind.SLOW: (10_000, 30_000),
    Kind.SKEW: (65_000, 90_000),
    Kind.DISK: (3_000, 15_000),
    Kind.REPLICA: (10_000, 30_000),
    Kind.TOR: (5_000, 20_000),
    Kind.CHEAT: (60_000, 240_000),
}
"""Shortest and longest duration. A meter believes its clock when it has been wrong for a minute, not before."""

DELAY_MS = (100, 1_500)
SKEW_S = (120, 1_800)
"""Seconds of the village's clock."""

KILLED = ("meter", "wallet", "simulator", "board", "relay", "bidstore", "dso", "postgres", "clock")
PAUSED = ("meter", "wallet", "simulator", "board", "relay", "bidstore")
STORING = ("meter", "wallet", "board", "relay", "bidstore")
"""Roles that may be killed, that may hang, and that keep files."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Whom a fault can hit."""

    processes: Mapping[str, Sequence[str]]
    """Names by role."""
    links: Sequence[str] = ()
    tor_relays: Sequence[str] = ()
    cheats: Sequence[str] = ()
    """Wallets that were started as the program that can cheat."""
    stores_files: bool = True
    """Whether replicas of the bid store keep files of their own."""

    def victims(self, kind: Kind) -> dict[str, list[str]]:
        """By role or user: whom a fault of that kind can hit. Empty: it cannot happen here."""
        match kind:
            case Kind.KILL:
                found = self._of(KILLED)
            case Kind.PAUSE:
                found = self._of(PAUSED)
            case Kind.CUT | Kind.SILENT | Kind.SLOW:
                found = self._links()
            case Kind.SKEW:
                found = self._of(("meter",))
            case Kind.DISK:
                found = self._of(STORING if self.stores_files else tuple(r for r in STORING if r != "bidstore"))
            case Kind.CHAIN:
                found = self._of(("chain",))
            case Kind.REPLICA:
                found = self._of(("bidstore",)) if len(self.processes.get("bidstore", ())) > 1 else {}
            case Kind.TOR:
                found = {"tor": list(self.tor_relays)}
            case Kind.CHEAT:
                found = {"wallet": list(self.cheats)}
        return {role: names for role, names in found.items() if names}

    def _of(self, roles: Iterable[str]) -> dict[str, list[str]]:
        return {role: list(self.processes.get(role, ())) for role in roles}

    def _links(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for name in self.links:
            found[name.partition("-")[0].rstrip("0123456789")].append(name)
        return dict(found)


@dataclass(slots=True)
class _Calendar:
    """Who is busy with which fault until when."""

    replicas: Sequence[str]
    busy: dict[str, int] = field(default_factory=dict)

    def is_free(self, victim: str, at_ms: int) -> bool:
        process = victim.partition("-")[0]
        if self.busy.get(process, 0) > at_ms:
            return False
        if process in self.replicas and len(self.replicas) > 1:
            others = [r for r in self.replicas if r != process and self.busy.get(r, 0) <= at_ms]
            return bool(others)  # never all replicas at once
        return True

    def note(self, fault: Planned) -> None:
        self.busy[fault.process] = fault.at_ms + fault.lasts_ms + CALM_MS


def make_plan(
    seed: int, cast: Cast, kinds: Sequence[Kind], first_ms: int, every_ms: int, until_ms: int
) -> tuple[Planned, ...]:
    """Faults from ``first_ms`` on, one ``every_ms``, the last one over before ``until_ms``; every kind at least once.

    Kinds that cannot happen in this village, or not in that time, are left out. Raises ``ValueError`` if the time is
    too short for the others.
    """
    possible = [kind for kind in kinds if cast.victims(kind) and _fits(kind, 0, first_ms, every_ms, until_ms)]
    count = max(0, until_ms - first_ms) // every_ms
    if not possible or count < len(possible):
        raise ValueError(
            f"{max(0, until_ms - first_ms) // 1000} s are too short for {len(possible)} kinds of faults, one every "
            f"{every_ms / 1000:g} s; give more intervals, a smaller --every, or fewer --faults"
        )
    rng = random.Random(seed)  # noqa: S311 - a plan that can be repeated
    order = rng.sample(possible, len(possible))
    order += [rng.choice(possible) for _ in range(count - len(order))]
    _bring_forward(order, first_ms, every_ms, until_ms)
    calendar = _Calendar(cast.processes.get("bidstore", ()))
    planned = []
    for i, kind in enumerate(order):
        if not _fits(kind, i, first_ms, every_ms, until_ms):
            continue
        at_ms = first_ms + i * every_ms + rng.randrange(every_ms // 2)
        shortest, longest = LASTS_MS[kind]
        lasts_ms = min(rng.randint(shortest, longest), until_ms - at_ms)
        by_role = cast.victims(kind)
        role = rng.choice(sorted(by_role))
        free = [v for v in by_role[role] if calendar.is_free(v, at_ms)]
        if not free:
            free = [v for names in by_role.values() for v in names if calendar.is_free(v, at_ms)]
        if not free:
            continue  # all it could hit are busy with another fault
        fault = Planned(kind, rng.choice(free), at_ms, lasts_ms, _amount(kind, rng), _manner(kind, rng))
        calendar.note(fault)
        planned.append(fault)
    return tuple(planned)


def _fits(kind: Kind, place: int, first_ms: int, every_ms: int, until_ms: int) -> bool:
    """Whether the shortest fault of a kind is over in time at a place of the plan, however late it begins there."""
    return first_ms + place * every_ms + every_ms // 2 + LASTS_MS[kind][0] <= until_ms


def _bring_forward(order: list[Kind], first_ms: int, every_ms: int, until_ms: int) -> None:
    """Let kinds that would not be over in time change places with the first that would be."""

    def fits(kind: Kind, place: int) -> bool:
        return _fits(kind, place, first_ms, every_ms, until_ms)

    for i in reversed(range(len(order))):
        if not fits(order[i], i):
            earlier = next((j for j in range(i) if fits(order[i], j) and fits(order[j], i)), i)
            order[i], order[earlier] = order[earlier], order[i]


def _amount(kind: Kind, rng: random.Random) -> int:
    if kind is Kind.SLOW:
        return rng.randint(*DELAY_MS)
    return rng.choice((-1, 1)) * rng.randint(*SKEW_S) if kind is Kind.SKEW else 0


def _manner(kind: Kind, rng: random.Random) -> str:
    return rng.choice(sorted(MANNERS)) if kind is Kind.CHEAT else ""

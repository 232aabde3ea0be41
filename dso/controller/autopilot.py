"""The automatic loop: forecast, control signal, grid check, and then prices and limits on the ledger before notes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from assets.notes import Kind
from assets.port import Receipt
from assets.rules.state import Ruling
from assets.transactions import Authorisation, FeederCapacity, PriceChange, Regulate, Withdraw, price_in_force
from dso.controller.controller import Controller, Decision
from dso.controller.forecast import BookDepth, forecast, issued_power_w
from dso.desk.approvals import NotApproved
from dso.desk.desk import Desk, Signer
from dso.grid.check import WHOLE, Cut, GridCheck, Request, lowest_capacities
from dso.registry import Registry

RAISE_PERMILLE = 50
"""Limits are lowered at once, but raised only by at least this much of the nameplate: no limit swings to and fro."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the meters' nameplate limits, in thousandths."""

    eca: int
    epa: int


@dataclass(frozen=True, slots=True)
class Guarded:
    """What the guard found for the coming intervals, and what it did."""

    cut: Cut
    """Of the interval that binds most."""
    shares: Shares
    """What is safe."""
    receipt: Receipt | None
    """Of the regulatory transaction; ``None`` if the limits in force are right."""
    beyond: tuple[str, ...]
    """What was issued before and cannot be taken back, a sentence for each feeder and interval."""


class Autopilot:
    """Runs prices and limits from the desk. ``nameplate``: what each meter may do when nothing is in the way.

    Everything passes :meth:`dso.desk.desk.Desk.release`, so it is logged, and a desk whose transactions need approvals
    has no autopilot: ``NotApproved`` is raised.
    """

    def __init__(
        self,
        desk: Desk,
        signer: Signer,
        nameplate: Mapping[int, Authorisation],
        controller: Controller | None = None,
        check: GridCheck | None = None,
    ) -> None:
        self.desk, self._signer, self._nameplate = desk, signer, dict(nameplate)
        self._controller, self._check = controller, check
        self._registry, self._cursor = Registry(), 0
        self._issued_w: dict[tuple[int, int, Kind], int] = {}
        self.limit_permille: dict[int, int] = {}
        """What the controller leaves of the ECA limits, by interval, in thousandths; all of them where it says nothing.

        Planned in one process and guarded in another, carry it over (:class:`dso.controller.memory.Memory`).
        """
        self._decided: dict[tuple[tuple[int, ...], ...], Cut] = {}

    def plan_day(
        self,
        first: int,
        base: Callable[[int], PriceChange],
        history_w: Mapping[int, int],
        book: Mapping[int, BookDepth] | None = None,
    ) -> tuple[Decision, ...]:
        """Decide on a day's prices and publish them; ``base`` is the tariff. Call before the day begins.

        After the day, prices are what they were ruled to be before.

        Raises what the ledger refuses, and ``ValueError`` without a controller or history.
        """
        if self._controller is None:
            raise ValueError("this autopilot has no controller; give it one")
        self._need_nobody()
        ledger = self.desk.ledger
        last = first + self._controller.per_day - 1
        issued = issued_power_w(ledger.entries(), first, last)
        decisions = self._controller.decide(
            forecast(ledger.grid, first, last, history_w, book, issued), [base(t) for t in range(first, last + 1)]
        )
        changes: list[PriceChange] = []
        for d in decisions:
            self.limit_permille[d.t] = d.limit_permille
            change = d.price_change(ledger.grid.start_s(d.t))
            if not changes or replace(change, time_s=0) != replace(changes[-1], time_s=0):
                changes.append(change)
        moved = [f"interval {d.t}, level {d.level:+d}: {d.reason}" for d in decisions if d.level]
        self.desk.log.append("plan", ledger.now_s, first=first, last=last, moved=moved)
        self._release(Regulate(0, prices=(*changes, *self._ruled_from(last + 1))))
        return decisions

    def _ruled_from(self, t: int) -> list[PriceChange]:
        """The prices ruled for ``t`` and later. A record overrides all before it, so these have to be made again."""
        self._follow()
        prices, start_s = self._registry.prices, self.desk.ledger.grid.start_s(t)
        found: list[PriceChange] = []
        for time_s in (start_s, *sorted({p.time_s for p in prices if p.time_s > start_s})):
            price = price_in_force(prices, time_s)
            if price is not None and (not found or replace(price, time_s=found[-1].time_s) != found[-1]):
                found.append(replace(price, time_s=time_s))
        return found

    def guard(self, first: int, last: int, base_w: Mapping[int, Sequence[int]] | None = None) -> Guarded:
        """Check the intervals ``first..last`` and set the limits that are safe in all of them. Call before notes.

        ``base_w``: by feeder, forecast power of loads that need no notes, one entry for each interval. The worst case
        is what the limits permit, or what was issued before if that is more. All homes are cut alike, whatever their
        feeder: their sets of notes stay equal, so the notes do not tell feeders apart.
        """
        if self._check is None:
            raise ValueError("this autopilot has no grid check; give it one")
        self._need_nobody()
        feeders, now_s = self._check.feeders, self._follow()
        if not any(self._registry.standing(meter, now_s) for meter in self._nameplate):
            raise ValueError("none of these meters is installed; authorise them first: there is nothing to guard")
        for meter in sorted(self._registry.meters):
            standing = self._registry.standing(meter, now_s)
            if standing is not None and not standing.banned and standing.authorisation.feeder not in feeders:
                feeder = standing.authorisation.feeder
                raise ValueError(f"meter {meter} is on feeder {feeder}, which the network has not; ban it, or place it")
        base = {f: (base_w or {}).get(f, [0] * (last - first + 1)) for f in feeders}
        requests = [
            Request(
                t,
                tuple(base[f][t - first] for f in feeders),
                self._asked_w(Kind.ECA, t, feeders, now_s),
                self._asked_w(Kind.EPA, t, feeders, now_s),
            )
            for t in range(first, last + 1)
        ]
        cuts = self._decide(self._check, requests)
        binding = min(cuts, key=lambda cut: (cut.permille, cut.margin))
        shares = Shares(
            min(cut.permille * self._own_permille(cut.t) // WHOLE for cut in cuts), min(cut.permille for cut in cuts)
        )
        capacities = lowest_capacities(cuts)
        beyond = tuple(
            f"notes of {issued_w} W issued before for interval {t} on feeder {c.feeder} exceed the safe {limit_w} W"
            for t in range(first, last + 1)
            for c in capacities
            for kind, limit_w in ((Kind.ECA, c.import_w), (Kind.EPA, c.export_w))
            if (issued_w := self._issued_w.get((c.feeder, t, kind), 0)) > limit_w
        )
        tx = self._limits(shares, capacities, now_s)
        receipt = None
        if tx is not None:
            why = {"eca_permille": shares.eca, "epa_permille": shares.epa, "why": binding.explanation}
            self.desk.log.append("guard", now_s, first=first, last=last, beyond=list(beyond), **why)
            receipt = self._release(tx)
        return Guarded(binding, shares, receipt, beyond)

    def _own_permille(self, t: int) -> int:
        """What the controller leaves of the ECA limits in interval ``t``."""
        return self.limit_permille.get(t, WHOLE)

    def _asked_w(self, kind: Kind, t: int, feeders: tuple[int, ...], now_s: int) -> tuple[int, ...]:
        """Power by feeder: the nameplates of the meters that are not banned, or what was issued if that is more."""
        asked = dict.fromkeys(feeders, 0)
        for meter, plate in self._nameplate.items():
            standing = self._registry.standing(meter, now_s)
            if standing is not None and not standing.banned:
                eca_w = plate.max_eca_w * self._own_permille(t) // WHOLE
                asked[standing.authorisation.feeder] += eca_w if kind == Kind.ECA else plate.max_epa_w
        return tuple(max(w, self._issued_w.get((f, t, kind), 0)) for f, w in asked.items())

    def _decide(self, check: GridCheck, requests: list[Request]) -> list[Cut]:
        """The check's cuts; what was asked before is not computed again."""

        def asked(request: Request) -> tuple[tuple[int, ...], ...]:
            return request.base_w, request.eca_w, request.epa_w

        fresh = {asked(r): r for r in requests if asked(r) not in self._decided}
        self._decided.update(zip(fresh, check.decide(list(fresh.values())), strict=True))
        return [replace(self._decided[asked(r)], t=r.t) for r in requests]

    def _limits(self, shares: Shares, capacities: tuple[FeederCapacity, ...], now_s: int) -> Regulate | None:
        """The transaction that sets the limits; ``None`` if those in force are right, or only a little too low."""
        grants, due = [], False
        for meter, plate in sorted(self._nameplate.items()):
            ruling = self._registry.meters.get(meter)
            standing = ruling.at(now_s) if ruling is not None else None
            # To authorise a banned meter would lift its ban, and what is ruled for later would be lost. The feeder's
            # capacity holds such a meter, too.
            if ruling is None or standing is None or standing.banned or ruling.latest != standing:
                continue
            old = standing.authorisation
            new = replace(
                old, max_eca_w=plate.max_eca_w * shares.eca // WHOLE, max_epa_w=plate.max_epa_w * shares.epa // WHOLE
            )
            if new != old:
                grants.append(new)
                due = due or _due(old.max_eca_w, new.max_eca_w, plate.max_eca_w)
                due = due or _due(old.max_epa_w, new.max_epa_w, plate.max_epa_w)
        changed = []
        for safe in capacities:
            ruled = self._registry.feeders.get(safe.feeder, Ruling[FeederCapacity]())
            held, later = ruled.at(now_s), ruled.latest
            too_high = any(r is None or _lowest(safe, r) != r for r in (held, later))
            if held == later != safe:
                changed.append(safe)
            elif too_high:  # this replaces what is ruled for later, so it must not be above that
                changed.append(_lowest(safe, held, later))
            due = due or too_high
        return Regulate(0, feeders=tuple(changed), authorise=tuple(grants)) if due else None

    def _need_nobody(self) -> None:
        if self.desk.policy.required:
            raise NotApproved("this desk's transactions need approvals: it has no automatic loop; use price and limits")

    def _release(self, tx: Regulate) -> Receipt:
        return self.desk.release(self.desk.propose(tx), self._signer).require()

    def _follow(self) -> int:
        ledger = self.desk.ledger
        now_s = ledger.now_s
        for entry in ledger.entries(self._cursor):
            self._registry.follow(entry)
            tx = entry.signed.tx
            if isinstance(tx, Withdraw) and (standing := self._registry.standing(tx.meter, entry.time_s)) is not None:
                for note in tx.outputs:
                    for t in range(note.start, note.end + 1) if note.kind != Kind.FA else ():
                        key = standing.authorisation.feeder, t, Kind(note.kind)
                        self._issued_w[key] = self._issued_w.get(key, 0) + note.power_w
            self._cursor = entry.seq + 1
        return now_s


def _lowest(safe: FeederCapacity, *ruled: FeederCapacity | None) -> FeederCapacity:
    known = [safe, *(r for r in ruled if r is not None)]
    return FeederCapacity(safe.feeder, min(r.export_w for r in known), min(r.import_w for r in known))


def _due(held_w: int, right_w: int, nameplate_w: int) -> bool:
    """Whether a limit must be set anew: at once if it is too high, and if it is much too low."""
    return right_w < held_w or (right_w - held_w) * WHOLE >= max(1, RAISE_PERMILLE * nameplate_w)

"""The audit of a village's folder: reads what every process left behind, and has it checked."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assets.chainlog import LogReader
from assets.codec import is_nested_deeply
from assets.errors import LogTampered
from assets.keys import Address
from assets.transactions import Withdraw
from petra.audit import AuditError, audit
from petra.village.audit.energy import MeterEvidence, Skew, Truth, audit_against_ledger, audit_energy
from petra.village.audit.finding import Check, Finding, Part
from petra.village.audit.notes import Owner, OwnerOf, audit_credits, audit_notes, trace
from petra.village.audit.recovery import Happened, audit_recovery
from petra.village.audit.statements import Told, audit_statements
from petra.village.audit.tariff import audit_tariff, outcomes
from smartmeter.billing import BillingRecord

if TYPE_CHECKING:
    from petra.prosumer.seed import HomeSeed

CHAOS = "chaos.json"
BELIEF_S = 60
"""After so many real seconds a meter believes a clock that was set."""
LATENCY_S = 3
"""How long a device may take to answer, in real seconds: what the meter allows it."""


class NotAudited(ValueError):
    """A village whose audit cannot be made; says what to do."""


@dataclass(frozen=True, slots=True)
class _Home:
    number: int
    evidence: MeterEvidence
    seed: bytes

    def until(self, intervals: object) -> "_Home":
        """With the bills of so many intervals only: in the middle of a run, the report has no ledger for later ones."""
        if not isinstance(intervals, int):
            return self
        bills = tuple(bill for bill in self.evidence.bills if bill.t < intervals)
        return replace(self, evidence=replace(self.evidence, bills=bills))


def audit_village(folder: Path) -> tuple[Part, ...]:
    """All checks, in order. Raises :class:`NotAudited` if files are missing that no check can do without."""
    run, (options, delivered) = folder / "run", read_village(folder)
    if not (run / "ledger.jsonl").is_file():
        raise NotAudited(f"{folder} has no run to audit; write it first: petra village report {folder}")
    happened = read_chaos(folder)
    given = options.get("speed", 1)
    speed = float(given) if isinstance(given, int | float) else 1.0
    slack_ms = int(LATENCY_S * 1000 * speed)
    parts = [_audit_run(run)]
    try:
        with (run / "ledger.jsonl").open("rb") as file:
            reader = LogReader(file)
            genesis, entries = reader.genesis, list(reader)
        summary = json.loads((run / "summary.json").read_bytes())
        gate_s, intervals = int(summary["gate_s"]), summary.get("intervals")
    except (LogTampered, OSError, ValueError, KeyError, TypeError) as error:
        raise NotAudited(f"{run} cannot be read ({error}); write it again: petra village report {folder}") from None
    homes = list(_homes(folder, happened, speed))
    if not homes:
        raise NotAudited(f"{folder} has no meters; give the folder of a village")
    every_bill = {home.number: home.evidence.bills for home in homes}
    if delivered and isinstance(intervals, int) and intervals < min(map(len, every_bill.values())):
        raise NotAudited(f"{run} is older than the last bills; write it again: petra village report {folder}")
    homes = [home.until(intervals) for home in homes]
    bills = {home.number: home.evidence.bills for home in homes}
    issued = {entry.signed.tx.window for entry in entries if isinstance(entry.signed.tx, Withdraw)}
    owner_of = owners_of(folder, homes, {window + later for window in issued for later in (0, 1, 2)})
    found = trace(entries, owner_of, genesis.grid, gate_s)
    parts.append(audit_notes(found))
    wrong = _not_billed(every_bill, options, delivered=delivered)
    for home in homes:
        wrong += audit_energy(home.evidence, genesis.grid, slack_ms)
        wrong += audit_against_ledger(home.evidence, entries, genesis.grid, gate_s, home.seed)
    wrong += audit_credits(found, bills)
    count = sum(len(own) for own in bills.values())
    readings = sum(len(home.evidence.readings) for home in homes)
    figures = f"{count} bills of {len(homes)} meters, {readings} readings, beside what the devices counted; "
    figures += f"all billed up to interval {min((own[-1].t if own else -1) for own in bills.values())}"
    parts.append(Part(Check.BILLS, figures, tuple(wrong)))
    parts.append(audit_tariff(outcomes(bills, found), cheats(options)))
    parts.append(audit_statements(_statements(folder), every_bill))
    if happened:
        parts.append(audit_recovery(happened))
    return tuple(parts)


def _audit_run(run: Path) -> Part:
    try:
        done = audit(run)
    except AuditError as error:
        return Part(Check.RUN, "petra audit", (Finding(Check.RUN, error.file, str(error)),))
    return Part(Check.RUN, f"{done.ledger_entries} ledger entries, {done.signatures} signatures, {done.trades} trades")


def _not_billed(
    bills: Mapping[int, Sequence[BillingRecord]], options: Mapping[str, object], *, delivered: bool
) -> list[Finding]:
    """Meters of which there is nothing, and those that lack bills of a run that was delivered."""
    findings, homes, last = [], options.get("homes"), options.get("intervals")
    for home in range(1, homes + 1 if isinstance(homes, int) else 1):
        if home not in bills:
            findings.append(Finding(Check.BILLS, f"meter{home}", "left no folder to audit"))
    for home, own in sorted(bills.items()):
        if delivered and isinstance(last, int) and [b.t for b in own[: last + 1]] != list(range(last + 1)):
            text = f"has {len(own)} bills, but intervals 0 to {last} were delivered"
            findings.append(Finding(Check.BILLS, f"meter{home}", text))
    return findings


def read_village(folder: Path) -> tuple[Mapping[str, object], bool]:
    """The options that a village was started with, and whether it was delivered. Raises :class:`NotAudited`."""
    path = folder / "village.json"
    try:
        data = path.read_bytes()
        state = None if is_nested_deeply(data) else json.loads(data)
    except (OSError, ValueError):
        state = None
    options, facts = (state.get(name) if isinstance(state, dict) else None for name in ("options", "facts"))
    if not isinstance(options, dict):
        raise NotAudited(f"{path} is missing or damaged; give the folder of a village")
    return options, isinstance(facts, dict) and facts.get("delivered") is True


def cheats(options: Mapping[str, object]) -> frozenset[int]:
    """The homes whose wallets were replaced when the village was started."""
    replaced = options.get("replace") or ()
    names = [str(name).partition("=")[0] for name in replaced] if isinstance(replaced, list | dict) else []
    return frozenset(int(name.removeprefix("wallet")) for name in names if name.startswith("wallet"))


def read_chaos(folder: Path) -> tuple[Happened, ...]:
    """The faults that were injected; none without ``chaos.json``. Raises :class:`NotAudited` if it is damaged."""
    path = folder / CHAOS
    if not path.exists():
        return ()
    try:
        names = {f.name for f in fields(Happened)}
        rows = [{k: v for k, v in row.items() if k in names} for row in json.loads(path.read_bytes())["faults"]]
        return tuple(Happened(**row | {"simulated_ms": tuple(row["simulated_ms"])}) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotAudited(f"{path} is damaged ({error}); remove it to audit without it") from None


def _homes(folder: Path, happened: tuple[Happened, ...], speed: float) -> Iterator[_Home]:
    from smartmeter.audit import verify_meter
    from smartmeter.folder import MeterFolder

    places = (path for path in folder.glob("meter*") if path.name[5:].isdecimal() and path.is_dir())
    for place in sorted(places, key=lambda path: int(path.name[5:])):
        meter = MeterFolder(place)
        journal, book = meter.journal(), meter.book()
        try:
            problems = verify_meter(journal, book, meter.wiring).problems
            skews = tuple(_skew(h, speed) for h in happened if h.victim == place.name and h.skew_ms)
            truth = read_truth(folder / "homes" / f"home{place.name[5:]}.csv", meter.config.ledger.genesis_s)
            evidence = MeterEvidence(
                place.name, meter.config.number, tuple(book.bills()), tuple(journal.raw()), problems, truth, skews
            )
        finally:
            journal.close()
            book.close()
        passphrase = (place / "passphrase").read_text(encoding="utf-8").rstrip("\n")
        yield _Home(meter.config.number, evidence, meter.secrets(passphrase).seed)


def _skew(happened: Happened, speed: float) -> Skew:
    """When a meter's time was wrong: until it believed its clock, which was right again."""
    since_ms, until_ms = happened.simulated_ms
    return Skew(since_ms, until_ms + int((BELIEF_S + LATENCY_S) * 1000 * speed), happened.skew_ms)


def read_truth(path: Path, genesis_s: int) -> Truth:
    """What a simulator plays from interval 0 on. Raises :class:`~petra.homes.csv_profiles.ProfileError`."""
    from petra.homes.csv_profiles import read_profiles

    profiles = read_profiles(path)
    (home,) = profiles.homes
    return Truth(home.net_wh, profiles.interval_s, genesis_s)


def owners_of(folder: Path, homes: list[_Home], windows: Iterable[int]) -> OwnerOf:
    """Who owns which address of these windows, from the seeds of all meters and wallets."""
    known: dict[Address, Owner] = {}
    for home in homes:
        known |= _addresses(folder / f"wallet{home.number}", home, windows)
    return known.get


def _addresses(wallet: Path, home: _Home, windows: Iterable[int]) -> dict[Address, Owner]:
    from smartmeter.identity import GAP, DepositSeed, OwnerSeed

    owners, deposits, mixed = OwnerSeed(home.seed), DepositSeed(home.seed), _home_seed(wallet)
    known = {}
    for window in windows:
        for index in range(2 * GAP):
            known[owners.key(window, index).address] = Owner(home.number, window, is_deposit=False)
            known[deposits.address(window, index)] = Owner(home.number, window, is_deposit=True)
            if mixed is not None:
                known[mixed.mixed_key(window, index).address] = Owner(home.number, window, is_deposit=False)
    return known


def _home_seed(wallet: Path) -> "HomeSeed | None":
    """The seed of a home's wallet; ``None`` if it has no folder (any more)."""
    from petra.prosumer.seed import HomeSeed, SeedPhrase
    from smartmeter.identity import load_secret

    if not (wallet / "phrase.json").exists():
        return None
    passphrase = (wallet / "passphrase").read_text(encoding="utf-8").rstrip("\n")
    return HomeSeed(SeedPhrase(load_secret(wallet / "phrase.json", passphrase)))


def _statements(folder: Path) -> list[Told]:
    """What the DSO booked: plain statements and private ones."""
    from assets.commitments.codec import read_publication
    from dso.service.private_intake import BOOKED, PublicationStore
    from dso.service.store import StatementStore

    told = []
    if (path := folder / "dso" / "bills.db").exists():
        store = StatementStore(path)
        told += [Told.of(signed.statement) for signed, _ in store.booked()]
        store.close()
    if (path := folder / "dso" / "private.db").exists():
        publications = PublicationStore(path)
        bodies = [body for body, _, verdict in publications.all() if verdict == BOOKED]
        publications.close()
        told += [Told.of(read_publication(body)[2].statement) for body in bodies]
    return told

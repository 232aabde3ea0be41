"""Whoever breaks the protocol is out, on evidence that anybody can judge; nobody else is; the others mix.

Deviation x phase x position for small sessions, and random mixtures of up to N-2 cheats for larger ones.
"""

import random

import pytest

from assets.notes import epa
from assets.port import NoteStatus
from assets.transactions import Transact, digest, sign
from mixer.board import MemoryBoard
from mixer.coinshuffle import CoinShuffle
from mixer.engine import Blamed, Mixed, Rules, first_run
from mixer.envelope import decode
from mixer.exhibits import encode_exhibit
from mixer.faults import Reason
from mixer.follower import Follower, LogEntry, Seat
from mixer.judge import judge
from mixer.mixing import play
from mixer.protocol import Phase
from tests.mixer.cheats import ANYWHERE, HARMLESS, SHUFFLING, SPOKEN, Act, Cheating, complaint, false_accusation

RULES = Rules(minimum=2)
SIZES = (3, 4, 5)


def speaks(phase: Phase, position: int, size: int) -> bool:
    if phase is Phase.SHUFFLE:
        return position < size - 1
    return phase is not Phase.BROADCAST or position == size - 1


PLACES = [(size, phase, i) for size in SIZES for phase in SPOKEN for i in range(size) if speaks(phase, i, size)]
place = pytest.mark.parametrize(
    ("size", "phase", "position"), PLACES, ids=[f"{n}-{phase.title}-{i}" for n, phase, i in PLACES]
)


def mix(community, engines: dict[int, CoinShuffle], followers=None, rules: Rules = RULES):
    """A session in which the members of ``engines`` play by them. The judge must come to the members' verdict."""
    honest = CoinShuffle()
    used: set[bytes] = set()

    def fresh(member):
        def address():
            key = community.spare_key()
            assert key.address not in used
            used.add(key.address)
            return key.address

        return address

    made = [
        Follower(engines.get(m, honest), community.session, rules, 0, Seat(community.keys[m], fresh(m)))
        for m in range(community.size)
    ]
    mixing = play(MemoryBoard(), [wrap_(made[m]) for m, wrap_ in enumerate(followers)] if followers else made)
    verdict = judge(honest, community.session, rules, mixing.log, until_s=mixing.ended_s)
    assert verdict.attempts == mixing.attempts
    assert verdict.mixed == mixing.mixed
    assert not verdict.unfinished
    log = {entry.data for entry in mixing.log}
    assert all(log.issuperset(guilt.evidence) for guilt in verdict.guilty), "anybody with the log can look it up"
    assert_no_key_of_a_signed_run_is_revealed(log, set(range(community.size)) - set(engines))
    return verdict


def assert_no_key_of_a_signed_run_is_revealed(log: set[bytes], honest: set[int]) -> None:
    spoken: dict[Phase, set[tuple[int, int]]] = {Phase.SIGNING: set(), Phase.REVEAL: set()}
    for data in log:
        try:
            envelope = decode(data)
        except ValueError:
            continue
        if envelope.phase in spoken and envelope.sender in honest:
            spoken[envelope.phase].add((envelope.run, envelope.sender))
    assert not spoken[Phase.SIGNING] & spoken[Phase.REVEAL]


def assert_out(community, verdict, guilty: set[int]) -> None:
    """Exactly ``guilty`` are out, each with evidence, and all others have their notes mixed."""
    assert {g.member for g in verdict.guilty} == guilty, [(g.member, g.phase, g.reason) for g in verdict.guilty]
    rest = [m for m in range(community.size) if m not in guilty]
    assert isinstance(verdict.attempts[-1].outcome, Mixed)
    assert verdict.attempts[-1].run.members == tuple(rest)
    assert [i.id for i in verdict.mixed.tx.inputs] == [community.session.input_ids[m] for m in rest]
    for guilt in verdict.guilty:
        assert guilt.evidence or guilt.reason == "silent"
        assert not (guilt.proven and guilt.reason == "silent")


@pytest.mark.parametrize("deviation", ANYWHERE)
@place
def test_whoever_deviates_is_out_and_the_others_mix(community, size, phase, position, deviation):
    c = community(size)
    cheat = Cheating(c, {phase: ANYWHERE[deviation]})
    too_late = deviation == "equivocation" and phase is Phase.SIGNING and position == size - 1
    # The last signature completes the mix; whatever its sender posts then comes after the end.
    assert_out(c, mix(c, {position: cheat}), set() if too_late else {position})
    assert cheat.deviated == [0]


@pytest.mark.parametrize("deviation", HARMLESS)
@place
def test_what_harms_nobody_excludes_nobody(community, size, phase, position, deviation):
    c = community(size)
    cheat = Cheating(c, {phase: HARMLESS[deviation]})
    assert_out(c, mix(c, {position: cheat}), set())
    assert cheat.deviated == [0]


@pytest.mark.parametrize(
    ("size", "position", "deviation"),
    [(n, i, d) for n in (3, 4, 5, 7) for i in range(n) for d, (_, matters) in SHUFFLING.items() if matters(i, n)],
)
def test_whoever_spoils_the_shuffle_is_out_on_proof(community, size, position, deviation):
    act, _ = SHUFFLING[deviation]
    c = community(size)
    verdict = mix(c, {position: Cheating(c, {Phase.SHUFFLE: act, Phase.BROADCAST: act})})
    assert_out(c, verdict, {position})
    assert all(guilt.proven for guilt in verdict.guilty)


@pytest.mark.parametrize("refusal", ["silent", "late", "malformed", "too short", "equivocation", "another past"])
@pytest.mark.parametrize("phase", [Phase.SHUFFLE, Phase.EQUIVOCATION_CHECK], ids=lambda p: p.title)
@pytest.mark.parametrize("position", range(5))
def test_a_wrong_key_or_none_in_blame_convicts_beside_the_false_accuser(community, position, phase, refusal):
    c = community(5)
    accuser = 2 if position != 2 else 3
    engines = {
        accuser: Cheating(c, {phase: false_accusation}),
        position: Cheating(c, {Phase.REVEAL: ANYWHERE[refusal]}),
    }
    guilty = {g.member for g in mix(c, engines).guilty}
    # The last key ends the run: what its sender posts then is not read. And a complaint may stand on keys that are
    # missing now: then the accuser gets away with one run, at the price of its accomplice.
    assert guilty
    assert guilty <= {position, accuser}
    assert position in guilty or (refusal == "equivocation" and position == 4)


@pytest.mark.parametrize("phase", [Phase.SHUFFLE, Phase.EQUIVOCATION_CHECK], ids=lambda p: p.title)
def test_an_accuser_that_does_not_reveal_its_own_key_is_out(community, phase):
    c = community(4)
    for reveal in ("silent", "malformed"):
        cheat = Cheating(c, {phase: false_accusation, Phase.REVEAL: ANYWHERE[reveal]})
        assert_out(c, mix(c, {1: cheat}), {1})


@pytest.mark.parametrize(
    ("phase", "position"), [(phase, i) for phase in SPOKEN for i in range(1, 4) if speaks(phase, i - 1, 3)]
)
def test_a_message_of_another_run_stands_for_nothing(community, phase, position):
    c = community(4)
    replay = Cheating(c, {phase: lambda cheat, e: [p.encoded for p in cheat.past if p.phase is e.phase]}, lambda r: r)
    refuses = Cheating(c, {Phase.SIGNING: ANYWHERE["silent"]})
    verdict = mix(c, {0: refuses, position: replay})
    assert_out(c, verdict, {0, position})
    assert replay.deviated == [1]


def test_of_two_members_with_one_output_the_later_is_out(community):
    c = community(5)
    shared = c.spare_key().address

    class SharedOutput(CoinShuffle):
        def play(self, run, key, output):
            return super().play(run, key, shared if run.number == 0 else output)

    assert_out(c, mix(c, {1: SharedOutput(), 3: SharedOutput()}), {3})


@pytest.mark.parametrize("reason", [Reason.SILENT, Reason.OUTPUT_MISSING, Reason.DUPLICATE_INSIDE])
def test_a_complaint_for_a_reason_that_does_not_hold_convicts(community, reason):
    c = community(4)
    for position in range(3):
        assert_out(c, mix(c, {position: Cheating(c, {Phase.SHUFFLE: complaint(reason)})}), {position})


# --- Spending the note elsewhere -------------------------------------------------------------------------


class Informant:
    """A member that sees a transaction on the ledger once a message of ``phase`` is on the board, and shows it."""

    def __init__(self, follower: Follower, phase: Phase, spend) -> None:
        self._follower, self._phase, self._spend = follower, phase, spend

    def __getattr__(self, name):
        return getattr(self._follower, name)

    def read(self, entry):
        messages = self._follower.read(entry)
        if self._spend is not None and decode(entry.data).phase is self._phase:
            messages, self._spend = messages + self._follower.expose(self._spend), None
        return messages


def elsewhere(c, member: int):
    note = c.session.inputs[member]
    own = epa(c.spare_key().address, note.note.quantity, note.note.start, note.note.end)
    return sign(c.session.domain, Transact((note,), (own,)), c.keys[member])


@pytest.mark.parametrize("phase", SPOKEN, ids=lambda p: p.title)
@pytest.mark.parametrize("culprit", range(4))
def test_whoever_spends_its_note_elsewhere_is_out_whenever_it_is_seen(community, phase, culprit):
    c = community(4)
    spend = elsewhere(c, culprit)
    informant = (culprit + 1) % 4
    proxies = [lambda f, m=m: Informant(f, phase, spend) if m == informant else f for m in range(4)]
    verdict = mix(c, {}, proxies)
    assert_out(c, verdict, {culprit})
    assert all(g.proven for g in verdict.guilty)


def test_a_double_spend_seen_only_after_the_mix_reopens_the_session(fresh_community):
    c = fresh_community(4, 3)
    spend = elsewhere(c, 2)
    honest = CoinShuffle()
    followers = [
        Follower(honest, c.session, RULES, 0, Seat(c.keys[m], lambda: c.spare_key().address)) for m in range(4)
    ]
    first = play(MemoryBoard(), followers)
    assert first.mixed is not None
    assert c.ledger.submit([spend])[0].accepted
    assert not c.ledger.submit([first.mixed])[0].accepted
    board = MemoryBoard()
    log = list(first.log)
    pending = list(followers[0].expose(spend))
    while pending:
        entry = LogEntry(first.ended_s, board.append(pending.pop(0)).data)
        log.append(entry)
        for follower in followers:
            pending += follower.read(entry)
    verdict = judge(honest, c.session, RULES, log)
    assert_out(c, verdict, {2})
    assert c.ledger.submit([verdict.mixed])[0].accepted


def test_a_member_does_not_show_what_would_convict_itself(community):
    c = community(3)
    player = CoinShuffle().play(first_run(c.session, RULES), c.keys[0], c.spare_key().address)
    player.begin()
    note = c.session.inputs[1]
    for keys in ((), (c.keys[2],)):
        with pytest.raises(ValueError, match="do not show it"):
            player.expose(sign(c.session.domain, Transact((note,), (note.note,)), *keys))
    assert player.expose(elsewhere(c, 1))


def test_showing_the_sessions_own_mix_accuses_whoever_shows_it(community):
    c = community(4)
    aborted: list = []

    def show(cheat, e):
        if not aborted:
            return [e.encoded]
        return [cheat.sealed(e, phase=Phase.EXHIBIT, payload=encode_exhibit(aborted[0]))]

    class Collecting(Cheating):
        """Signs, and keeps the mix that the refusing member left incomplete."""

        def play(self, run, key, output):
            player = super().play(run, key, output)
            if run.mixes:
                first = players[0].peer.watch
                assert digest(c.session.domain, first._mix) in run.mixes
                aborted.append(sign(c.session.domain, first._mix, c.keys[1]))
            players.append(player._player)
            return player

    players: list = []
    engines = {1: Collecting(c, {Phase.ANNOUNCEMENT: show}), 3: Cheating(c, {Phase.SIGNING: ANYWHERE["silent"]})}
    assert_out(c, mix(c, engines), {1, 3})


# --- Many cheats -----------------------------------------------------------------------------------------


def random_cheats(c, seed: int) -> dict[int, Cheating]:
    rng = random.Random(seed)
    cheats = rng.sample(range(c.size), rng.randint(1, c.size - 2))
    choices: list[Act] = [*ANYWHERE.values(), *HARMLESS.values()]
    engines = {}
    for member in cheats:
        phases = rng.sample([*SPOKEN, Phase.REVEAL], rng.randint(1, 3))
        from_run = rng.randint(0, 2)
        acts = {phase: rng.choice(choices) for phase in phases}
        engines[member] = Cheating(c, acts, lambda run, first=from_run: run >= first)
    return engines


def check_random(c, seed: int) -> None:
    engines = random_cheats(c, seed)
    verdict = mix(c, engines)
    guilty = {g.member for g in verdict.guilty}
    assert guilty <= set(engines), (seed, guilty)
    assert isinstance(verdict.attempts[-1].outcome, Mixed)
    assert set(range(c.size)) - set(engines) <= set(verdict.attempts[-1].run.members)
    assert len(verdict.attempts) <= len(engines) + 1, "each failed run costs a cheat its place"
    assert all(isinstance(a.outcome, Blamed) for a in verdict.attempts[:-1])


@pytest.mark.parametrize("seed", range(60))
def test_any_mixture_of_cheats_loses_and_the_honest_mix(community, seed):
    check_random(community(3 + seed % 10), seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(60, 2060))
def test_many_mixtures_of_cheats(community, seed):
    check_random(community(3 + seed % 10), seed)


@pytest.mark.parametrize("minimum", [2, 3, 4, 8])
def test_below_the_minimum_nothing_is_signed_and_the_notes_stay(community, minimum):
    c = community(4)
    cheats = {m: Cheating(c, {Phase.SHUFFLE: ANYWHERE["silent"], Phase.BROADCAST: ANYWHERE["silent"]}) for m in (1, 3)}
    verdict = mix(c, cheats, rules=Rules(minimum=minimum))
    left = 4 - len(verdict.guilty)
    assert (verdict.mixed is not None) == (left >= minimum)
    assert all(c.ledger.status(i) is NoteStatus.UNSPENT for i in c.session.input_ids)
    assert all(a.run.size >= minimum for a in verdict.attempts)

"""Whatever bytes arrive, decoders refuse with their own error, and no watcher, member or judge falls over."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.orders import Fill, Order, Side, sign_order
from assets.transactions import Settle, Signed, Transact, sign
from mixer import logfile
from mixer.board import MemoryBoard
from mixer.coinshuffle import CoinShuffle
from mixer.engine import Rules, first_run
from mixer.envelope import decode, seal
from mixer.exhibits import NotAnExhibit, could_be_a_mix, encode_exhibit, read_exhibit
from mixer.faults import Reason
from mixer.follower import LogEntry, Seat
from mixer.judge import judge
from mixer.mixing import mix_in_memory
from mixer.onion import BoxKey
from mixer.protocol import Phase
from mixer.replay import replay

RULES = Rules(minimum=2)


def mixing(c):
    seats = [Seat(key, lambda: c.spare_key().address) for key in c.keys]
    return mix_in_memory(CoinShuffle(), c.session, RULES, seats, MemoryBoard())


def log_file(c):
    m = mixing(c)
    return logfile.MixLogFile("coinshuffle", c.session, RULES, 0, m.log, m.ended_s)


def damaged(draw, data: bytes) -> bytes:
    """``data`` with a few bytes changed, inserted, removed, or cut."""
    raw = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(raw) - 1)))
        match draw(st.integers(0, 3)):
            case 0 if raw:
                raw[at] ^= draw(st.integers(1, 255))
            case 1:
                raw[at:at] = draw(st.binary(min_size=1, max_size=40))
            case 2:
                del raw[at : at + draw(st.integers(1, 60))]
            case _:
                del raw[at:]
    return bytes(raw)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_an_envelope_decodes_to_what_encodes_to_it_or_is_refused(community, data):
    c = community(3)
    honest = [seal(c.session.id, 0, phase, 1, c.session.id, b"x" * 40, c.keys[1]).encoded for phase in Phase]
    raw = data.draw(st.one_of(st.binary(max_size=400), st.sampled_from(honest)))
    raw = damaged(data.draw, raw) if data.draw(st.booleans()) else raw
    try:
        envelope = decode(raw)
    except EncodingError:
        return
    assert envelope.encoded == raw


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_signed_nonsense_at_any_moment_convicts_only_who_signed_it(community, data):
    """An attacker with one key signs anything at all, at any time of a run."""
    c = community(4)
    watch = CoinShuffle().watch(first_run(c.session, RULES))
    log = [entry.data for entry in mixing(c).log]
    for message in log[: data.draw(st.integers(0, len(log)))]:
        watch.receive(message)
    for _ in range(data.draw(st.integers(1, 5))):
        views = [watch.transcript.view, c.session.id]
        if watch._inquiry is not None:
            views.append(watch._inquiry.view_before)
        envelope = seal(
            watch.run.log,
            0,
            data.draw(st.sampled_from(list(Phase))),
            2,
            data.draw(st.sampled_from(views)),
            data.draw(st.one_of(st.binary(max_size=100), st.sampled_from([bytes([r]) for r in Reason]))),
            c.keys[2],
        )
        watch.receive(envelope.encoded)
    watch.tick(10**6)
    assert all(f.participant == 2 for f in watch.faults if f.proven)


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_the_judge_of_a_damaged_log_names_nobody_as_proven(community, data):
    """A board that damages, drops, repeats and reorders honest messages frames nobody."""
    c = community(3)
    log = [entry.data for entry in mixing(c).log]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(log) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                log[at] = damaged(data.draw, log[at])
            case 1:
                log.insert(data.draw(st.integers(0, len(log))), log[at])
            case 2:
                log.insert(data.draw(st.integers(0, len(log) - 1)), log.pop(at))
            case _ if len(log) > 1:
                del log[at]
    entries = [LogEntry(i // 3, message) for i, message in enumerate(log)]
    verdict = judge(CoinShuffle(), c.session, RULES, entries, until_s=10**5)
    assert not [guilt for guilt in verdict.guilty if guilt.proven]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_file_of_a_log_is_read_as_written_or_refused(community, data):
    good = logfile.encode(log_file(community(3)))
    bad = damaged(data.draw, good)
    try:
        read = logfile.decode(bad.splitlines(keepends=True))
    except EncodingError:
        return
    assert logfile.encode(read) == bad


def test_a_log_survives_its_file(community):
    c = community(5)
    log = log_file(c)
    read = logfile.decode(logfile.encode(log).splitlines(keepends=True))
    assert read == log
    assert read.session.id == c.session.id
    assert judge(CoinShuffle(), read.session, read.rules, read.entries, until_s=read.until_s).mixed is not None


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_a_file_that_was_cut_says_so(community, cut):
    lines = logfile.encode(log_file(community(3))).splitlines(keepends=True)
    with pytest.raises(EncodingError, match=r"cut|at least"):
        logfile.decode(lines[:cut])


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_an_exhibit_convicts_the_owner_that_signed_it_and_nobody_else(community, data):
    c = community(3)
    note = c.session.inputs[1]
    spend = sign(c.session.domain, Transact((note,), (note.note,)), c.keys[1])
    good = encode_exhibit(spend)
    assert read_exhibit(c.session, range(3), good, ()) == [1]
    try:
        guilty = read_exhibit(c.session, range(3), damaged(data.draw, good), ())
    except NotAnExhibit:
        return
    assert guilty == [1]


def test_an_order_that_was_settled_convicts_its_owner_too(community):
    c = community(3)
    note = c.session.inputs[1]

    def order(side, owner):
        terms = Order(side, note, (), 1, owner, owner, 10**6, 400)
        return sign_order(c.session.domain, terms, c.keys[1])

    fill = Fill(order(Side.SELL, c.outputs[0]), order(Side.BUY, c.outputs[1]), 400, 1)
    shown = encode_exhibit(Signed(Settle((fill,)), ()))
    assert read_exhibit(c.session, range(3), shown, ()) == [1]
    assert could_be_a_mix(c.session, shown) is False
    with pytest.raises(NotAnExhibit):
        read_exhibit(c.session, [0, 2], shown, ())


def test_a_spend_that_its_owner_did_not_sign_convicts_nobody(community):
    c = community(3)
    note = c.session.inputs[1]
    for keys in ((c.keys[0],), ()):
        with pytest.raises(NotAnExhibit):
            read_exhibit(
                c.session, range(3), encode_exhibit(sign(c.session.domain, Transact((note,), (note.note,)), *keys)), ()
            )


@given(
    hops=st.lists(st.lists(st.binary(min_size=20, max_size=20), min_size=1, max_size=4, unique=True), max_size=4),
    missing=st.sets(st.integers(0, 3)),
    accuser=st.integers(0, 3),
    reason=st.sampled_from([Reason.OUTPUT_MISSING, Reason.UNREADABLE_ONION]),
)
@settings(max_examples=100, deadline=None)
def test_a_replay_of_garbage_names_only_who_took_part_in_it(hops, missing, accuser, reason):
    keys = [None if i in missing else BoxKey() for i in range(4)]
    complaints = {accuser if len(hops) == 4 else len(hops): reason}
    findings = replay(hops, keys, complaints)
    assert all(0 <= f.position <= min(f.hop, 3) for f in findings if f.reason is not Reason.FALSE_ACCUSATION)


@pytest.mark.soak
def test_a_million_messages_without_a_crash(community):
    import random

    rng = random.Random(1)
    c = community(4)
    log = [entry.data for entry in mixing(c).log]
    watch = CoinShuffle().watch(first_run(c.session, RULES))
    for number in range(1_000_000):
        raw = bytearray(rng.choice(log)) if rng.random() < 0.9 else bytearray(rng.randbytes(rng.randint(0, 300)))
        for _ in range(rng.randint(1, 3)):
            if raw:
                raw[rng.randrange(min(len(raw), 80) if rng.random() < 0.7 else len(raw))] = rng.randrange(256)
        watch.receive(bytes(raw))
        if number % 1000 == 0:
            watch = CoinShuffle().watch(first_run(c.session, RULES))
            for message in log[: rng.randint(0, len(log))]:
                watch.receive(message)

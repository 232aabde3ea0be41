import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.keys import Address, Digest
from assets.notes import IssuedNote, epa
from assets.orders import Order, Side
from petra.prosumer.records import OrderFate
from petra.prosumer.state import State
from petra.prosumer.vault import PADDED_TO, Vault, VaultError

SECRET = b"\x07" * 32
MEMORY = Path(":memory:")
ORDER = Order(
    Side.SELL,
    IssuedNote(epa(Address(b"\x01" * 20), 3600, 5, 5), Digest(b"\x02" * 32), 1),
    (),
    150_000,
    Address(b"\x03" * 20),
    Address(b"\x04" * 20),
    99,
    3600,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


def filled(path):
    state = State(path, SECRET)
    state.take("mixed/5", 0, 32)
    state.begin_session(b"\x05" * 32)
    state.add_order(Digest(b"\x06" * 32), ORDER, 5, 42)
    state.add_instruction(6, Side.BUY, 2, 200_000)
    state.add_event("deposited", ledger_s=50, window=5, note="epa")
    return state


def test_everything_is_there_after_reopening(path):
    filled(path).close()
    state = State(path, SECRET)
    assert state.take("mixed/5", 0, 32) == 1
    assert not state.begin_session(b"\x05" * 32)
    (order,) = state.orders()
    assert (order.window, order.side, order.limit_nano_per_wh, order.posted_s) == (5, Side.SELL, 150_000, 42)
    assert order.deliver_to == ORDER.deliver_to
    assert order.energy == ORDER.energy.id
    (instruction,) = state.instructions(6)
    assert (instruction.notes, instruction.side) == (2, Side.BUY)
    (event,) = state.events()
    assert (event.kind, event.ledger_s, event.facts) == ("deposited", 50, {"window": 5, "note": "epa"})


def test_the_file_shows_nothing_and_is_its_owners_only(path):
    filled(path).close()
    assert path.stat().st_mode & 0o077 == 0
    raw = path.read_bytes()
    for shown in (b"deposited", b"mixed", b"order", b"epa", b"window", ORDER.deliver_to, b"\x06" * 16, b"150000"):
        assert shown not in raw
    assert ORDER.deliver_to.hex().encode() not in raw


def test_lengths_go_in_steps(path):
    state = State(path, SECRET)
    state.add_event("a")
    state.add_event("a longer one", note="x" * 50)
    rows = sqlite3.connect(path).execute("SELECT LENGTH(value) FROM record").fetchall()
    assert len({length % PADDED_TO for (length,) in rows}) == 1
    assert rows[0] == rows[1]


def test_an_order_closes_with_its_price_and_times(path):
    state = filled(path)
    state.close_order(Digest(b"\x06" * 32), OrderFate.SETTLED, 60, price_nano_per_wh=160_000)
    (order,) = state.orders(5)
    assert (order.fate, order.closed_s, order.price_nano_per_wh) == (OrderFate.SETTLED, 60, 160_000)
    assert order.posted_ms <= order.closed_ms
    assert not state.add_order(order.id, ORDER, 5, 70)
    with pytest.raises(KeyError):
        state.close_order(Digest(b"\x0f" * 32), OrderFate.EXPIRED, 60)


def test_what_the_agent_keeps_stands_apart_and_is_replaced_by_name(path):
    state = filled(path)
    state.keep("event", "1", {"x": 1})
    state.keep("plan", "5", {"orders": "[]"})
    state.keep("plan", "4", {"orders": "a"})
    state.keep("plan", "5", {"orders": "b"})
    assert state.kept("plan") == [("5", {"orders": "b"}), ("4", {"orders": "a"})]
    assert len(state.events()) == 1


def test_an_instruction_waits_until_something_was_done(path):
    state = filled(path)
    state.close_instruction(1, "2 notes offered")
    assert state.instructions() == []
    assert state.add_instruction(7, Side.SELL, 1, 1).number == 2


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(1, 12)), max_size=30))
def test_a_number_is_never_given_twice(wishes):
    state, given_out = State(MEMORY, SECRET), set()
    for name, at_least, below in wishes:
        number = state.take(name, at_least, below)
        if number is not None:
            assert at_least <= number < below
            assert (name, number) not in given_out
            given_out.add((name, number))


VALUES = st.dictionaries(
    st.text(max_size=5), st.one_of(st.integers(-(2**70), 2**70), st.text(), st.booleans(), st.none())
)


@given(st.lists(st.tuples(st.sampled_from("xy"), st.text(max_size=2), VALUES), max_size=12))
def test_records_come_back_as_they_were_put(puts):
    vault, model = Vault(MEMORY, SECRET), {}
    for kind, name, value in puts:
        vault.put(kind, name, value)
        model[kind, name] = value
    for (kind, name), value in model.items():
        assert vault.get(kind, name) == value
    for kind in "xy":
        assert vault.all(kind) == [(name, value) for (k, name), value in model.items() if k == kind]


def test_another_secret_opens_nothing(path):
    filled(path).close()
    with pytest.raises(VaultError, match="of another wallet"):
        State(path, b"\x08" * 32)


TAMPERING = {
    "a record taken away": "DELETE FROM record WHERE seq = 2",
    "the newest record taken away": "DELETE FROM record WHERE seq = (SELECT MAX(seq) FROM record)",
    "all records taken away": "DELETE FROM record",
    "a bit changed": "UPDATE record SET value = CAST(SUBSTR(value, 1, 40) || X'00' || SUBSTR(value, 42) AS BLOB)",
    "two values exchanged": "UPDATE record SET value = (SELECT value FROM record r WHERE r.seq = 3 - record.seq) "
    "WHERE seq < 3",
    "the tally taken away": "DELETE FROM tally",
    "a name changed": "UPDATE record SET name = X'00' WHERE seq = 1",
}


@pytest.mark.parametrize("change", TAMPERING.values(), ids=list(TAMPERING))
def test_tampering_is_noticed(path, change):
    filled(path).close()
    with sqlite3.connect(path) as db:
        assert db.execute(change).rowcount != 0
    db.close()
    with pytest.raises(VaultError, match="not to be trusted"):
        State(path, SECRET)


def test_a_record_put_back_to_what_it_was_is_noticed(path):
    state = State(path, SECRET)
    state.take("mixed/5", 0, 32)
    other = sqlite3.connect(path)
    (old,) = other.execute("SELECT value FROM record").fetchone()
    state.take("mixed/5", 0, 32)
    with other:
        other.execute("UPDATE record SET value = ?", (old,))
    other.close()
    with pytest.raises(VaultError, match="missing, or were changed"):
        State(path, SECRET)


def test_a_change_that_fails_leaves_nothing_behind(path):
    vault = Vault(path, SECRET)
    vault.put("a", "1", {"x": 1})

    def change():
        with vault.change():
            vault.put("a", "1", {"x": 2})
            vault.put("a", "2", {"x": 3})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change()
    vault.close()
    assert Vault(path, SECRET).all("a") == [("1", {"x": 1})]


def test_a_file_that_is_no_database_is_refused_in_one_sentence(path):
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(VaultError, match="cannot be used"):
        State(path, SECRET)


COUNTING = """
    import sys
    from pathlib import Path
    from petra.prosumer.state import State
    state = State(Path(sys.argv[1]), bytes([7]) * 32)
    while True:
        print(state.take("mixed/5", 0, 10**9), flush=True)
"""


def test_no_number_repeats_over_processes_that_are_killed(path):
    seen = []
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(COUNTING), str(path)], stdout=subprocess.PIPE, text=True
        )
        seen += [int(child.stdout.readline()) for _ in range(25)]
        os.kill(child.pid, signal.SIGKILL)
        rest, _ = child.communicate()
        seen += [int(line) for line in rest.splitlines() if line]
    assert len(set(seen)) == len(seen) >= 100


def test_two_processes_share_a_file_without_giving_a_number_twice(path):
    State(path, SECRET).close()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(COUNTING), str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    lines = [[int(child.stdout.readline()) for _ in range(40)] for child in children]
    for child in children:
        child.kill()
        child.communicate()
    assert not set(lines[0]) & set(lines[1])

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.intervals import IntervalGrid
from petra.prosumer.schedule import Known, Schedule, Stage, Step, due

GRID = IntervalGrid(6_000, 60)
TIMES = Schedule(GRID, mix_after_s=15, gate_s=12, deposit_after_s=6, deadline_s=30)


@st.composite
def schedules(draw):
    interval_s = draw(st.integers(4, 3_600))
    mix_after_s = draw(st.integers(0, interval_s - 1))
    gate_s = draw(st.integers(0, interval_s - mix_after_s - 1))
    deadline_s = draw(st.integers(0, interval_s))
    deposit_after_s = draw(st.integers(0, interval_s + deadline_s - 1))
    return Schedule(
        IntervalGrid(draw(st.integers(0, 10**9)), interval_s), mix_after_s, gate_s, deposit_after_s, deadline_s
    )


@pytest.mark.parametrize(
    "wrong",
    [(-1, 0, 0, 0), (0, -1, 0, 0), (0, 0, -1, 0), (0, 0, 0, -1), (30, 30, 0, 0), (0, 60, 0, 0), (0, 0, 90, 30)],
)
def test_times_that_leave_no_room_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="smaller"):
        Schedule(GRID, *wrong)


@given(schedules(), st.integers(0, 50))
def test_the_stages_follow_one_another(times, t) -> None:
    assert times.grid.start_s(t) - times.grid.interval_s <= times.mix_s(t) <= times.offer_by_s(t)
    assert (
        times.offer_by_s(t)
        <= times.gate_closes_s(t)
        <= times.grid.start_s(t)
        <= times.deposit_s(t)
        < times.overdue_s(t)
    )


@given(schedules(), st.integers(0, 50), st.integers(0, 10**4), st.integers())
def test_random_moments_are_in_time(times, t, after_s, seed) -> None:
    rng = random.Random(seed)
    now_s = times.mix_s(t) + after_s
    assert times.order_moment_s(t, now_s, rng) >= now_s
    if now_s < times.gate_closes_s(t):
        assert times.order_moment_s(t, now_s, rng) < times.gate_closes_s(t)
    if now_s < times.overdue_s(t):
        assert max(now_s, times.deposit_s(t)) <= times.deposit_moment_s(t, now_s, rng) < times.overdue_s(t)


@pytest.mark.parametrize("late_s", [0, 50, 80, 90, 500])
def test_who_was_away_does_not_return_everything_at_one_moment(late_s) -> None:
    rng = random.Random(1)
    now_s = TIMES.deposit_s(3) + late_s
    moments = {TIMES.deposit_moment_s(3, now_s, rng) for _ in range(100)}
    assert min(moments) >= now_s
    assert len(moments) > 1


def test_before_the_first_interval_the_first_one_is_prepared() -> None:
    assert due(TIMES, 5_955, Known()) == ()  # members may still come in with this very second
    assert due(TIMES, 5_956, Known()) == (Step(Stage.MIX, 0),)
    assert due(TIMES, 5_988, Known()) == ()  # gate closure


def test_orders_wait_for_the_mix_but_not_for_ever() -> None:
    mixing = Known(begun={Step(Stage.MIX, 0)}, unmixed={0}, owned={0})
    assert due(TIMES, 5_970, mixing) == ()
    assert due(TIMES, 5_970, Known(begun={Step(Stage.MIX, 0)}, owned={0})) == (Step(Stage.OFFER, 0),)
    assert due(TIMES, TIMES.offer_by_s(0), mixing) == (Step(Stage.OFFER, 0),)


def test_notes_go_back_however_late_it_is() -> None:
    assert due(TIMES, 6_005, Known(owned={0})) == ()
    assert due(TIMES, 6_006, Known(owned={0})) == (Step(Stage.DEPOSIT, 0),)
    assert due(TIMES, 6_600, Known(owned={0, 3, 10})) == (Step(Stage.DEPOSIT, 0), Step(Stage.DEPOSIT, 3))


@dataclass
class Home:
    """A ledger, a durable memory and a process that may end at any instant; counts what is done how often."""

    times: Schedule
    ledger: dict = field(default_factory=dict)  # note -> where it stands
    sessions: set = field(default_factory=set)
    orders: set = field(default_factory=set)
    played: list = field(default_factory=list)
    ordered: list = field(default_factory=list)
    deposited: list = field(default_factory=list)
    log: list = field(default_factory=list)
    begun: set = field(default_factory=set)

    def restart(self):
        self.begun = set()

    def windows(self, *places):
        return {t for (t, _), place in self.ledger.items() if place in places}

    def run(self, now_s, lasts):
        """Do what is due; ``lasts`` says before each action whether the process lives on."""
        known = Known(frozenset(self.begun), self.windows("withdrawn"), self.windows("withdrawn", "mixed"))
        for step in due(self.times, now_s, known):
            if step.stage is not Stage.DEPOSIT:
                self.begun.add(step)
            for note in [n for n in self.ledger if n[0] == step.window]:
                self.log.append((now_s, step.stage, note))
                if not lasts():
                    return self.restart()
                self.act(step.stage, note, lasts)
        return None

    def act(self, stage, note, lasts):
        place = self.ledger[note]
        if stage is Stage.MIX and place == "withdrawn" and note not in self.sessions:
            self.sessions.add(note)
            if lasts():
                self.played.append(note)
                self.ledger[note] = "mixed"
        elif stage is Stage.OFFER and place == "mixed" and note not in self.orders:
            self.orders.add(note)
            self.ordered.append(note)
        elif stage is Stage.DEPOSIT and place in ("withdrawn", "mixed"):
            self.deposited.append(note)
            self.ledger[note] = "deposited"


@given(st.data(), schedules())
def test_whenever_the_process_dies_every_note_comes_back_once_and_nothing_is_done_twice(data, times) -> None:
    home = Home(times)
    genesis_s, length_s = times.grid.genesis_s, times.grid.interval_s
    deaths = data.draw(st.sets(st.integers(0, 60), max_size=12))
    steps = data.draw(st.lists(st.integers(1, max(1, length_s // 3)), min_size=10, max_size=40))
    count = 0

    def lasts():
        nonlocal count
        count += 1
        return count not in deaths

    now_s = genesis_s
    for step_s in [*steps, *[length_s] * 6]:
        t = times.next_window(now_s)
        home.ledger |= {(t, i): "withdrawn" for i in range(2) if (t, i) not in home.ledger} if t <= 5 else {}
        home.run(now_s, lasts)
        now_s += step_s
    while count <= 60 and home.windows("withdrawn", "mixed"):  # no more deaths after that
        home.run(now_s, lasts)
        now_s += length_s
    home.run(now_s + length_s * 8, lasts)
    assert set(home.ledger.values()) <= {"deposited"}
    for done in (home.played, home.ordered, home.deposited):
        assert len(done) == len(set(done))
    assert sorted(home.deposited) == sorted(home.ledger)
    for note in home.ledger:
        stages = [stage for _, stage, n in home.log if n == note]
        assert stages.index(Stage.DEPOSIT) >= max((i for i, s in enumerate(stages) if s is Stage.MIX), default=0)
    for at_s, stage, (t, _) in home.log:
        in_time = at_s < times.gate_closes_s(t) if stage is not Stage.DEPOSIT else at_s >= times.deposit_s(t)
        assert in_time

"""Plans: repeatable, complete, and never more than a village can bear."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petra.village.chaos.kinds import Kind
from petra.village.chaos.plan import CALM_MS, LASTS_MS, Cast, make_plan

HOMES = range(1, 7)
ROLES = {role: [f"{role}{i}" for i in HOMES] for role in ("meter", "wallet", "simulator")}
ROLES |= {role: [role] for role in ("board", "relay", "dso", "chain", "clock", "links", "tor", "postgres")}
ROLES |= {"bidstore": ["bidstore1", "bidstore2"]}
LINKS = [f"{user}-chain" for user in (*ROLES["meter"], *ROLES["wallet"], "board", "relay", *ROLES["bidstore"])]
CAST = Cast(ROLES, LINKS, ["relay0", "relay1", "relay2"], ["wallet2"])
SMALL = Cast({**ROLES, "bidstore": ["bidstore1"]}, LINKS)

seeds = st.integers(0, 2**32)
everies = st.integers(2_000, 30_000)


@given(seeds, everies, st.integers(11, 60))
def test_the_same_seed_gives_the_same_plan_in_which_every_kind_happens_in_time(seed, every_ms, count) -> None:
    until_ms = 5_000 + count * every_ms
    plan = make_plan(seed, CAST, list(Kind), 5_000, every_ms, until_ms)
    assert plan == make_plan(seed, CAST, list(Kind), 5_000, every_ms, until_ms)
    assert [p.at_ms for p in plan] == sorted(p.at_ms for p in plan)
    for p in plan:
        assert 5_000 <= p.at_ms <= p.at_ms + p.lasts_ms <= until_ms, "it is over in time"
        assert p.victim in {v for names in CAST.victims(p.kind).values() for v in names}
        assert p.lasts_ms >= LASTS_MS[p.kind][0]
        assert p.victim in p.text
    if every_ms >= 30_000:
        assert {p.kind for p in plan} == set(Kind)


@given(seeds, everies)
def test_nobody_suffers_twice_at_once_and_one_replica_is_always_well(seed, every_ms) -> None:
    plan = make_plan(seed, CAST, list(Kind), 5_000, every_ms, 5_000 + 60 * every_ms)
    spans: dict[str, list[tuple[int, int]]] = {}
    for p in plan:
        spans.setdefault(p.process, []).append((p.at_ms, p.at_ms + p.lasts_ms + CALM_MS))
    for own in spans.values():
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(own))
    for start, end in spans.get("bidstore1", ()):
        assert all(end <= other or last <= start for other, last in spans.get("bidstore2", ()))


@given(seeds)
def test_what_cannot_happen_in_a_village_is_left_out(seed) -> None:
    plan = make_plan(seed, SMALL, list(Kind), 0, 20_000, 40 * 20_000)
    assert {p.kind for p in plan} == set(Kind) - {Kind.TOR, Kind.CHEAT, Kind.REPLICA}
    assert not any(p.process in ("links", "tor") for p in plan)


def test_different_seeds_differ() -> None:
    plans = {json.dumps([p.text for p in make_plan(s, CAST, list(Kind), 0, 9_000, 300_000)]) for s in range(20)}
    assert len(plans) == 20


def test_too_little_time_is_said_so() -> None:
    with pytest.raises(ValueError, match="give more intervals"):
        make_plan(1, CAST, list(Kind), 5_000, 10_000, 60_000)
    with pytest.raises(ValueError, match="give more intervals"):
        make_plan(1, SMALL, [Kind.TOR], 0, 1_000, 60_000)


def test_a_full_disk_does_not_hit_a_bid_store_that_keeps_its_orders_at_a_server() -> None:
    cast = Cast(ROLES, LINKS, stores_files=False)
    assert "bidstore" not in cast.victims(Kind.DISK)
    assert "bidstore" in CAST.victims(Kind.DISK)

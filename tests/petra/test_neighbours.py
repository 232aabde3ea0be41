"""All neighbours at once learn exactly what each learns alone."""

from dataclasses import replace

import pytest

from petra.knowledge import Observer, candidates_of, learn
from petra.neighbours import learn_as_neighbours
from petra.simulation import simulate
from petra.summary import owners_of_addresses, who_learnt_what


def one_by_one(run):
    truth = owners_of_addresses(run)
    return [learn(Observer(h.name, own=frozenset({h.number})), run.entries, truth) for h in run.grid.homes]


def together(run):
    names = {home.number: home.name for home in run.grid.homes}
    truth = owners_of_addresses(run)
    return learn_as_neighbours(names, run.entries, truth, candidates_of(Observer("all"), run.entries, truth))


def test_six_neighbours_learn_what_each_learns_alone(small_run):
    assert together(small_run) == one_by_one(small_run)


@pytest.mark.parametrize(("homes", "max_peers"), [(2, 64), (3, 64), (5, 3), (6, 2), (9, 4)])
def test_small_and_cut_up_mixes_are_no_exception(make_scenario, monkeypatch, homes, max_peers):
    """Pairs, where each neighbour knows the other, and sessions that not everybody is in."""
    monkeypatch.setattr("petra.membership.MAX_PEERS", max_peers)
    for seed in range(3):
        run = simulate(replace(make_scenario(homes=homes, seed=seed), crypto="counted"), lambda done: None)
        rows = together(run)
        assert rows == one_by_one(run)
        assert homes == 2 or any(row.trades for row in rows)


@pytest.mark.parametrize("seed", range(3))
def test_in_a_community_that_mixes_in_parts_nobody_stands_out_of_its_part(make_scenario, monkeypatch, seed):
    """An order shows an energy note and money of one home, which therefore must hide in the same crowd."""
    monkeypatch.setattr("petra.membership.MAX_PEERS", 4)
    run = simulate(replace(make_scenario(homes=12, seed=seed), crypto="counted"), lambda done: None)
    public, *_ = who_learnt_what(run)
    assert public.trades
    assert (public.sellers_named, public.buyers_named, public.deposits_named) == (0, 0, 0)
    assert (public.smallest_seller_set, public.smallest_buyer_set) == (4, 4)


def test_the_rows_stand_in_the_order_of_the_homes(small_run):
    rows = who_learnt_what(small_run)
    assert [row.observer for row in rows[4:]] == [home.name for home in small_run.grid.homes]

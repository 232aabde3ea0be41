"""Every benchmark runs, and the bound of a mix counts what a mix does."""

import math
from collections import Counter

import pytest
from rich.console import Console

import mixer.dicemix.keys
import mixer.dicemix.signers
import mixer.onion
import mixer.signatures
from assets.keys import SigningKey
from benchmarks import dicemixes, mixes
from benchmarks.row import Reference, Row
from benchmarks.sizes import TINY
from benchmarks.suite import SUITES
from benchmarks.table import figure, render
from benchmarks.timer import again, medians_s

SUBJECTS = {name: rows for suite in SUITES.values() for name, rows in suite.items()}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_benchmark_gives_rows_with_a_reference_that_the_table_can_show(subject):
    rows = SUBJECTS[subject](TINY)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(render({subject: rows}))
    assert rows
    for row in rows:
        assert row.value > 0
        assert row.reference is not None
        assert math.isfinite(row.ratio)
        assert row.measured in captured.get()
        assert row.reference.name in captured.get()


@pytest.mark.parametrize("peers", [2, 3, 7])
def test_the_bound_of_a_mix_counts_the_operations_that_a_mix_performs(peers, monkeypatch):
    session = mixes.session_run(peers)
    counts = Counter()

    def counted(where, name, kind):
        function = getattr(where, name)

        def call(*arguments):
            counts[kind] += 1
            return function(*arguments)

        monkeypatch.setattr(where, name, call)

    counted(mixer.signatures, "check_key", "verify")
    counted(mixer.signatures, "recover_address", "recover")
    counted(SigningKey, "sign", "sign")
    counted(mixer.onion, "crypto_box_seal", "seal")
    counted(mixer.onion, "crypto_box_seal_open", "open")
    session()
    expected = mixes.operations(peers)
    assert dict(counts) == {kind: getattr(expected, kind) for kind in expected.__slots__}


@pytest.mark.parametrize("peers", [2, 3, 7])
def test_the_bound_of_dicemix_counts_the_operations_that_a_session_performs(peers, monkeypatch):
    session = dicemixes.session_run("dicemix", peers)
    counts = Counter()

    def counted(where, name, kind):
        function = getattr(where, name)

        def call(*arguments):
            counts[kind] += 1
            return function(*arguments)

        monkeypatch.setattr(where, name, call)

    counted(mixer.dicemix.signers, "check_key", "verify")
    counted(mixer.signatures, "recover_address", "recover")
    counted(SigningKey, "sign", "sign")
    counted(mixer.dicemix.keys, "crypto_scalarmult", "share")
    session()
    expected = dicemixes.operations(peers)
    assert dict(counts) == {kind: getattr(expected, kind) for kind in expected.__slots__}


def test_a_ratio_above_one_is_dearer_for_costs_and_for_rates():
    assert Row("a cost", 6.0, "ms", 1, Reference("bare", 3.0)).ratio == 2
    assert Row("a rate", 3.0, "trades/s", 1, Reference("bare", 6.0)).ratio == 2
    assert Row("alone", 3.0, "ms", 1).ratio is None


def test_preparing_is_not_timed_and_actions_take_turns():
    order = []

    def prepare(name):
        order.append(f"prepare {name}")
        return lambda: order.append(f"time {name}")

    times_s = medians_s(2, lambda: prepare("a"), again(order.append, "b"))
    assert order == ["prepare a", "time a", "b"] * 2
    assert len(times_s) == 2
    assert all(taken_s >= 0 for taken_s in times_s)


def test_figures_have_three_digits_that_count():
    shown = [figure(value) for value in (0.1234, 3.14159, 42.195, 1234.5, 31_337_000)]
    assert shown == ["0.123", "3.14", "42.2", "1,234", "31,337,000"]

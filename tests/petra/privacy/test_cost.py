from dataclasses import replace

import pytest
from typer.testing import CliRunner

from petra.cli import app
from petra.privacy.cost import session_cost, session_line
from petra.privacy.settings import settings
from petra.transports import MemoryTransport


def test_a_session_costs_four_posts_and_more_bytes_with_more_peers():
    small, large = session_cost(MemoryTransport(), 3, 1), session_cost(MemoryTransport(), 6, 1)
    assert small.posts == large.posts == pytest.approx(4, abs=1)
    assert small.sent_bytes < large.sent_bytes
    assert (small.rounds, large.rounds) == (6, 9)
    assert len(session_line(small)) == 9


def test_mixing_costs_gas_and_not_mixing_names_everybody(make_scenario):
    rows = settings(replace(make_scenario(homes=3, intervals=2), ledger="evm"), (1,))
    by_name = {row.name: row for row in rows}
    none, everybody = by_name["no mix"], by_name["everybody, 1 of a kind"]
    traders = by_name.get("mix of traders only (computed)", everybody)  # none if nobody traded in that interval
    assert (none.adversary, everybody.adversary) == (1, pytest.approx(1 / 3))
    assert none.gas == everybody.gas - everybody.mix_gas
    assert 0 < everybody.mix_gas < everybody.gas
    assert traders.gas <= everybody.gas
    assert traders.adversary >= everybody.adversary
    assert {row.notes for row in rows} == {3}


@pytest.mark.parametrize("peers", ["", "a", "²", "0", "1", "65", "5,-5"])
def test_what_is_no_size_is_refused_in_one_sentence(peers):
    done = CliRunner().invoke(app, ["privacy", "cost", "--transport", "memory", "--peers", peers])
    assert done.exit_code == 2
    assert "--peers" in done.output

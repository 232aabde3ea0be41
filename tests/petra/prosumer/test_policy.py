import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from petra.cli import app
from petra.prosumer.config import FILE, WalletConfigError, load, parse, strategy_of
from petra.prosumer.policy import as_value, set_strategy, with_strategy
from petra.prosumer.template import wallet_toml
from petra.standard import suited_set
from tests.petra.prosumer.test_config import TOML
from tests.petra.prosumer.world import DOMAIN, GRID


@pytest.fixture
def folder(tmp_path):
    (tmp_path / FILE).write_text(TOML)
    return tmp_path


def policy(folder, *words, code=0):
    result = CliRunner().invoke(app, ["wallet", "policy", str(folder), *words])
    assert result.exit_code == code, result.output
    return result.output


def test_a_new_wallets_configuration_can_be_used_as_it_is(tmp_path):
    text = wallet_toml(
        url="http://127.0.0.1:8545",
        domain=DOMAIN,
        since_block=3,
        grid=GRID,
        notes=suited_set(GRID.interval_s, 240_000),
        board='http://b"oard#0x',
        relays=["http://r"],
        meter="../m",
    )
    config = parse(text.encode(), tmp_path / FILE)
    assert config.ledger.domain == DOMAIN
    assert config.ledger.grid == GRID
    assert (config.transport, config.board, config.relays) == ("tor", 'http://b"oard#0x', ("http://r",))
    assert config.strategy.name == "price-taker"


def test_setting_a_strategy_changes_nothing_else(folder):
    before = load(folder)
    set_strategy(folder, strategy_of({"name": "look-ahead", "parameters": {"horizon": 12}}))
    after = load(folder)
    assert after.strategy.parameters == {"horizon": 12}
    assert after.strategy.bounds.max_sell_notes is None
    assert after.model_copy(update={"strategy": before.strategy}) == before


VALUES = st.one_of(st.integers(-(10**9), 10**9), st.booleans(), st.text(st.characters(codec="utf-8"), max_size=8))


@settings(max_examples=60)
@given(
    st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=6), VALUES, max_size=4),
    st.one_of(st.none(), st.integers(0, 9)),
    st.one_of(st.just({"name": "zero-intelligence"}), st.just({"file": "a b.py", "class": "Mine"})),
)
def test_whatever_strategy_is_written_is_read_back(parameters, bound, kind):
    chosen = strategy_of(kind | {"parameters": parameters, "bounds": {"max_buy_notes": bound}})
    once = with_strategy(TOML, chosen, Path("w"))
    assert parse(once.encode(), Path("w")).strategy == chosen
    assert with_strategy(once, chosen, Path("w")) == once


def test_a_strategy_that_is_not_written_as_a_table_is_left_alone(folder):
    cut = TOML[: TOML.index("[strategy]")]
    (folder / FILE).write_text('strategy = {name = "price-taker"}\n' + cut)
    before = (folder / FILE).read_text()
    with pytest.raises(WalletConfigError, match="correct the file by hand"):
        set_strategy(folder, strategy_of({"name": "look-ahead"}))
    assert (folder / FILE).read_text() == before


def test_values_are_what_they_look_like():
    assert [as_value(t) for t in ("12", "-3", "true", "false", "1.5", "x", "")] == [12, -3, True, False, "1.5", "x", ""]


def test_the_command_shows_and_sets(folder):
    assert "strategy: zero-intelligence" in policy(folder)
    assert "would be set" in policy(folder, "--strategy", "look-ahead", "--dry-run")
    assert load(folder).strategy.name == "zero-intelligence"
    policy(folder, "--strategy", "look-ahead", "--parameter", "horizon=12", "--min-sell", "0.10")
    shown = json.loads(policy(folder, "--json"))
    assert (shown["strategy"], shown["parameters"]) == ("look-ahead", {"horizon": 12})
    assert shown["bounds"]["min_sell_nano_per_wh"] == 100_000
    assert shown["bounds"]["max_sell_notes"] == 1
    policy(folder, "--max-buy-notes", "0")
    assert load(folder).strategy.parameters == {"horizon": 12}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--strategy", "clever"], "strategy: name: Input should be"),
        (["--strategy", "look-ahead", "--parameter", "horizon=0"], "horizon is a whole number from 1"),
        (["--parameter", "horizon"], "is not name=value"),
        (["--file", "mine.py"], "give either name, or file and class"),
        (["--file", "mine.py", "--class", "Mine"], "there is no such file"),
        (["--strategy", "look-ahead", "--file", "mine.py"], "either --strategy, or --file"),
        (["--min-sell", "cheap"], "is not a price"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_written(folder, words, said):
    before = (folder / FILE).read_text()
    assert said in policy(folder, *words, code=2)
    assert (folder / FILE).read_text() == before

import random
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.orders import Side
from assets.transactions import PriceChange
from petra.homes.community import generate
from petra.homes.profile import Battery
from petra.prosumer.config import BoundsConfig, StrategyConfig
from petra.strategies import NAMES, make, named
from petra.strategies.errors import StrategyError
from petra.strategies.forecast import same_time_yesterday, situation_of
from petra.strategies.look_ahead import LookAhead
from petra.strategies.price_taker import PriceTaker
from petra.strategy import Decision, Prices, Situation
from tests.petra.strategies import days

SITUATION = Situation(
    t=5,
    last_net_wh=900,
    note_wh=200,
    sellable=3,
    buyable=3,
    consumption_nano_per_wh=240_000,
    production_nano_per_wh=90_000,
)
BATTERY = Battery(capacity_wh=3000, power_w=1500, efficiency_permille=900)
FLAT, DEAR = Prices(240_000, 90_000), Prices(480_000, 90_000)


def test_a_price_taker_offers_all_it_expects_at_the_dsos_own_price():
    assert PriceTaker().decide(SITUATION) == Decision(Side.BUY, 3, 240_000)
    assert PriceTaker().decide(replace(SITUATION, forecast_net_wh=(-450, 10))) == Decision(Side.SELL, 2, 90_000)
    assert PriceTaker().decide(replace(SITUATION, last_net_wh=None)) is None


def test_zero_intelligence_draws_from_the_systems_randomness_unless_it_has_a_seed(monkeypatch):
    seeded = [named("zero-intelligence", seed=1, home=h).decide(SITUATION).limit_nano_per_wh for h in (1, 1, 2)]
    assert seeded[0] == seeded[1] != seeded[2]
    asked = []
    monkeypatch.setattr(random.SystemRandom, "getrandbits", lambda self, k: asked.append(k) or 0)
    assert named("zero-intelligence").decide(SITUATION).limit_nano_per_wh == 90_000
    assert asked


nets = st.integers(-3000, 3000)
situations = st.builds(
    lambda forecast, low, spread, held, battery, stored, note_wh: replace(
        SITUATION,
        note_wh=note_wh,
        sellable=held,
        buyable=held,
        forecast_net_wh=tuple(forecast),
        prices=tuple(Prices(low + spread, low) for _ in forecast),
        consumption_nano_per_wh=low + spread,
        production_nano_per_wh=low,
        battery=battery,
        stored_wh=stored,
    ),
    st.lists(nets, min_size=1, max_size=4),
    st.integers(0, 300_000),
    st.integers(0, 300_000),
    st.integers(0, 5),
    st.sampled_from([None, BATTERY]),
    st.sampled_from([None, 0, 1500, 99_999]),
    st.integers(1, 500),
)


@settings(max_examples=40)
@given(situations, st.sampled_from(NAMES))
def test_no_offer_exceeds_the_notes_held_or_is_worse_than_the_dso(situation, name):
    decision = make(StrategyConfig(name=name), Path()).decide(situation)
    if decision is not None:
        assert 1 <= decision.notes <= situation.sellable
        low, high = situation.production_nano_per_wh, situation.consumption_nano_per_wh
        assert max(1, low) <= decision.limit_nano_per_wh <= max(1, high)


@settings(max_examples=40)
@given(st.lists(nets, min_size=1, max_size=4), st.integers(0, 3))
def test_without_a_battery_a_look_ahead_is_a_price_taker(forecast, held):
    situation = replace(SITUATION, forecast_net_wh=tuple(forecast), sellable=held, buyable=held)
    assert LookAhead().decide(situation) == PriceTaker().decide(situation)


def test_a_look_ahead_keeps_its_charge_for_dearer_hours_and_buys_now():
    situation = replace(
        SITUATION, forecast_net_wh=(400, 1500), prices=(FLAT, DEAR), battery=BATTERY, stored_wh=1500, sellable=10
    )
    decision = LookAhead().decide(situation)
    assert decision.side is Side.BUY
    rather = LookAhead().decide(replace(situation, prices=(DEAR, FLAT), consumption_nano_per_wh=480_000))
    assert rather is None or rather.side is Side.SELL


def test_a_look_ahead_does_not_sell_below_what_the_energy_saves_later():
    evening = Prices(250_000, 90_000)
    situation = replace(SITUATION, forecast_net_wh=(-1000, 2000), prices=(FLAT, evening), battery=BATTERY, stored_wh=0)
    plan = LookAhead(market_permille=0).plan(situation, fallback=True)
    assert plan.charged_wh == pytest.approx(1000)
    assert plan.value_nano_per_wh == pytest.approx(0.9 * 250_000, abs=10)


def test_a_look_ahead_lowers_what_homes_pay_against_price_takers():
    """Three days of spring at a day and a night price, one home of each kind; docs/wallet.md has the figures."""
    profiles = generate(1, datetime(2025, 4, 1), 72, 3600, 11)
    taken, ahead = (
        sum(days.cost_nano(strategy, profiles.homes[number], days.Prices()) for number in (0, 4, 10))
        for strategy in (PriceTaker(), LookAhead())
    )
    assert ahead < taken * 90 // 100, (ahead / 1e9, taken / 1e9)


@pytest.mark.parametrize(
    "parameters", [{"horizon": 0}, {"horizon": 1.5}, {"market_permille": 1001}, {"horizon": True}, {"horzon": 3}]
)
def test_parameters_that_a_strategy_cannot_have_are_refused(parameters):
    with pytest.raises(StrategyError, match=r"look-ahead"):
        named("look-ahead", **parameters)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(StrategyError, match="choose one of price-taker, zero-intelligence, look-ahead"):
        named("clever")


def test_bounds_cut_what_any_strategy_decides():
    bounds = BoundsConfig(max_buy_notes=1, max_buy_nano_per_wh=150_000, max_sell_notes=0, min_sell_nano_per_wh=99_000)
    bounded = make(StrategyConfig(name="price-taker", bounds=bounds), Path())
    assert bounded.decide(SITUATION) == Decision(Side.BUY, 1, 150_000)
    assert bounded.decide(replace(SITUATION, last_net_wh=-900)) is None
    dearer = make(StrategyConfig(name="price-taker", bounds=BoundsConfig(min_sell_nano_per_wh=99_000)), Path())
    assert dearer.decide(replace(SITUATION, last_net_wh=-900)) == Decision(Side.SELL, 3, 99_000)


OWN = """
from dataclasses import dataclass
from assets.orders import Side
from petra.strategy import Decision

@dataclass
class Mine:
    limit: int = 100_000

    def decide(self, situation):
        return Decision(Side.SELL, 1, self.limit)
"""


def own(folder, text, **parameters):
    (folder / "mine.py").write_text(text)
    return make(StrategyConfig(file=Path("mine.py"), class_name="Mine", parameters=parameters), folder)


def test_a_class_of_the_homes_own_is_loaded_from_its_file(tmp_path):
    assert own(tmp_path, OWN).decide(SITUATION) == Decision(Side.SELL, 1, 100_000)
    assert own(tmp_path, OWN, limit=7).decide(SITUATION) == Decision(Side.SELL, 1, 7)


@pytest.mark.parametrize(
    ("text", "parameters", "said"),
    [
        ("class Mine:\n  def decide(self, situation) return None", {}, r"mine\.py, line 2: "),
        ("import no_such_module", {}, r"fails when it is loaded \(ModuleNotFoundError"),
        ("raise SystemExit", {}, "ends the program"),
        ("class Your:\n  pass", {}, r"has no class Mine; it has Your"),
        ("", {}, "has no class Mine; it defines none"),
        ("Mine = 5", {}, "has no class Mine"),
        ("class Mine:\n  pass", {}, r"has no method decide\(self, situation\)"),
        ("class Mine:\n  def decide(self): ...", {}, "takes a situation and nothing else"),
        (OWN, {"limits": 1}, r"does not take these parameters .*correct \[strategy.parameters\]"),
        ("class Mine:\n  def __init__(self): 1/0\n  def decide(self, s): ...", {}, r"cannot be made \(ZeroDivision"),
    ],
)
def test_whatever_is_wrong_with_it_is_said_in_one_sentence(tmp_path, text, parameters, said):
    with pytest.raises(StrategyError, match=said) as error:
        own(tmp_path, text, **parameters)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StrategyError, match=r"mine\.py: there is no such file"):
        make(StrategyConfig(file=Path("mine.py"), class_name="Mine"), tmp_path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 5", "decided int; it is to give a Decision"),
        ("return Decision(Side.SELL, 4, 100)", "offers 4 notes, the home has 3"),
        ("return Decision(Side.SELL, -1, 100)", "offers -1 notes"),
        ("return Decision(Side.SELL, 1.0, 100)", "decided notes as float"),
        ("return Decision(Side.SELL, 1, 1e5)", "decided limit_nano_per_wh as float"),
        ("return Decision(Side.SELL, 1, 0)", "has the limit 0"),
        ("return 1 // 0", "failed .ZeroDivisionError"),
    ],
)
def test_an_impossible_decision_is_no_offer(tmp_path, body, said):
    strategy = own(tmp_path, OWN.replace("return Decision(Side.SELL, 1, self.limit)", body))
    with pytest.raises(StrategyError, match=said):
        strategy.decide(SITUATION)


def test_a_home_expects_what_was_at_the_same_time_of_an_earlier_day():
    readings = {t: t for t in range(48)} | {49: 7}
    assert same_time_yesterday(readings, 50, 3, 3600) == (26, 27, 28)
    assert same_time_yesterday({3: 5, 4: 6}, 6, 3, 3600) == (6, 6, 6)
    assert same_time_yesterday({9: 5}, 6, 3, 3600) == ()


def test_a_situation_looks_as_far_as_prices_are_known():
    def price_at(t):
        return PriceChange(0, 240_000, 90_000) if t < 8 else None

    common = {"note_wh": 200, "sellable": 1, "buyable": 2, "price_at": price_at, "interval_s": 3600}
    situation = situation_of(5, net_wh={3: -50}, **common)
    assert situation.prices == (FLAT,) * 3
    assert situation.forecast_net_wh == (-50,) * 3
    assert situation.last_net_wh == -50
    assert situation_of(8, net_wh={}, **common) is None


def test_the_example_of_the_documentation_is_a_strategy(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "wallet.md").read_text()
    example = text.split("```python\n")[1].split("```")[0]
    strategy = own(tmp_path, example, discount_nano=20_000)
    assert strategy.decide(replace(SITUATION, forecast_net_wh=(-300,))) == Decision(Side.SELL, 1, 220_000)
    assert strategy.decide(SITUATION) is None

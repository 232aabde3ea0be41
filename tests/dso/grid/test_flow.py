"""The batch power flow beside pandapower, and the worst-case check on the CIGRE network."""

import numpy as np
import pytest

pytest.importorskip("power_grid_model", reason="pip install 'petra[grid]'")

from dso.grid.check import GridCheck, Limits, Request, lowest_capacities
from dso.grid.cigre import NODE_BUS, cigre_lv, residential
from dso.grid.files import from_pandapower, read_network
from dso.grid.flow import PowerFlow
from dso.grid.network import Network


@pytest.fixture(scope="module")
def oracle():
    pandapower = pytest.importorskip("pandapower", reason="pip install 'petra[networks]'")
    from pandapower import networks

    net = networks.create_cigre_network_lv()
    pandapower.runpp(net, init="flat", tolerance_mva=1e-10)
    return net


def loads(net):
    return list(net.load.bus), net.load.p_mw.to_numpy() * 1e6, net.load.q_mvar.to_numpy() * 1e6


def test_the_built_in_cigre_network_agrees_with_pandapower_to_a_millionth(oracle):
    buses, p, q = loads(oracle)
    network = cigre_lv()
    assert [bus.name for bus in network.buses] == list(oracle.bus.name)
    flows = PowerFlow(network, buses).run(p, q)
    assert np.abs(flows.u_pu[0] - oracle.res_bus.vm_pu.to_numpy()).max() < 1e-6
    ampacity = np.array([line.ampacity_a for line in network.lines])
    assert np.abs(flows.line[0] * ampacity / 1e3 - oracle.res_line.i_ka.to_numpy()).max() < 1e-6


def test_a_pandapower_file_with_taps_parallels_and_an_open_line_agrees_with_pandapower(oracle, tmp_path):
    import copy

    import pandapower

    net = copy.deepcopy(oracle)
    net.trafo[["tap_side", "tap_neutral", "tap_pos", "tap_step_percent", "tap_changer_type"]] = [
        "hv",
        0,
        2,
        2.5,
        "Ratio",
    ]
    net.line.loc[3, "parallel"] = 2
    net.line["c_nf_per_km"] = 300.0
    pandapower.create_line_from_parameters(net, 9, 22, 0.1, 0.2, 0.08, 0.0, 0.2, name="tie")
    pandapower.create_switch(net, 9, net.line.index[-1], et="l", closed=False)
    pandapower.runpp(net, init="flat", tolerance_mva=1e-10)
    path = tmp_path / "net.json"
    pandapower.to_json(net, str(path))
    buses, p, q = loads(net)
    flows = PowerFlow(read_network(path), buses).run(p, q)
    assert np.abs(flows.u_pu[0] - net.res_bus.vm_pu.to_numpy()).max() < 1e-6
    assert np.abs(flows.line[0] * 100 - net.res_line.loading_percent.to_numpy())[:-1].max() < 1e-3


def test_a_network_that_cannot_be_modelled_is_refused_in_a_sentence(oracle, tmp_path):
    import copy

    import pandapower

    net = copy.deepcopy(oracle)
    pandapower.create_gen(net, 5, 0.01)
    with pytest.raises(ValueError, match="kind 'gen'"):
        from_pandapower(net, "with a generator")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match=r"bad\.json is no network"):
        read_network(tmp_path / "bad.json")
    with pytest.raises(ValueError, match="there is no network in"):
        read_network(tmp_path / "absent.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="there is no network in"):
        read_network(tmp_path / "empty")
    with pytest.raises(ValueError, match="no connection to the grid above"):
        Network("empty", (), (), (), ())


@pytest.mark.parametrize(
    ("table", "column", "value", "why"),
    [
        ("line", "length_km", np.nan, "finite"),
        ("line", "length_km", 0.0, "no impedance"),
        ("line", "df", None, "cannot be read"),
        ("trafo", "sn_mva", 0.0, "rated power"),
        ("line", "from_bus", 0, "cannot be solved"),  # 20 kV to 0.4 kV without a transformer
    ],
)
def test_values_that_no_network_has_are_refused_in_a_sentence(oracle, tmp_path, table, column, value, why):
    import copy

    import pandapower

    net = copy.deepcopy(oracle)
    if value is None:
        del net[table][column]
    else:
        net[table].loc[net[table].index[0], column] = value
    path = tmp_path / "net.json"
    pandapower.to_json(net, str(path))
    with pytest.raises(ValueError, match=why):
        PowerFlow(read_network(path), [1])


@pytest.fixture(scope="module")
def check():
    return GridCheck(residential(), tuple(NODE_BUS))


def request(t, eca=0, epa=0, base=0):
    return Request(t, (base,) * 5, (eca,) * 5, (epa,) * 5)


def test_small_notes_pass_whole_and_large_ones_are_cut_to_the_last_safe_permille(check):
    small, imports, exports = check.decide([request(0, 3000, 3000), request(1, 60_000), request(2, 0, 60_000)])
    assert small.permille == 1000
    assert small.worst is None
    for cut, asked, sign in ((imports, 60_000, 1), (exports, 60_000, -1)):
        assert 0 < cut.permille < 1000
        assert cut.margin >= 0
        assert check.violations([[sign * asked * cut.permille // 1000] * 5]) == 0
        assert check.violations([[sign * asked * (cut.permille + 1) // 1000] * 5]) == 1
        assert cut.worst.element in cut.explanation
    assert lowest_capacities([imports, exports])[0].import_w == 0


def test_any_use_of_the_permitted_notes_is_safe(check):
    (cut,) = check.decide([request(0, 50_000, 50_000, 2000)])
    rng = np.random.default_rng(1)
    high = 2000 + cut.capacities[0].import_w
    low = 2000 - cut.capacities[0].export_w
    assert check.violations(rng.integers(low, high, (500, 5), endpoint=True)) == 0


def test_load_that_violates_a_limit_by_itself_leaves_no_notes_and_says_so(check):
    (cut,) = check.decide([request(7, 1000, 1000, 90_000)])
    assert cut.permille == 0
    assert cut.margin < 0
    assert "even without notes" in cut.explanation


def test_a_load_that_the_grid_cannot_carry_is_a_collapse_and_spoils_no_other_case(check):
    flows = check.run([[1000] * 5, [1e9] * 5])
    assert flows.u_pu[0].min() > 0.95
    assert flows.u_pu[1].max() == 0
    assert check.violations([[1000] * 5, [1e9] * 5]) == 1
    (cut,) = check.decide([request(0, 10**9)])
    assert 0 <= cut.permille < 1000


def test_a_wider_band_permits_more(check):
    wide = GridCheck(check.flow, check.feeders, Limits(0.9, 1.1, 2.0))
    assert wide.decide([request(0, 60_000)])[0].permille > check.decide([request(0, 60_000)])[0].permille

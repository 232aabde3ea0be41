"""CGMES profiles through pandapower's converter, beside the same network built in pandapower by hand."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("power_grid_model", reason="pip install 'petra[grid]'")
pytest.importorskip("pandapower", reason="pip install 'petra[networks]'")

import pandapower

from dso.grid.files import read_network
from dso.grid.flow import PowerFlow

sys.path.insert(0, str(Path(__file__).parent))
import cgmes

LOADS_KW = {"Middle": 60.0, "End": 40.0}


def oracle():
    """The network of :mod:`cgmes` with loads, in pandapower's own words."""
    net = pandapower.create_empty_network(f_hz=50.0)
    buses = {key: pandapower.create_bus(net, 0.4 if base == "b04" else 20.0, name=name)
             for key, (name, base, _) in cgmes.BUSES.items()}  # fmt: skip
    pandapower.create_ext_grid(net, buses["n20"], vm_pu=20.4 / 20)
    z_base = 20.0**2 / 0.4
    pandapower.create_transformer_from_parameters(
        net, buses["n20"], buses["n1"], 0.4, 20.0, 0.4, vkr_percent=100 * 12 / z_base,
        vk_percent=100 * np.hypot(12, 38) / z_base, pfe_kw=1.5e-6 * 20_000**2 / 1000,
        i0_percent=100 * np.hypot(1.5e-6, 1e-6) * z_base, shift_degree=150,
        tap_side="hv", tap_neutral=0, tap_pos=1, tap_min=-2, tap_max=2, tap_step_percent=2.5, tap_changer_type="Ratio",
    )  # fmt: skip
    for name, start, end, km, r_ohm, x_ohm, ampacity_a in cgmes.CABLES.values():
        c_nf = 1e-6 / (2 * np.pi * 50) * 1e9 / km
        pandapower.create_line_from_parameters(
            net, buses[start], buses[end], km, r_ohm / km, x_ohm / km, c_nf, ampacity_a / 1000, name=name
        )
    for key, (name, _, _) in cgmes.BUSES.items():
        if name in LOADS_KW:
            pandapower.create_load(net, buses[key], LOADS_KW[name] / 1000, 0.3 * LOADS_KW[name] / 1000)
    pandapower.runpp(net, init="dc", tolerance_mva=1e-10, calculate_voltage_angles=True, numba=False)
    return net


def written(folder, limits=True):
    for name, text in cgmes.profiles(limits).items():
        (folder / name).write_text(text)
    return folder


def test_cgmes_profiles_agree_with_the_same_network_in_pandapower_to_a_millionth(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    written(folder)
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    net, buses = oracle(), list(LOADS_KW)
    power_w = np.array([LOADS_KW[name] * 1000 for name in buses])
    for path in (folder, tmp_path / "net.zip"):
        network = read_network(path)
        flows = PowerFlow(network, [network.bus(name) for name in buses]).run(power_w, 0.3 * power_w)
        assert np.abs(flows.u_pu[0] - net.res_bus.vm_pu.to_numpy()).max() < 1e-6
        assert np.abs(flows.line[0] * 100 - net.res_line.loading_percent.to_numpy()).max() < 1e-3
        assert 0.5 < flows.line[0].max() < 1


def test_cables_without_ampacities_and_files_that_are_no_cgmes_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="line Cable 1 has no ampacity"):
        read_network(written(tmp_path, limits=False))
    (tmp_path / "bad.xml").write_text("<not-cgmes/>")
    with pytest.raises(ValueError, match=r"bad\.xml is no network"):
        read_network(tmp_path / "bad.xml")

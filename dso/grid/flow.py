"""AC power flow of many load cases at once, with power-grid-model (Newton-Raphson, balanced)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dso.grid.network import Network

Floats = npt.NDArray[np.float64]

STIFF_VA = 1e20
"""Short-circuit power of the grid above: with less, its impedance would shift every voltage."""

WYE_N, DELTA = 1, 2


@dataclass(frozen=True, slots=True)
class Flows:
    """Results by load case (rows) and element (columns)."""

    u_pu: Floats
    """Voltage of each bus, of its rated voltage."""
    line: Floats
    """Current of each line, of its ampacity."""
    transformer: Floats
    """Apparent power of each transformer, of its rated power."""


class PowerFlow:
    """A network prepared for batches. ``buses`` are those where power is drawn, in the order of the columns."""

    def __init__(
        self, network: Network, buses: Sequence[int], background: Sequence[tuple[int, float, float]] = ()
    ) -> None:
        """``background``: constant loads of others, as (bus, watts, var).

        Raises ``ImportError``, and ``ValueError`` for a network that contradicts itself.
        """
        try:
            from power_grid_model import PowerGridModel, initialize_array
        except ImportError as error:
            raise ImportError("the grid check needs power-grid-model; run: pip install 'petra[grid]'") from error
        self.network = network
        self.buses = tuple(buses)
        self._array = initialize_array
        data = _model(network, initialize_array)
        load = initialize_array("input", "sym_load", len(self.buses) + len(background))
        self._load_ids = np.arange(len(self.buses)) + _ids(network)
        load["id"], load["status"], load["type"] = np.arange(len(load)) + _ids(network), 1, 0
        load["node"] = [*self.buses, *(bus for bus, _, _ in background)]
        load["p_specified"] = [*(0.0 for _ in buses), *(power_w for _, power_w, _ in background)]
        load["q_specified"] = [*(0.0 for _ in buses), *(reactive for _, _, reactive in background)]
        try:
            self._model: Any = PowerGridModel({**data, "sym_load": load})
        except RuntimeError as error:  # the base of power-grid-model's errors
            why = str(error).partition("\n\n")[0].replace("\n", ",")
            raise ValueError(f"network {network.name} cannot be solved: {why}") from error

    def run(self, power_w: npt.ArrayLike, reactive_var: npt.ArrayLike | None = None) -> Flows:
        """Flows for the cases ``power_w[case, bus]`` (positive = drawn from the grid), and ``reactive_var`` likewise.

        A case without a solution is a collapse of the voltage: 0 p.u. at every bus. Raises ``ValueError`` for another
        shape.
        """
        p = np.atleast_2d(np.asarray(power_w, dtype=np.float64))
        if p.shape[1] != len(self.buses):
            raise ValueError(f"a case has {p.shape[1]} powers; give one for each of the {len(self.buses)} buses")
        q = np.zeros_like(p) if reactive_var is None else np.atleast_2d(np.asarray(reactive_var, dtype=np.float64))
        update = self._array("update", "sym_load", p.shape)
        update["id"], update["p_specified"], update["q_specified"] = self._load_ids, p, q
        result = self._model.calculate_power_flow(
            update_data={"sym_load": update},
            output_component_types={"node": ["u_pu"], "line": ["loading"], "transformer": ["loading"]},
            threading=0,
            continue_on_batch_error=True,
        )
        failed = [] if self._model.batch_error is None else self._model.batch_error.failed_scenarios
        for table in result.values():
            for column in table.values():
                column[failed] = 0.0
        empty = np.zeros((len(p), 0))
        line, transformer = result.get("line"), result.get("transformer")
        return Flows(
            result["node"]["u_pu"],
            empty if line is None else line["loading"],
            empty if transformer is None else transformer["loading"],
        )


def _ids(network: Network) -> int:
    parts = network.buses, network.lines, network.transformers, network.sources, network.links
    return sum(len(part) for part in parts)


def _model(network: Network, array: Callable[..., Any]) -> dict[str, Any]:
    """The network's tables; ids count up over all of them, buses first."""
    next_id = len(network.buses)
    node = array("input", "node", next_id)
    node["id"], node["u_rated"] = np.arange(next_id), [bus.rated_v for bus in network.buses]
    data = {"node": node}
    if network.lines:
        line = array("input", "line", len(network.lines))
        for row, item in zip(line, network.lines, strict=True):
            row["from_node"], row["to_node"] = item.from_bus, item.to_bus
            row["from_status"], row["to_status"] = item.from_closed, item.to_closed
            row["r1"], row["x1"], row["c1"], row["tan1"], row["i_n"] = (
                item.r_ohm,
                item.x_ohm,
                item.c_f,
                0.0,
                item.ampacity_a,
            )
        data["line"] = line
    if network.transformers:
        transformer = array("input", "transformer", len(network.transformers))
        for row, trafo in zip(transformer, network.transformers, strict=True):
            row["from_node"], row["to_node"], row["from_status"], row["to_status"] = trafo.hv_bus, trafo.lv_bus, 1, 1
            row["u1"], row["u2"], row["sn"] = trafo.hv_v, trafo.lv_v, trafo.rated_va
            row["uk"], row["pk"], row["i0"], row["p0"] = trafo.uk, trafo.copper_loss_w, trafo.i0, trafo.iron_loss_w
            row["winding_from"], row["winding_to"] = DELTA if trafo.clock % 2 else WYE_N, WYE_N
            row["clock"], row["tap_side"] = trafo.clock, 0
            row["tap_pos"] = row["tap_min"] = row["tap_max"] = row["tap_nom"] = 0
            row["tap_size"] = 0.0
        data["transformer"] = transformer
    source = array("input", "source", len(network.sources))
    for row, infinite in zip(source, network.sources, strict=True):
        row["node"], row["status"], row["u_ref"], row["sk"] = infinite.bus, 1, infinite.u_pu, STIFF_VA
    data["source"] = source
    if network.links:
        link = array("input", "link", len(network.links))
        link["from_node"], link["to_node"] = zip(*network.links, strict=True)
        link["from_status"] = link["to_status"] = 1
        data["link"] = link
    for name, table in data.items():
        if name != "node":
            table["id"] = np.arange(len(table)) + next_id
            next_id += len(table)
    return data

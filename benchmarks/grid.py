"""Power flows of the CIGRE low-voltage network in a batch, beside pandapower one by one."""

import numpy as np

from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from dso.grid.cigre import NODE_BUS, residential

REFERENCE_FLOWS = 5
"""Flows of pandapower that are timed; one takes milliseconds."""


def rows(sizes: Sizes) -> list[Row]:
    """A year of quarter-hours on the built-in network."""
    import pandapower
    from pandapower import networks

    flow = residential()
    power_w = np.random.default_rng(1).uniform(0, 10_000, (sizes.power_flows, len(NODE_BUS)))
    net = networks.create_cigre_network_lv()

    def one_by_one() -> None:
        for _ in range(REFERENCE_FLOWS):
            pandapower.runpp(net, init="flat", numba=False)

    batch_s, single_s = medians_s(sizes.runs, again(flow.run, power_w), again(one_by_one))
    reference = Reference("pandapower runpp, no numba", REFERENCE_FLOWS / single_s)
    return [
        Row(f"{sizes.power_flows} power flows, CIGRE LV", sizes.power_flows / batch_s, "flows/s", sizes.runs, reference)
    ]

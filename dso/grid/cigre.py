"""The European low-voltage benchmark network of CIGRE, residential, industrial and commercial feeders (44 buses).

Source: CIGRE Task Force C6.04.02, Technical Brochure 575 (2014), "Benchmark Systems for Network Integration of
Renewable and Distributed Energy Resources". The brochure states no ampacities; those here are of standard conductors
with about the same resistance (cables in earth: DIN VDE 0276-603; overhead lines: DIN EN 50182), an assumption.
"""

from collections.abc import Sequence

from dso.grid.flow import PowerFlow
from dso.grid.network import Bus, Line, Network, Source, Transformer

CONDUCTORS = {  # ohm/km, ohm/km, A
    "UG1": (0.162, 0.0832, 308.0),
    "UG2": (0.2647, 0.0823, 242.0),
    "UG3": (0.822, 0.0847, 123.0),
    "OH1": (0.4917, 0.2847, 210.0),
    "OH2": (1.3207, 0.321, 140.0),
    "OH3": (2.0167, 0.3343, 105.0),
}
"""Resistance, reactance and ampacity of each kind of conductor."""

_LINES = (
    *[("UG1", f"R{i}", f"R{i + 1}", 35) for i in range(1, 10)],
    ("UG3", "R3", "R11", 30), ("UG3", "R4", "R12", 35), ("UG3", "R12", "R13", 35), ("UG3", "R13", "R14", 35),
    ("UG3", "R14", "R15", 30), ("UG3", "R6", "R16", 30), ("UG3", "R9", "R17", 30), ("UG3", "R10", "R18", 30),
    ("UG2", "I1", "I2", 200),
    *[("OH1", f"C{i}", f"C{i + 1}", 30) for i in range(1, 9)],
    ("OH2", "C3", "C10", 30), ("OH2", "C10", "C11", 30), ("OH3", "C11", "C12", 30), ("OH3", "C11", "C13", 30),
    ("OH3", "C10", "C14", 30), ("OH2", "C5", "C15", 30), ("OH2", "C15", "C16", 30), ("OH3", "C15", "C17", 30),
    ("OH3", "C16", "C18", 30), ("OH3", "C8", "C19", 30), ("OH3", "C9", "C20", 30),
)  # fmt: skip

_TRANSFORMERS = (
    ("R0", "R1", 500e3, 0.04123105625617661, 5000.0),
    ("I0", "I1", 150e3, 0.04126895791, 1504.6875),
    ("C0", "C1", 300e3, 0.04115529072, 2981.25),
)
"""High-voltage bus, low-voltage bus, rated VA, short-circuit voltage, copper loss in W."""

NODE_BUS = {3: "Bus R11", 5: "Bus R15", 6: "Bus R16", 7: "Bus R17", 8: "Bus R18"}
"""Where the community's nodes are on the residential feeder: in feeder order, an assumption."""


def cigre_lv() -> Network:
    """The benchmark network."""
    names = ("0", *(f"R{i}" for i in range(19)), *(f"I{i}" for i in range(3)), *(f"C{i}" for i in range(21)))
    place = {name: i for i, name in enumerate(names)}
    medium = {"0", "R0", "I0", "C0"}
    lines = []
    for kind, start, end, metres in _LINES:
        r_ohm, x_ohm, ampacity_a = CONDUCTORS[kind]
        km = metres / 1000
        lines.append(Line(f"Line {start}-{end}", place[start], place[end], r_ohm * km, x_ohm * km, 0.0, ampacity_a))
    return Network(
        name="CIGRE low voltage",
        buses=tuple(Bus(f"Bus {name}", 20e3 if name in medium else 400.0) for name in names),
        lines=tuple(lines),
        transformers=tuple(
            Transformer(f"Trafo {hv}-{lv}", place[hv], place[lv], va, 20e3, 400.0, uk, loss_w, 0.0, 0.0, 1)
            for hv, lv, va, uk, loss_w in _TRANSFORMERS
        ),
        sources=(Source(place["0"], 1.0),),
        links=tuple((place["0"], place[name]) for name in ("R0", "I0", "C0")),
    )


BACKGROUND_W = ("Bus R1", 190_000.0, 62_450.0)
"""The benchmark's other load on the residential transformer: bus, watts, var (200 kVA at a power factor of 0.95)."""


def residential(feeders: Sequence[int] = tuple(NODE_BUS)) -> PowerFlow:
    """The residential network with its background load, prepared for the community's nodes as feeders."""
    network = cigre_lv()
    bus, power_w, reactive_var = BACKGROUND_W
    homes = [network.bus(NODE_BUS[feeder]) for feeder in feeders]
    return PowerFlow(network, homes, [(network.bus(bus), power_w, reactive_var)])

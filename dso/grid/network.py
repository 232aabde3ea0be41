"""A low-voltage network as the power flow needs it: balanced, in SI units."""

from dataclasses import asdict, dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class Bus:
    """A node of the network."""

    name: str
    rated_v: float
    """Line-to-line voltage that 1 p.u. stands for."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line or cable between two buses."""

    name: str
    from_bus: int
    """Place of the bus in :attr:`Network.buses`."""
    to_bus: int
    r_ohm: float
    x_ohm: float
    c_f: float
    """Shunt capacitance of the whole line, farad."""
    ampacity_a: float
    """Largest permitted continuous current."""
    from_closed: bool = True
    to_closed: bool = True


@dataclass(frozen=True, slots=True)
class Transformer:
    """A two-winding transformer."""

    name: str
    hv_bus: int
    lv_bus: int
    rated_va: float
    hv_v: float
    lv_v: float
    uk: float
    """Relative short-circuit voltage."""
    copper_loss_w: float
    i0: float
    """Relative no-load current."""
    iron_loss_w: float
    clock: int
    """Vector group: phase shift in steps of 30 degrees."""


@dataclass(frozen=True, slots=True)
class Source:
    """The grid above: an infinite bus."""

    bus: int
    u_pu: float


@dataclass(frozen=True, slots=True)
class Network:
    """A whole network. Raises ``ValueError`` if it has no source, or a part has values that no such part has."""

    name: str
    buses: tuple[Bus, ...]
    lines: tuple[Line, ...]
    transformers: tuple[Transformer, ...]
    sources: tuple[Source, ...]
    links: tuple[tuple[int, int], ...] = ()
    """Pairs of buses joined by a closed switch."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError(f"network {self.name} has no connection to the grid above; add an external grid")
        for line in self.lines:
            if not line.ampacity_a > 0:
                raise ValueError(f"line {line.name} has no ampacity; give the largest current that it may carry")
            if line.r_ohm == line.x_ohm == 0:
                raise ValueError(f"line {line.name} has no impedance; join its buses with a closed switch instead")
        for bus in self.buses:
            if bus.rated_v <= 0:
                raise ValueError(f"{bus.name} has no rated voltage; give one")
        for transformer in self.transformers:
            if transformer.rated_va <= 0:
                raise ValueError(f"transformer {transformer.name} has no rated power; give one")
        parts: tuple[Bus | Line | Transformer | Source, ...]
        parts = (*self.buses, *self.lines, *self.transformers, *self.sources)
        for part in parts:
            for name, value in asdict(part).items():
                if isinstance(value, float) and not isfinite(value):
                    raise ValueError(f"network {self.name} has {name} {value} in {part}; give finite numbers")

    def bus(self, name: str) -> int:
        """Place of the bus called ``name``; raises ``ValueError`` if there is none, or more than one."""
        found = [i for i, bus in enumerate(self.buses) if bus.name == name]
        if len(found) != 1:
            raise ValueError(f"network {self.name} has {len(found)} buses called {name!r}; it needs exactly one")
        return found[0]

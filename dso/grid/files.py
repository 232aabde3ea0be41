"""Networks from files: pandapower JSON and CGMES, read with pandapower."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dso.grid.network import Bus, Line, Network, Source, Transformer

if TYPE_CHECKING:
    from pandapower import pandapowerNet
    from pandas import DataFrame

UNSUPPORTED = (
    "trafo3w",
    "impedance",
    "xward",
    "ward",
    "dcline",
    "gen",
    "shunt",
    "svc",
    "tcsc",
    "ssc",
    "b2b_vsc",
    "vsc",
)
"""Tables of pandapower that this check cannot model: better refused than ignored."""


MODEL_HZ = 50.0
"""Frequency of the power flow; capacitances of networks with another one are scaled to it."""


def read_network(path: Path) -> Network:
    """The network in ``path``: pandapower JSON, or CGMES 2.4.15 profiles in one ``.zip`` or one folder of ``.xml``.

    Raises ``ValueError`` that says what is wrong, ``ImportError`` that says what to install.
    """
    try:
        import lxml  # noqa: F401 - pandapower's CGMES converter needs it
        import pandapower
    except ImportError as error:
        raise ImportError(f"reading network files needs {error.name}; run: pip install 'petra[networks]'") from error
    profiles = sorted(path.glob("*.xml")) if path.is_dir() else [path]
    if not profiles or not path.exists():
        raise ValueError(f"there is no network in {path}; give pandapower JSON, or a .zip or folder of CGMES profiles")
    try:
        net = _cgmes(profiles) if path.suffix != ".json" else pandapower.from_json(str(path))
        if not isinstance(net, pandapower.pandapowerNet):
            raise ValueError("it holds no pandapower network")
    except ImportError:
        raise
    except Exception as error:  # the readers raise whatever their parsers do
        hint = "" if path.suffix == ".json" else " (CGMES is read from EQ, SSH and TP together: one .zip or one folder)"
        raise ValueError(f"{path.name} is no network that can be read: {error}{hint}") from error
    try:
        return from_pandapower(net, path.stem)
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        why = f"{path.name} is a network that cannot be read: {error!r}; write it anew with pandapower 3"
        raise ValueError(why) from error


def _cgmes(profiles: list[Path]) -> "pandapowerNet":
    """What pandapower's converter makes of CGMES files."""
    from pandapower.converter.cim.cim2pp.from_cim import from_cim

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the converter's own use of pandas
        return from_cim(file_list=[str(profile) for profile in profiles], ignore_errors=False)


def from_pandapower(net: "pandapowerNet", name: str) -> Network:
    """The pandapower network ``net`` without its loads. Raises ``ValueError`` for parts that cannot be modelled."""
    for table in UNSUPPORTED:
        if table in net and len(net[table]) and net[table].in_service.any():
            raise ValueError(f"network {name} has elements of kind {table!r}, which the grid check does not model")
    place = {bus: i for i, bus in enumerate(net.bus.index)}
    if not net.bus.in_service.all():
        raise ValueError(f"network {name} has buses out of service; remove them with pandapower.drop_inactive_elements")
    opened, links = set(), []
    for s in net.switch.itertuples():
        if s.et == "b" and s.closed:
            links.append((place[s.bus], place[s.element]))
        elif s.et == "l" and not s.closed:
            opened.add((s.element, s.bus))
        elif s.et not in ("b", "l") and not s.closed:
            raise ValueError(f"network {name} has an open switch at a transformer; remove the transformer")
    return Network(
        name=name,
        buses=tuple(Bus(_name(row, "Bus"), float(row["vn_kv"]) * 1e3) for row in _in_service(net.bus)),
        lines=tuple(_line(row, place, opened, float(net.f_hz)) for row in _in_service(net.line)),
        transformers=tuple(_transformer(row, place) for row in _in_service(net.trafo)),
        sources=tuple(Source(place[row["bus"]], float(row["vm_pu"])) for row in _in_service(net.ext_grid)),
        links=tuple(links),
    )


def _in_service(table: "DataFrame") -> list[dict[str, Any]]:
    rows: list[dict[Any, Any]] = table[table.in_service].reset_index(names="index").to_dict("records")
    return rows


def _name(row: dict[str, Any], kind: str) -> str:
    return str(row["name"]) if isinstance(row["name"], str) and row["name"] else f"{kind} {row['index']}"


def _line(row: dict[str, Any], place: dict[int, int], opened: set[tuple[int, int]], f_hz: float) -> Line:
    km, parallel = float(row["length_km"]), int(row["parallel"])
    if row.get("g_us_per_km", 0) > 0:  # not a number: not given
        raise ValueError(f"line {_name(row, 'Line')} has a shunt conductance, which the grid check does not model")
    return Line(
        _name(row, "Line"),
        place[row["from_bus"]],
        place[row["to_bus"]],
        float(row["r_ohm_per_km"]) * km / parallel,
        float(row["x_ohm_per_km"]) * km / parallel,
        _or_zero(row["c_nf_per_km"]) * 1e-9 * km * parallel * (f_hz / MODEL_HZ),
        float(row["max_i_ka"]) * 1e3 * parallel * float(row["df"]),
        (row["index"], row["from_bus"]) not in opened,
        (row["index"], row["to_bus"]) not in opened,
    )


def _or_zero(value: float) -> float:
    return 0.0 if value != value else float(value)  # not a number: not given


def _transformer(row: dict[str, Any], place: dict[int, int]) -> Transformer:
    name, parallel = _name(row, "Transformer"), int(row["parallel"])
    clock, rest = divmod(float(row["shift_degree"]), 30.0)
    if rest:
        raise ValueError(
            f"transformer {name} shifts by {row['shift_degree']} degrees; only multiples of 30 are modelled"
        )
    ratio = {"hv": 1.0, "lv": 1.0}
    kind = row.get("tap_changer_type")
    if isinstance(kind, str) and row.get("tap_side") in ratio and row["tap_pos"] != row["tap_neutral"]:
        if kind != "Ratio" or row.get("tap_step_degree", 0) > 0:
            raise ValueError(f"transformer {name} has a tap changer of type {kind!r}; only 'Ratio' is modelled")
        steps = float(row["tap_pos"]) - float(row["tap_neutral"])
        ratio[row["tap_side"]] += steps * float(row["tap_step_percent"]) / 100
    if isinstance(row.get("tap2_side"), str) and row["tap2_pos"] != row["tap2_neutral"]:
        raise ValueError(f"transformer {name} has two tap changers off their neutral positions; only one is modelled")
    if row.get("tap_dependency_table") is True:
        raise ValueError(f"transformer {name} has impedances that depend on the tap, which are not modelled")
    va = float(row["sn_mva"]) * 1e6 * parallel
    return Transformer(
        name,
        place[row["hv_bus"]],
        place[row["lv_bus"]],
        va,
        float(row["vn_hv_kv"]) * 1e3 * ratio["hv"],
        float(row["vn_lv_kv"]) * 1e3 * ratio["lv"],
        float(row["vk_percent"]) / 100,
        float(row["vkr_percent"]) / 100 * va,
        float(row["i0_percent"]) / 100,
        float(row["pfe_kw"]) * 1e3 * parallel,
        int(clock) % 12,
    )

"""A small low-voltage network as CGMES 2.4.15 profiles, made for the tests: a transformer with a tap, two cables."""

from xml.sax.saxutils import quoteattr

CIM = "http://iec.ch/TC57/2013/CIM-schema-cim16#"
HEADER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    f'xmlns:cim="{CIM}" xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#">\n'
)


def profile(uri, elements):
    """A profile's XML. ``elements``: (class, id, {field: value}); a value that starts with # is a reference."""
    lines = [
        HEADER,
        f'<md:FullModel rdf:about="urn:uuid:{uri}"><md:Model.profile>http://entsoe.eu/CIM/{uri}</md:Model.profile>'
        "</md:FullModel>",
    ]
    for kind, identity, fields in elements:
        about = f"rdf:ID={quoteattr(identity)}" if "Equipment" in uri else f"rdf:about={quoteattr('#' + identity)}"
        if uri.startswith("Topology") and kind == "TopologicalNode":
            about = f"rdf:ID={quoteattr(identity)}"
        lines.append(f"<cim:{kind} {about}>")
        for name, value in fields.items():
            text = str(value)
            target = text if text.startswith("#") else CIM + text[1:] if text.startswith("@") else None
            body = f">{text}</cim:{name}>" if target is None else f" rdf:resource={quoteattr(target)}/>"
            lines.append(f"<cim:{name}{body}")
        lines.append(f"</cim:{kind}>")
    return "\n".join([*lines, "</rdf:RDF>"]) + "\n"


BUSES = {"n20": ("Grid", "b20", 20.0), "n1": ("Station", "b04", 0.4), "n2": ("Middle", "b04", 0.4),
         "n3": ("End", "b04", 0.4)}  # fmt: skip
CABLES = {
    "l1": ("Cable 1", "n1", "n2", 0.1, 0.02, 0.008, 250.0),
    "l2": ("Cable 2", "n2", "n3", 0.15, 0.06, 0.012, 180.0),
}
"""Name, buses, km, ohm, ohm, A."""


def profiles(limits=True):
    """EQ, SSH and TP by file name; without ``limits`` the cables have no ampacities."""
    eq = [(("BaseVoltage"), b, {"IdentifiedObject.name": b, "BaseVoltage.nominalVoltage": u})
          for b, u in (("b20", 20.0), ("b04", 0.4))]  # fmt: skip
    ssh, tp, terminals = [], [], {}

    def terminal(identity, equipment, bus, number):
        eq.append(
            (
                "Terminal",
                identity,
                {"Terminal.ConductingEquipment": "#" + equipment, "ACDCTerminal.sequenceNumber": number},
            )
        )
        ssh.append(("Terminal", identity, {"ACDCTerminal.connected": "true"}))
        terminals[identity] = bus

    eq.append(
        (
            "ExternalNetworkInjection",
            "grid",
            {"IdentifiedObject.name": "Grid above", "RegulatingCondEq.RegulatingControl": "#control"},
        )
    )
    eq.append(
        (
            "RegulatingControl",
            "control",
            {"RegulatingControl.mode": "@xRegulatingControlModeKind.voltage", "RegulatingControl.Terminal": "#tgrid"},
        )
    )
    ssh += [
        ("RegulatingControl", "control", {"RegulatingControl.enabled": "true", "RegulatingControl.targetValue": 20.4,
                                          "RegulatingControl.discrete": "false"}),
        ("ExternalNetworkInjection", "grid", {"ExternalNetworkInjection.p": 0, "ExternalNetworkInjection.q": 0,
                                              "ExternalNetworkInjection.referencePriority": 1,
                                              "RegulatingCondEq.controlEnabled": "true"}),
        ("RatioTapChanger", "tap", {"TapChanger.step": 1, "TapChanger.controlEnabled": "false"}),
    ]  # fmt: skip
    terminal("tgrid", "grid", "n20", 1)
    eq.append(("PowerTransformer", "trafo", {"IdentifiedObject.name": "Transformer"}))
    for number, bus, volts, r_ohm, x_ohm, clock in ((1, "n20", 20.0, 12.0, 38.0, 0), (2, "n1", 0.4, 0.0, 0.0, 5)):
        terminal(f"ttrafo{number}", "trafo", bus, number)
        eq.append(
            (
                "PowerTransformerEnd",
                f"end{number}",
                {
                    "TransformerEnd.endNumber": number,
                    "TransformerEnd.Terminal": f"#ttrafo{number}",
                    "PowerTransformerEnd.PowerTransformer": "#trafo",
                    "PowerTransformerEnd.ratedS": 0.4,
                    "PowerTransformerEnd.ratedU": volts,
                    "PowerTransformerEnd.r": r_ohm,
                    "PowerTransformerEnd.x": x_ohm,
                    "PowerTransformerEnd.b": -1e-6 if number == 1 else 0,
                    "PowerTransformerEnd.g": 1.5e-6 if number == 1 else 0,
                    "PowerTransformerEnd.phaseAngleClock": clock,
                },
            )
        )
    eq.append(("RatioTapChanger", "tap", {"RatioTapChanger.TransformerEnd": "#end1", "TapChanger.neutralStep": 0,
                                          "TapChanger.lowStep": -2, "TapChanger.highStep": 2,
                                          "RatioTapChanger.stepVoltageIncrement": 2.5}))  # fmt: skip
    eq.append(
        (
            "OperationalLimitType",
            "patl",
            {"IdentifiedObject.name": "PATL", "OperationalLimitType.limitType": "@xLimitTypeKind.patl"},
        )
    )
    for identity, (name, start, end, km, r_ohm, x_ohm, ampacity_a) in CABLES.items():
        eq.append(
            (
                "ACLineSegment",
                identity,
                {"IdentifiedObject.name": name, "Conductor.length": km, "ACLineSegment.r": r_ohm,
                 "ACLineSegment.x": x_ohm, "ACLineSegment.bch": 1e-6, "ACLineSegment.gch": 0},
            )
        )  # fmt: skip
        terminal(f"t{identity}a", identity, start, 1)
        terminal(f"t{identity}b", identity, end, 2)
        if limits:
            eq.append(
                ("OperationalLimitSet", f"s{identity}", {"OperationalLimitSet.Terminal": f"#t{identity}a"}),
            )
            eq.append(
                (
                    "CurrentLimit",
                    f"c{identity}",
                    {
                        "OperationalLimit.OperationalLimitSet": f"#s{identity}",
                        "OperationalLimit.OperationalLimitType": "#patl",
                        "CurrentLimit.value": ampacity_a,
                    },
                )
            )
    for bus, (name, base, _) in BUSES.items():
        tp.append(("TopologicalNode", bus, {"IdentifiedObject.name": name, "TopologicalNode.BaseVoltage": "#" + base}))
    tp += [("Terminal", t, {"Terminal.TopologicalNode": "#" + bus}) for t, bus in terminals.items()]
    return {
        "net_EQ.xml": profile("EquipmentCore/3/1", eq),
        "net_SSH.xml": profile("SteadyStateHypothesis/1/1", ssh),
        "net_TP.xml": profile("Topology/4/1", tp),
    }

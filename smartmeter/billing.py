"""Billing one interval of one home: pure functions over whole numbers.

Source: PETra paper, section "Smart-Meter Based Billing"; docs/billing.md says where this departs from it and why.

    matched = min(net_epa, -net_eca)             net = deposited - withdrawn                         [Wh]
    E       = measured net consumption - matched                                                     [Wh]
    B       = FA withdrawn - FA deposited + E * (price_consumption if E >= 0 else price_production)  [nano]
"""

from dataclasses import dataclass, fields

from assets.codec import canonical, parse
from assets.errors import EncodingError
from smartmeter.flags import ALL_FLAGS, Flag, Quality


class BillMismatch(ValueError):
    """A billing record whose matched energy, residual or bill does not follow from its other fields."""

    def __init__(self, meter: int, t: int, field: str, recorded: int, computed: int) -> None:
        self.meter, self.t, self.field, self.recorded, self.computed = meter, t, field, recorded, computed
        super().__init__(f"meter {meter}, interval {t}: {field} is {recorded}, but the other fields give {computed}")


@dataclass(frozen=True, slots=True)
class BillingRecord:
    """The bill of one meter for one interval with all that it was computed from. Energy in Wh, money in nano-units.

    Construction checks nothing: a wrong record must be representable to be refused by :func:`recompute`.
    Make records with :func:`bill_interval`.
    """

    meter: int
    t: int
    """The interval."""
    measured_wh: int
    """Measured net consumption: consumption minus production (signed)."""
    epa_withdrawn_wh: int
    epa_deposited_wh: int
    eca_withdrawn_wh: int
    eca_deposited_wh: int
    fa_withdrawn_nano: int
    fa_deposited_nano: int
    consumption_nano_per_wh: int
    """Price at which the DSO sells."""
    production_nano_per_wh: int
    """Price at which the DSO buys."""
    matched_wh: int
    """Energy credited as traded: positive if bought, negative if sold."""
    residual_wh: int
    """E: what is left for the DSO to sell (positive) or buy (negative)."""
    bill_nano: int
    """B: what the prosumer owes; negative if the DSO owes the prosumer."""
    quality: int = Quality.MEASURED
    """How sure ``measured_wh`` is: a :class:`~smartmeter.flags.Quality`."""
    flags: int = 0
    """What happened: the sum of :class:`~smartmeter.flags.Flag`."""

    @property
    def energy_nano(self) -> int:
        """The bill without FA: E times its price (signed)."""
        return energy_nano(self.residual_wh, self.consumption_nano_per_wh, self.production_nano_per_wh)


def matched_wh(*, epa_withdrawn_wh: int, epa_deposited_wh: int, eca_withdrawn_wh: int, eca_deposited_wh: int) -> int:
    """Energy that the home traded: what it bought and gave up the permits for, or (negative) what it sold.

    Energy that came in without an equal surrender of ECA is not credited, and sold energy is always charged, so over
    all homes the sum never exceeds Σ (EPA deposited - withdrawn) <= 0. That bounds what the DSO can lose by 0.
    """
    net_epa_wh = epa_deposited_wh - epa_withdrawn_wh
    net_eca_wh = eca_deposited_wh - eca_withdrawn_wh
    return min(net_epa_wh, -net_eca_wh)


def keeps_eca(*, epa_withdrawn_wh: int, epa_deposited_wh: int, eca_withdrawn_wh: int, eca_deposited_wh: int) -> bool:
    """Whether the ECA rule is broken: more EPA came in than permits to consume (ECA) were given up for it."""
    return epa_deposited_wh - epa_withdrawn_wh > eca_withdrawn_wh - eca_deposited_wh


def paper_residual_wh(*, measured_wh: int, epa_withdrawn_wh: int, epa_deposited_wh: int) -> int:
    """E as the paper has it. Equal to ours for whoever deposits its ECA as the paper demands; never above ours."""
    return measured_wh - epa_deposited_wh + epa_withdrawn_wh


def energy_nano(residual_wh: int, consumption_nano_per_wh: int, production_nano_per_wh: int) -> int:
    """Price of a residual: positive if the prosumer buys, negative if it sells to the DSO.

    The paper prints ``-E * price_production`` for E < 0, with which an exporter would pay; the sign here is the right
    one.
    """
    return residual_wh * (consumption_nano_per_wh if residual_wh >= 0 else production_nano_per_wh)


def bill_interval(
    *,
    meter: int,
    t: int,
    measured_wh: int,
    epa_withdrawn_wh: int = 0,
    epa_deposited_wh: int = 0,
    eca_withdrawn_wh: int = 0,
    eca_deposited_wh: int = 0,
    fa_withdrawn_nano: int = 0,
    fa_deposited_nano: int = 0,
    consumption_nano_per_wh: int,
    production_nano_per_wh: int,
    quality: int = Quality.MEASURED,
    flags: int = 0,
) -> BillingRecord:
    """The bill of one meter for one interval. It has the flag ``ECA_KEPT`` if and only if the ECA rule was broken."""
    kept = keeps_eca(
        epa_withdrawn_wh=epa_withdrawn_wh,
        epa_deposited_wh=epa_deposited_wh,
        eca_withdrawn_wh=eca_withdrawn_wh,
        eca_deposited_wh=eca_deposited_wh,
    )
    matched = matched_wh(
        epa_withdrawn_wh=epa_withdrawn_wh,
        epa_deposited_wh=epa_deposited_wh,
        eca_withdrawn_wh=eca_withdrawn_wh,
        eca_deposited_wh=eca_deposited_wh,
    )
    residual_wh = measured_wh - matched
    price_nano = energy_nano(residual_wh, consumption_nano_per_wh, production_nano_per_wh)
    return BillingRecord(
        meter=meter,
        t=t,
        measured_wh=measured_wh,
        epa_withdrawn_wh=epa_withdrawn_wh,
        epa_deposited_wh=epa_deposited_wh,
        eca_withdrawn_wh=eca_withdrawn_wh,
        eca_deposited_wh=eca_deposited_wh,
        fa_withdrawn_nano=fa_withdrawn_nano,
        fa_deposited_nano=fa_deposited_nano,
        consumption_nano_per_wh=consumption_nano_per_wh,
        production_nano_per_wh=production_nano_per_wh,
        matched_wh=matched,
        residual_wh=residual_wh,
        bill_nano=fa_withdrawn_nano - fa_deposited_nano + price_nano,
        quality=int(quality),
        flags=int(flags | Flag.ECA_KEPT if kept else flags & ~Flag.ECA_KEPT),
    )


def recompute(record: BillingRecord) -> None:
    """Raise :class:`BillMismatch` for the first of matched, E, B and the flag of the ECA rule that does not follow."""
    inputs = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in _DERIVED}
    right = bill_interval(**inputs, flags=record.flags)
    for name in _DERIVED:
        if getattr(record, name) != getattr(right, name):
            raise BillMismatch(record.meter, record.t, name, getattr(record, name), getattr(right, name))


_DERIVED = ("matched_wh", "residual_wh", "bill_nano", "flags")
_SIGNED = ("measured_wh", "matched_wh", "residual_wh", "bill_nano")


# --- The record as the auditor reads it ------------------------------------------------------------------


MAX_LINE = 4096
"""Most characters of a record's line: room for any bill, too few to nest so deep that a JSON parser overflows."""


def to_json(record: BillingRecord) -> str:
    """The record as one line of ``billing.jsonl``: its fields as an object in the ledger's canonical JSON."""
    return canonical({f.name: getattr(record, f.name) for f in fields(record)}).decode()


def from_json(line: str) -> BillingRecord:
    """The record of a line written by :func:`to_json`.

    Raises :class:`~assets.errors.EncodingError` for anything else: a missing, unknown or repeated field, a value that
    is not an integer or has the wrong sign, or another spelling of the same record. It does not recompute the bill.
    """
    if len(line) > MAX_LINE:
        raise EncodingError(f"a billing record has at most {MAX_LINE} characters")
    values = parse(line.encode(errors="surrogatepass"))
    names = [f.name for f in fields(BillingRecord)]
    if not isinstance(values, dict) or set(values) != set(names):
        raise EncodingError(f"a billing record is an object with exactly the fields {', '.join(names)}")
    for name, value in values.items():
        if type(value) is not int:
            raise EncodingError(f"{name} of a billing record is an integer")
        if value < 0 and name not in _SIGNED:
            raise EncodingError(f"{name} of a billing record is not negative")
    if values["quality"] > max(Quality) or values["flags"] > ALL_FLAGS:
        raise EncodingError("quality of a billing record is 0, 1 or 2, and flags is a sum of known flags")
    return BillingRecord(**values)

"""Everything the ledger may refuse, as one exception class per reason.

A :class:`Refusal` says that a transaction breaks a rule; the ledger's state is then unchanged. Each class has the
name and the arguments of the custom error in ``contracts/src/IPetraLedger.sol``, so that the specification and the
contract can be compared verdict by verdict. Its docstring is what a user reads, completed by the arguments.
"""

from typing import ClassVar


class FractionalEnergy(ValueError):
    """A power whose energy per interval is not a whole number of watt-hours."""

    def __init__(self, power_w: int, interval_s: int) -> None:
        self.power_w, self.interval_s = power_w, interval_s
        super().__init__(
            f"{power_w} W over {interval_s} s is not a whole number of Wh; "
            f"choose a power that is a multiple of {_smallest_power(interval_s)} W"
        )


def _smallest_power(interval_s: int) -> int:
    from math import gcd

    return 3600 // gcd(3600, interval_s)


class EncodingError(ValueError):
    """Bytes or JSON that are not the one canonical encoding of a value."""


class LogTampered(ValueError):
    """A line of a hash-chained log that is not as it was written.

    ``line_number`` counts from 1; everything before that line is unchanged.
    """

    def __init__(self, line_number: int, reason: str) -> None:
        super().__init__(line_number, reason)
        self.line_number, self.reason = line_number, reason

    def __str__(self) -> str:
        return f"line {self.line_number} was changed: {self.reason}; fetch the log again from its publisher"


class Refusal(Exception):
    """The ledger refuses a transaction; nothing has changed.

    ``args`` are the values of the rule that was broken, in the order of the contract's custom error.
    """

    advice: ClassVar[str] = ""

    def __str__(self) -> str:
        values = ", ".join(_show(a) for a in self.args)
        text = f"{type(self).__name__}({values})"
        return f"{text}: {self.advice}" if self.advice else text

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Refusal) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


class EmptyTransaction(Refusal):
    """``()``: no outputs, or a transfer without inputs."""

    advice = "name at least one input and one output"


class TooManyNotes(Refusal):
    """``(count, limit)``: more inputs or outputs than one transaction may carry."""

    advice = "split the transaction"


class TooManyFills(Refusal):
    """``(count, limit)``: more fills than one settlement may carry."""

    advice = "settle them in several transactions"


class BadKind(Refusal):
    """``(index, kind)``: an output whose kind is none of EPA, ECA, FA."""

    advice = "kind is 1 (EPA), 2 (ECA) or 3 (FA)"


class ZeroOwner(Refusal):
    """``(index)``: an output that belongs to nobody."""

    advice = "give the output an owner address"


class BadQuantity(Refusal):
    """``(index, quantity)``: zero, or more than 2⁶³−1."""

    advice = "a note holds 1 to 2**32-1 watts, or 1 to 2**63-1 nano-units"


class BadSpan(Refusal):
    """``(index, start, end)``: a span beyond the limit, or beyond the last interval."""

    advice = "a note covers at most MAX_SPAN intervals, the last of them before 2**32-1"


class FractionalPower(Refusal):
    """``(index, power_w)``: power whose energy per interval is not a whole number of watt-hours."""

    advice = "choose a power that gives whole watt-hours in every interval"


class UnknownNote(Refusal):
    """``(note_id)``: an input that the ledger never created, or whose fields are not those it was created with."""

    advice = "sync with the ledger and name the note exactly as it was created"


class NoteSpent(Refusal):
    """``(note_id)``: an input that an earlier transaction, or an earlier input of this one, has spent."""

    advice = "sync with the ledger and name every input once; this note is gone"


class SignatureCount(Refusal):
    """``(expected, got)``: not exactly one signature for each run of consecutive inputs of one owner."""

    advice = "keep each owner's inputs together and sign once per owner, in the order of the inputs"


class BadSignature(Refusal):
    """``(expected, recovered)``: the signature is not canonical or was made by another key."""

    advice = "sign this transaction's digest with the key of the expected address"


class Unbalanced(Refusal):
    """``(kind, interval)``: outputs and inputs differ in that interval (FA: in total; interval is then 0)."""

    advice = "the sum of the outputs must equal the sum of the inputs in every interval"


class OrderExpired(Refusal):
    """``(order, expires_s, now_s)``: settled too late."""

    advice = "post a new order"


class OrderCancelled(Refusal):
    """``(order)``: its owner cancelled it."""

    advice = "the order is void for good"


class WrongKind(Refusal):
    """``(note_id, expected, got)``: a note that an order cannot offer in this place."""

    advice = "an order to sell offers EPA, one to buy ECA and FA"


class SpanMismatch(Refusal):
    """``(sell, buy)``: two orders whose energy is for different intervals."""

    advice = "match orders for the same intervals"


class FillSize(Refusal):
    """``(order, least_w, most_w, power_w)``: less power than the order allows, or more than its note holds."""

    advice = "a part is traded only where the order allows it"


class PriceLimit(Refusal):
    """``(order, limit, price)``: a price that is worse than the order's limit."""

    advice = "settle between the two limits"


class Unfunded(Refusal):
    """``(order, needed_nano, offered_nano)``: the order's money does not cover the price."""

    advice = "offer more FA notes, or settle at a lower price"


class UnknownMeter(Refusal):
    """``(meter)``: the DSO never authorised this meter."""

    advice = "ask the DSO to authorise the meter"


class MeterBanned(Refusal):
    """``(meter)``: the DSO banned this meter."""

    advice = "ask the DSO; only a later authorisation lifts a ban"


class BadNonce(Refusal):
    """``(expected, got)``: replayed, or out of order."""

    advice = "number transactions consecutively; a replay is refused"


class MeterLimit(Refusal):
    """``(meter, kind, interval, limit_w, would_be_w)``: more power than the meter may issue in an interval."""

    advice = "withdraw less, or ask the DSO for a higher limit"


class FeederLimit(Refusal):
    """``(feeder, kind, interval, cap_w, would_be_w)``: more power than the feeder's homes may issue together."""

    advice = "the feeder is full in that interval; withdraw less, or in another interval"


class CreditLimit(Refusal):
    """``(meter, limit_nano, would_be_nano)``: FA withdrawn and not yet settled would exceed the credit limit."""

    advice = "settle the last bill first, or ask the DSO for more credit"


class UnknownFeeder(Refusal):
    """``(feeder)``: a meter authorised on a feeder that has no capacities."""

    advice = "set the feeder's capacities first, in this or an earlier regulatory transaction"


class FeederFixed(Refusal):
    """``(meter, feeder)``: a known meter authorised on another feeder, past which its issued power would slip."""

    advice = "ban this meter and enrol the home under a new number on the new feeder"


class BadGrant(Refusal):
    """``(meter)``: an authorisation without a key, or with a limit out of range."""

    advice = "give the meter's address, powers below 2**32 watts and a credit below 2**63"


class BadCapacity(Refusal):
    """``(feeder)``: a feeder capacity out of range."""

    advice = "capacities are below 2**32 watts"


class BadSettlement(Refusal):
    """``(meter, outstanding_nano, amount_nano)``: settling nothing, or more than is outstanding."""

    advice = "settle between 1 nano-unit and what the meter has withdrawn and not yet settled"


class PriceInversion(Refusal):
    """``(consumption, production)``: the DSO would buy dearer than it sells: a money pump."""

    advice = "set price_consumption >= price_production"


class BadPrice(Refusal):
    """``(price)``: a price out of range."""

    advice = "prices are below 2**63 nano-units per Wh"


class TimeInPast(Refusal):
    """``(now_s, time_s)``: a price or a rule that would change the past."""

    advice = "announce it before it takes effect"


REFUSALS: dict[str, type[Refusal]] = {cls.__name__: cls for cls in Refusal.__subclasses__()}
"""Every reason by name, as the contract's ABI names it."""

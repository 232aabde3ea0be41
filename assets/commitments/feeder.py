"""What meters of a feeder and the DSO tell one another so that the DSO learns the feeder's load and no home's.

The protocol is in docs/statements.md; the meter's side in ``smartmeter/feeder_load``, the DSO's in
``dso/feeder_load.py``. Readings are Wh, signed, and add up modulo 2**64 as two's complement.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from coincurve import PublicKey

from assets.hashing import keccak
from assets.keys import Address, Digest, Signer, recover_address
from assets.transactions import Domain
from assets.words import exactly, word

MIN_GROUP = 10
"""Fewest homes whose sum a meter helps to show."""

MODULUS = 2**64
"""Masked readings and masks are integers modulo this."""

_GROUP_TYPE = keccak(b"FeederGroup(uint32 feeder,uint32 from,bytes32 members)")
_KEY_TYPE = keccak(b"MaskKey(uint32 meter,bytes32 key)")
_ANSWER_TYPE = keccak(b"FeederAnswer(bytes32 group,uint32 t,uint32 meter,uint8 step,uint64 value,bytes32 present)")


class Fault(Enum):
    """Why a meter does not help, or a message does not count; the value is what the reader is told."""

    TOO_SMALL = f"fewer than {MIN_GROUP} homes would hide among one another"
    NOT_A_MEMBER = "this meter is no member of the group"
    OVERLAP = "this meter answers for another group in that interval: the difference of two sums could be one home"
    BAD_SIGNATURE = "not signed with the key that the ledger authorises"
    BAD_GROUP = "members are not sorted by number, each once, with keys that are points and signed by their meters"
    OTHER_PRESENCE = "this meter agreed to another set of present homes for that interval; it agrees once"
    NO_QUORUM = "so few agreed to this set of present homes that others may have agreed to another"
    NOT_READY = "that step is not due for the interval"
    CONTRADICTION = "the meter said something else in that step before"


class FeederRefusal(ValueError):
    """A step of the feeder's sum is refused; nothing has changed. ``meter`` is whose message or help it is about."""

    def __init__(self, meter: int, fault: Fault) -> None:
        self.meter, self.fault = meter, fault
        super().__init__(f"meter {meter}: {fault.value}")


class Step(Enum):
    """The messages of a meter for one interval, the last one rarely; the numbers are signed."""

    MASKED = 1
    """The reading plus all of the meter's masks."""
    AGREED = 2
    """Agreement to who is present; no value."""
    UNMASKED = 3
    """The sum of the masks that do not cancel among those present."""
    STOOD_IN = 4
    """The meter's part of the own mask of one that is present and did not unmask."""


@dataclass(frozen=True, slots=True)
class Member:
    """A home of the group."""

    meter: int
    key: Address
    """The meter's key as the ledger authorises it."""
    mask_key: bytes
    """33 bytes: a public key that the meter made for masks alone."""
    signature: bytes
    """Of the meter over its mask key: the DSO cannot put in one of its own."""


@dataclass(frozen=True, slots=True)
class FeederGroup:
    """Which homes' sum is asked for, from which interval on. ``members`` are sorted by meter number."""

    feeder: int
    first: int
    members: tuple[Member, ...]

    @property
    def quorum(self) -> int:
        """How many must be present, and agree who is: at least 10, and more than two thirds of the group.

        Any two such sets share more than a third of the group, so more than all who deviate if fewer than a third do:
        an honest meter is in both, and it agrees to one only.
        """
        return max(MIN_GROUP, 2 * len(self.members) // 3 + 1)

    @property
    def meters(self) -> tuple[int, ...]:
        """Numbers of the members."""
        return tuple(member.meter for member in self.members)

    def member(self, meter: int) -> Member:
        """The member of that number; raises :class:`FeederRefusal`."""
        for member in self.members:
            if member.meter == meter:
                return member
        raise FeederRefusal(meter, Fault.NOT_A_MEMBER)


@dataclass(frozen=True, slots=True)
class Answer:
    """One message of one meter for interval ``t``, signed."""

    group: Digest
    t: int
    meter: int
    step: Step
    value: int
    """Modulo 2**64; 0 for an agreement."""
    present: Digest
    """:func:`presence_digest` of those present; 32 zero bytes for a masked reading, which comes before it is known; for
    :attr:`Step.STOOD_IN` of the silent meter alone."""
    signature: bytes = b""


NOBODY = Digest(bytes(32))


def mask_key_digest(domain: Domain, meter: int, mask_key: bytes) -> Digest:
    """What a meter signs to vouch for its mask key."""
    body = _KEY_TYPE + word(meter, 32) + keccak(exactly(mask_key, 33))
    return Digest(keccak(b"\x19\x01" + domain.separator + keccak(body)))


def group_digest(domain: Domain, group: FeederGroup) -> Digest:
    """Names a group and all that is in it: every mask is derived for this digest."""
    members = b"".join(
        word(m.meter, 32) + bytes(12) + exactly(m.key, 20) + keccak(exactly(m.mask_key, 33)) for m in group.members
    )
    body = _GROUP_TYPE + word(group.feeder, 32) + word(group.first, 32) + keccak(members)
    return Digest(keccak(b"\x19\x01" + domain.separator + keccak(body)))


def presence_digest(group: Digest, t: int, present: Iterable[int]) -> Digest:
    """Names who is present in interval ``t``."""
    return Digest(keccak(group + word(t, 32) + b"".join(word(meter, 32) for meter in present)))


def check_group(domain: Domain, group: FeederGroup) -> None:
    """Raise :class:`FeederRefusal` unless the group is large enough and every member's mask key is its own."""
    if len(group.members) < MIN_GROUP:
        raise FeederRefusal(group.members[0].meter if group.members else 0, Fault.TOO_SMALL)
    last = -1
    for member in group.members:
        if member.meter <= last or not _is_point(member.mask_key):
            raise FeederRefusal(member.meter, Fault.BAD_GROUP)
        if recover_address(mask_key_digest(domain, member.meter, member.mask_key), member.signature) != member.key:
            raise FeederRefusal(member.meter, Fault.BAD_GROUP)
        last = member.meter
    if len({m.mask_key for m in group.members}) != len(group.members) or len({m.key for m in group.members}) != len(
        group.members
    ):
        raise FeederRefusal(last, Fault.BAD_GROUP)


def sign_answer(domain: Domain, answer: Answer, key: Signer) -> Answer:
    """The answer with its meter's signature."""
    signature = key.sign(_answer_digest(domain, answer))
    return Answer(answer.group, answer.t, answer.meter, answer.step, answer.value, answer.present, signature)


def check_answer(domain: Domain, group: FeederGroup, answer: Answer) -> None:
    """Raise :class:`FeederRefusal` unless a member signed the answer."""
    if recover_address(_answer_digest(domain, answer), answer.signature) != group.member(answer.meter).key:
        raise FeederRefusal(answer.meter, Fault.BAD_SIGNATURE)


def to_signed(value: int) -> int:
    """A sum modulo 2**64 as the signed number that it stands for."""
    value %= MODULUS
    return value - MODULUS if value >= MODULUS // 2 else value


def _answer_digest(domain: Domain, a: Answer) -> Digest:
    body = (
        _ANSWER_TYPE
        + exactly(a.group, 32)
        + word(a.t, 32)
        + word(a.meter, 32)
        + word(a.step.value, 8)
        + word(a.value, 64)
        + exactly(a.present, 32)
    )
    return Digest(keccak(b"\x19\x01" + domain.separator + keccak(body)))


def _is_point(key: bytes) -> bool:
    try:
        return len(key) == 33 and PublicKey(key).format() == key
    except ValueError:
        return False

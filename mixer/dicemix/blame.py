"""Whose fault a disrupted run is, from what everybody revealed: pure, and the same for whoever computes it.

Once a peer's key and address are known, what it had to post is known to the bit. So every peer is judged by its own
messages alone, and nobody by what another one says.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from assets.keys import ZERO_ADDRESS, Digest
from mixer.dicemix.faults import Reason
from mixer.dicemix.keys import public_of, shared
from mixer.dicemix.pads import masked_payload, masked_powers, pair_key
from mixer.dicemix.payloads import Announcement, Revelation
from mixer.dicemix.slots import commitment, slot_number


@dataclass(frozen=True, slots=True)
class Case:
    """A run that failed: everything that was posted before the revelations."""

    log: Digest
    run: int
    context: Digest
    """View after the keys."""
    announcements: Mapping[int, Announcement]
    """Every member's keys."""
    sums: Mapping[int, tuple[int, ...]]
    """Every member's slots message."""
    numbers: tuple[int, ...] | None
    """The slots, if the numbers came out."""
    payloads: Mapping[int, bytes | None]
    """Every member's payload message, ``None`` for a complaint; empty if the run did not come so far."""


def blame(case: Case, revelations: Mapping[int, Revelation]) -> dict[int, Reason]:
    """Who of those that revealed something is guilty, and of what.

    Empty if everybody revealed and did everything right: then two peers' numbers were equal by chance.
    """
    opened = {peer: revelation for peer, revelation in revelations.items() if _opens(case, peer, revelation)}
    guilty = {peer: Reason.WRONG_KEY for peer in revelations if peer not in opened}
    for peer, revelation in opened.items():
        reason = next(_offences(case, peer, revelation), None)
        if reason is not None:
            guilty[peer] = reason
    wanted = Counter(revelation.address for revelation in opened.values())
    for peer, revelation in opened.items():
        if wanted[revelation.address] > 1:
            guilty.setdefault(peer, Reason.DUPLICATE_OUTPUT)
    return guilty


def _opens(case: Case, peer: int, revelation: Revelation) -> bool:
    public = public_of(revelation.secret)
    bound = commitment(case.log, case.run, peer, public, revelation.salt, revelation.address)
    return case.announcements[peer] == Announcement(public, bound)


def _offences(case: Case, peer: int, revelation: Revelation) -> Iterator[Reason]:
    """What the peer did wrong, in the order of the run."""
    if revelation.address == ZERO_ADDRESS:
        yield Reason.BAD_OUTPUT
    size = len(case.announcements)
    keys = {
        other: pair_key(shared(revelation.secret, announcement.public), case.context)
        for other, announcement in case.announcements.items()
        if other != peer
    }
    number = slot_number(case.context, revelation.address)
    if case.sums[peer] != masked_powers(number, peer, keys, size):
        yield Reason.WRONG_SLOTS
    if case.numbers is None or peer not in case.payloads:
        return
    payload, reserved = case.payloads[peer], number in case.numbers
    if payload is None and reserved:
        yield Reason.FALSE_COMPLAINT
    if payload is not None and not reserved:
        yield Reason.WRONG_PAYLOAD  # it had to complain
    if payload is not None and reserved:
        slot = case.numbers.index(number)
        if payload != masked_payload(revelation.address, slot, keys, size):
            yield Reason.WRONG_PAYLOAD

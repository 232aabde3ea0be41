"""One interval of a feeder's load: all its meters and the DSO in one process, beside the signatures alone."""

from functools import partial

from coincurve import PrivateKey

from assets.commitments.feeder import FeederGroup
from assets.hashing import keccak
from assets.keys import SigningKey
from benchmarks import bare
from benchmarks.neighbourhood import DOMAIN
from benchmarks.row import Reference, Row
from benchmarks.signatures import SECRET
from benchmarks.sizes import Sizes
from benchmarks.timer import Action, again, medians_s
from dso.feeder_load import FeederSum
from smartmeter.feeder_load.masks import MaskSecret
from smartmeter.feeder_load.member import FeederMember

READING_WH = 250


def rows(sizes: Sizes) -> list[Row]:
    """Three messages of each meter; every meter checks a quorum of agreements, the DSO all messages."""
    size = sizes.feeder_homes
    group = FeederGroup(1, 0, tuple(_member(meter).announce() for meter in range(size)))
    checks, signs = size * (group.quorum + 3), 3 * size
    digests = [keccak(number.to_bytes(8, "big")) for number in range(sizes.signatures)]
    key = PrivateKey(SECRET)
    signed = [(digest, key.sign_recoverable(digest, hasher=None)) for digest in digests]
    load_s, recover_s, sign_s = medians_s(
        sizes.runs, partial(_interval, group), again(bare.recover_all, signed), again(bare.sign_all, key, digests)
    )
    bound_s = (checks * recover_s + signs * sign_s) / sizes.signatures
    reference = Reference("its signatures alone (bound)", bound_s * 1e3)
    return [Row(f"load of a feeder of {size} homes, one interval", load_s * 1e3, "ms", sizes.runs, reference)]


def _member(meter: int) -> FeederMember:
    secret = keccak(b"PETra benchmarks: feeder" + meter.to_bytes(4, "big"))
    return FeederMember(meter, SigningKey(secret), MaskSecret(keccak(secret)), DOMAIN, 0)


def _interval(group: FeederGroup) -> Action:
    """Meters that have joined; what is timed is interval 0."""
    members, dso = [_member(meter) for meter in group.meters], FeederSum(DOMAIN, group)
    for member in members:
        member.join(group)

    def run() -> None:
        for member in members:
            dso.receive(member.mask(0, READING_WH))
        present = dso.close(0)
        for member in members:
            dso.receive(member.agree(0, present))
        agreements = dso.agreements(0)[: group.quorum]
        for member in members:
            dso.receive(member.unmask(0, agreements))
        if dso.load_wh(0) != READING_WH * len(members):
            raise AssertionError("the feeder's load is wrong")

    return run

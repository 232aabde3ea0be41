"""Checking one signature: recovering its address, and comparing with a key that is known."""

from collections.abc import Sequence
from functools import partial

from coincurve import PrivateKey, PublicKey

from assets.hashing import keccak
from assets.keys import Digest, SigningKey, recover_address
from benchmarks import bare
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from mixer.signatures import check_key

SECRET = keccak(b"PETra benchmarks: a key that signs nothing of worth")


def rows(sizes: Sizes) -> list[Row]:
    """Recovering as the ledger does, and verifying as a mix does, beside coincurve alone."""
    key, bare_key = SigningKey(SECRET), PrivateKey(SECRET)
    digests = [Digest(keccak(number.to_bytes(8, "big"))) for number in range(sizes.signatures)]
    signed = [(digest, key.sign(digest)) for digest in digests]
    if any(recover_address(*pair) != key.address for pair in signed):
        raise AssertionError("a good signature was not recognised")
    recovered_s, bare_recovered_s, verified_s, bare_verified_s = medians_s(
        sizes.runs,
        again(recover_all, signed),
        again(bare.recover_all, [bare.recoverable(*pair) for pair in signed]),
        again(check_all, bare_key.public_key, [(digest, signature[:64]) for digest, signature in signed]),
        again(bare.verify_all, bare_key.public_key, [(d, bare_key.sign(d, hasher=None)) for d in digests]),
    )
    row = partial(Row, unit="µs", runs=sizes.runs)
    each_us = 1e6 / sizes.signatures
    return [
        row(
            "recover_address, one signature",
            recovered_s * each_us,
            reference=Reference("coincurve, recover alone", bare_recovered_s * each_us),
        ),
        row(
            "check_key, one signature of a known key",
            verified_s * each_us,
            reference=Reference("coincurve, verify alone", bare_verified_s * each_us),
        ),
    ]


def recover_all(signed: Sequence[tuple[bytes, bytes]]) -> None:
    """Recover the address of every signature, as the ledger does."""
    for digest, signature in signed:
        recover_address(digest, signature)


def check_all(key: PublicKey, signed: Sequence[tuple[Digest, bytes]]) -> None:
    """Check every signature against the key, as the peers of a mix do."""
    for digest, signature in signed:
        check_key(key, digest, signature)

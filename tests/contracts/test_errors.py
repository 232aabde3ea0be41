"""Revert data as refusals."""

import pytest
from eth_abi import encode as abi_encode

from assets.errors import REFUSALS, EncodingError
from contracts import artifact
from contracts.errors import decode_refusal

SAMPLES = {"uint256": 2**64 - 1, "address": "0x" + "ab" * 20, "bytes32": b"\x5a" * 32}
DECODED = {"uint256": 2**64 - 1, "address": b"\xab" * 20, "bytes32": b"\x5a" * 32}


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_every_refusal_is_decoded_with_its_arguments(name):
    ((selector, (_, types)),) = [(s, e) for s, e in artifact.error_types().items() if e[0] == name]
    reason = selector + abi_encode(types, [SAMPLES[t] for t in types])
    assert decode_refusal(reason) == REFUSALS[name](*[DECODED[t] for t in types])
    for damaged in (reason + b"\0", reason[:-1], reason[:3]):
        with pytest.raises(EncodingError):
            decode_refusal(damaged)


def test_errors_of_the_carrier_are_no_refusals():
    for selector, (name, types) in artifact.error_types().items():
        if name not in REFUSALS:
            with pytest.raises(EncodingError):
                decode_refusal(selector + bytes(32 * len(types)))

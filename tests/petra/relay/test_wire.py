"""Bodies: one length for all usual transactions, and no second way to write one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import EncodingError
from assets.transactions import Cancel, Regulate, Settle, Signed
from petra.relay.wire import ANSWER_BYTES, SIZES, answer_of, body_of, fields_of, signed_of
from tests.petra.relay.community import DSO, community


def test_withdrawals_deposits_and_mixes_of_usual_size_are_equally_long() -> None:
    homes = community()
    notes = homes.issue(0, 24)
    bodies = [body_of(s) for s in (homes.withdrawal(1, 6), homes.moved(notes[0]), homes.moved(*notes))]
    assert [len(body) for body in bodies] == [SIZES[0]] * 3


@given(st.integers(1, 40))
def test_a_transaction_comes_back_as_it_was(count: int) -> None:
    homes = community(1)
    for signed in (withdrawal := homes.withdrawal(0, count), homes.moved(*homes.notes(withdrawal))):
        assert signed_of(body_of(signed)) == signed
    cancel = Signed(Cancel(DSO.address, 1 << count), (bytes(65),))
    assert signed_of(body_of(cancel)) == cancel


def test_the_largest_mix_fits_and_a_larger_one_is_refused() -> None:
    homes = community(1)
    notes = homes.issue(0, 256)
    assert len(body_of(homes.moved(*notes))) == SIZES[-1]
    with pytest.raises(EncodingError, match="split the transaction"):
        body_of(homes.moved(*notes, *notes, *notes))


@given(st.binary(max_size=64), st.integers(0, 2))
def test_anything_else_is_refused(start: bytes, size: int) -> None:
    good = body_of(community(1).withdrawal(0)).rstrip()
    for data in (start, start + good, good + start + b"x", good[: len(start)], b"\xff" + good):
        if data.rstrip(b" ") != good:
            with pytest.raises(EncodingError):
                signed_of(data.ljust(SIZES[size]))
    with pytest.raises(EncodingError, match="followed by spaces"):
        signed_of(good)


@pytest.mark.parametrize("tx", [Regulate(0), Settle(())])
def test_what_others_carry_is_refused(tx: Regulate | Settle) -> None:
    with pytest.raises(EncodingError, match="withdraw, transact or cancel"):
        signed_of(body_of(Signed(tx, ())))


def test_answers_are_equally_long() -> None:
    for fields in ({"status": "taken"}, {"type": "InTheWay", "detail": "x" * 600}):
        assert len(answer_of(fields)) == ANSWER_BYTES
        assert fields_of(answer_of(fields)) == fields
    for wrong in (b"", b"[]", b"[" * 100_000, b"{", b"1"):
        with pytest.raises(ValueError, match=r".*"):
            fields_of(wrong)

"""The board keeps everything in order, and a changed log is noticed."""

from dataclasses import replace

import pytest

from assets.keys import Digest
from mixer.board import EMPTY_HEAD, BrokenChain, MemoryBoard, check_chain
from mixer.envelope import MAX_ENVELOPE_BYTES


def filled(*messages: bytes) -> MemoryBoard:
    board = MemoryBoard()
    for message in messages:
        board.append(message)
    return board


def test_a_reader_gets_every_message_in_order_and_can_continue():
    board = filled(b"a", b"b", b"c")
    assert board.received == (b"a", b"b", b"c")
    head = check_chain(board.read_from(0)[:2])
    assert check_chain(board.read_from(2), 2, head) == board.head
    assert board.read_from(3) == []
    assert MemoryBoard().head == EMPTY_HEAD


def test_a_log_that_was_changed_cut_or_reordered_is_noticed():
    posts = list(filled(b"a", b"b", b"c").read_from(0))
    for position, bad in (
        (1, [posts[0], replace(posts[1], data=b"B"), posts[2]]),
        (0, posts[1:]),
        (0, [posts[1], posts[0], posts[2]]),
        (2, [*posts[:2], replace(posts[2], head=Digest(bytes(32)))]),
    ):
        with pytest.raises(BrokenChain) as caught:
            check_chain(bad)
        assert caught.value.args == (position,)


def test_logs_that_split_messages_differently_have_different_heads():
    assert filled(b"ab", b"c").head != filled(b"a", b"bc").head


def test_a_message_longer_than_any_envelope_is_refused():
    board = filled(b"a")
    with pytest.raises(ValueError, match="at most"):
        board.append(bytes(MAX_ENVELOPE_BYTES + 1))
    assert board.received == (b"a",)

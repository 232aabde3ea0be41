"""Sessions of the simulation mix with the engine of their size, and the commands know both."""

import json

import pytest
from typer.testing import CliRunner

from assets.keys import ThrowAwayKeys
from mixer import envelope
from mixer.board import MemoryBoard
from mixer.dicemix import message
from mixer.dicemix.protocol import VERSION, Phase
from mixer.engine import Rules
from mixer.engines import engine_named
from mixer.follower import Follower, Seat
from mixer.mixing import mix_in_memory, play
from mixer.protocol import VERSION as COINSHUFFLE_VERSION
from petra.boards import MixLog, links
from petra.cli import app


def mix(*args: str):
    return CliRunner().invoke(app, ["mix", *args])


def test_a_bench_of_dicemix_keeps_a_log_whose_judge_names_the_silent_members(tmp_path):
    log = tmp_path / "mix.jsonl"
    result = mix("bench", "--engine", "dicemix", "--peers", "3,5", "--silent", "1", "--out", str(log))
    assert result.exit_code == 0, result.output
    assert json.loads(log.read_bytes().splitlines()[0])["engine"] == "dicemix"
    judged = mix("judge", str(log))
    assert judged.exit_code == 1
    assert "silent, keys phase; not proven" in judged.output
    assert "4 notes mixed; 1 members excluded" in judged.output


@pytest.mark.parametrize(("homes", "version"), [(3, COINSHUFFLE_VERSION), (11, VERSION)])
def test_small_neighbourhoods_shuffle_and_large_ones_use_dicemix(monkeypatch, tmp_path, homes, version):
    boards = []

    class Kept(MemoryBoard):
        def __init__(self):
            super().__init__()
            boards.append(self)

    monkeypatch.setattr("petra.transports.MemoryBoard", Kept)
    result = CliRunner().invoke(
        app, ["simulate", "--homes", str(homes), "--intervals", "1", "--ledger", "spec", "--out", str(tmp_path / "run")]
    )
    assert result.exit_code == 0, result.output
    assert boards
    assert {post[0] for board in boards for post in board.received} == {version}


def test_a_dicemix_message_with_one_output_in_the_clear_links_its_sender():
    from tests.mixer.conftest import Community

    community = Community(4)
    seats = [
        Seat(key, lambda output=output: output) for key, output in zip(community.keys, community.outputs, strict=True)
    ]
    board = MemoryBoard()
    signed = mix_in_memory(engine_named("dicemix"), community.session, Rules(minimum=2), seats, board).mixed
    truth = {owner: home for home, owner in enumerate(community.session.owners)}
    session = community.session
    assert links([MixLog(session, board.received, signed)], truth) == {}
    shown = community.outputs[2]
    key = ThrowAwayKeys(1, "a leaking peer").fresh()
    board.append(message.seal(bytes(32), 0, Phase.PAYLOADS, 3, bytes(32), b"xx" + shown, key).encoded)
    assert links([MixLog(session, board.received, signed)], truth) == {shown: frozenset({3})}
    with pytest.raises(ValueError, match="version"):
        envelope.decode(board.received[0])


@pytest.mark.parametrize("name", ["coinshuffle", "dicemix"])
def test_after_an_exclusion_a_leak_still_names_its_own_sender(name):
    """Members keep the places of the session, of which the transaction lacks those who were excluded."""
    from tests.mixer.conftest import Community

    community, rules, board = Community(5), Rules(minimum=2), MemoryBoard()
    engine, session = engine_named(name), community.session
    followers = [
        Follower(engine, session, rules, 0, Seat(key, lambda: community.spare_key().address))
        for key in community.keys[2:]
    ]
    mix = play(board, followers).mixed
    truth = {owner: home for home, owner in enumerate(session.owners)}
    assert links([MixLog(session, board.received, mix)], truth) == {}
    shown = mix.tx.outputs[0].owner
    leak = message.seal(bytes(32), 0, Phase.PAYLOADS, 3, bytes(32), shown, community.keys[3]).encoded
    assert links([MixLog(session, (*board.received, leak, b""), mix)], truth) == {shown: frozenset({3})}

"""Logs name nobody, in lines and in JSON."""

import json
import logging

import pytest

from petra import logs

ADDRESS = "0x" + "ab" * 20
ONION = "a" * 56 + ".onion"


@pytest.fixture(autouse=True)
def _as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize("as_json", [False, True])
def test_whatever_names_somebody_is_cut_out(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    logs.configure(as_json)
    logging.getLogger("petra.relay").warning("from %s at %s: %d", ADDRESS, ONION, 7)
    said = capsys.readouterr().err
    assert "ab" * 20 not in said
    assert ONION not in said
    assert f"from {logs.REMOVED} at {logs.REMOVED}: 7" in said
    if as_json:
        entry = json.loads(said)
        assert (entry["level"], entry["logger"]) == ("warning", "petra.relay")
        assert entry["timestamp"].endswith("Z")


def test_the_environment_asks_for_json_and_what_went_wrong_is_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PETRA_LOG", "json")
    logs.configure()
    try:
        raise ValueError(ADDRESS)
    except ValueError:
        logging.getLogger("petra").exception("it failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ab" * 20 not in line
    assert "ValueError" in json.loads(line)["exception"]


def test_a_library_that_sets_its_level_later_is_not_heard(capsys) -> None:
    logs.configure()
    noisy = logging.getLogger("stem")
    before = noisy.level
    noisy.setLevel(logging.DEBUG)  # as its import does
    try:
        noisy.info("GETINFO version")
        logging.getLogger("petra").info("ours")
    finally:
        noisy.setLevel(before)
    said = capsys.readouterr().err
    assert "ours" in said
    assert "GETINFO" not in said

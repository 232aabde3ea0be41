"""The log of a session in a file, with what a judge needs: JSON lines, each in its one canonical encoding.

The first line names engine, ledger, session, opening and rules; each further line is one message with the board's
time; the last says up to when the log is complete. The file proves nothing by itself: notes and anchor are to be
compared with the ledger, the log with what others have read. The id of the session follows from the first line. Every
message names the opening for which it was signed, so no file makes messages of two openings into one story.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from assets.codec import (
    ADDRESS,
    DIGEST,
    UINT32,
    UINT64,
    JsonObject,
    canonical,
    issued_note_from_json,
    issued_note_to_json,
    parse,
)
from assets.errors import EncodingError
from assets.keys import Digest
from assets.shapes import Record, Uint
from assets.transactions import Domain
from mixer.engine import Rules
from mixer.engines import NAMES
from mixer.envelope import MAX_ENVELOPE_BYTES
from mixer.follower import LogEntry
from mixer.opening import UNOPENED
from mixer.session import MixSession

FORMAT = 2
"""Version of the file, on its first line. Version 1 lacked the opening, which its messages did not name either."""

_DOMAIN = Record(Domain, {"chain_id": Uint(256), "contract": ADDRESS})
_RULES = Record(Rules, {"minimum": UINT32, "timeout_s": UINT32, "max_runs": UINT32})


@dataclass(frozen=True, slots=True)
class MixLogFile:
    """What a file says."""

    engine: str
    session: MixSession
    rules: Rules
    start_s: int
    entries: tuple[LogEntry, ...]
    until_s: int
    opening: Digest = UNOPENED
    """First head of the log (:mod:`mixer.opening`)."""


def encode(log: MixLogFile) -> bytes:
    """The file's content. Raises ``EncodingError`` for what no ledger or board accepts."""
    session = log.session
    head = {
        "format": FORMAT,
        "engine": log.engine,
        "domain": _DOMAIN.encode(session.domain, "domain"),
        "window": session.window,
        "anchor": DIGEST.encode(session.anchor, "anchor"),
        "inputs": [issued_note_to_json(note) for note in session.inputs],
        "rules": _RULES.encode(log.rules, "rules"),
        "start_s": log.start_s,
        "opening": DIGEST.encode(log.opening, "opening"),
    }
    lines: list[object] = [head, *({"at_s": e.at_s, "data": e.data.hex()} for e in log.entries)]
    return b"".join(canonical(line) + b"\n" for line in [*lines, {"until_s": log.until_s}])


def decode(lines: Iterable[bytes]) -> MixLogFile:
    """The log that ``lines`` encode. Raises ``EncodingError`` that names the first line that is wrong."""
    objects = []
    for number, line in enumerate(lines, 1):
        try:
            if not line.endswith(b"\n"):
                raise EncodingError("expected a line feed at the end; the file was cut")
            objects.append(_object(parse(line[:-1])))
        except EncodingError as error:
            raise EncodingError(f"line {number} of the mix log: {error}") from None
    if len(objects) < 2:
        raise EncodingError("a mix log has at least its first and its last line")
    try:
        engine, session, rules, start_s, opening = _head(objects[0])
    except ValueError as error:
        raise EncodingError(f"line 1 of the mix log: {error}") from None
    entries = []
    now_s = start_s
    for number, obj in enumerate(objects[1:-1], 2):
        try:
            entries.append(_entry(obj, now_s))
        except ValueError as error:
            raise EncodingError(f"line {number} of the mix log: {error}") from None
        now_s = entries[-1].at_s
    last = objects[-1]
    if set(last) != {"until_s"}:
        raise EncodingError("the last line of the mix log has to say until_s; the file was cut")
    until_s = UINT64.decode(last["until_s"], "until_s")
    if until_s < now_s:
        raise EncodingError(f"until_s is {until_s}, before the last message at {now_s}")
    return MixLogFile(engine, session, rules, start_s, tuple(entries), until_s, opening)


def _object(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise EncodingError("expected an object")
    return value


def _fields(obj: JsonObject, names: set[str]) -> None:
    if set(obj) != names:
        raise EncodingError(f"expected the fields {', '.join(sorted(names))}")


def _head(obj: JsonObject) -> tuple[str, MixSession, Rules, int, Digest]:
    _fields(obj, {"format", "engine", "domain", "window", "anchor", "inputs", "rules", "start_s", "opening"})
    if obj["format"] != FORMAT:
        raise EncodingError(f"the log's format is {obj['format']}; this program reads {FORMAT}")
    engine = obj["engine"]
    if not isinstance(engine, str) or engine not in NAMES:
        raise EncodingError(f"expected an engine out of {', '.join(NAMES)}")
    if not isinstance(obj["inputs"], list):
        raise EncodingError("inputs: expected a list of notes")
    session = MixSession(
        _DOMAIN.decode(obj["domain"], "domain"),
        UINT32.decode(obj["window"], "window"),
        tuple(issued_note_from_json(note) for note in obj["inputs"]),
        Digest(DIGEST.decode(obj["anchor"], "anchor")),
    )
    rules, start_s = _RULES.decode(obj["rules"], "rules"), UINT64.decode(obj["start_s"], "start_s")
    return engine, session, rules, start_s, Digest(DIGEST.decode(obj["opening"], "opening"))


def _entry(obj: JsonObject, now_s: int) -> LogEntry:
    _fields(obj, {"at_s", "data"})
    at_s, text = UINT64.decode(obj["at_s"], "at_s"), obj["data"]
    if at_s < now_s:
        raise EncodingError(f"time goes back from {now_s} to {at_s}")
    if not isinstance(text, str) or len(text) > 2 * MAX_ENVELOPE_BYTES:
        raise EncodingError(f"data: expected hex digits of at most {MAX_ENVELOPE_BYTES} bytes")
    data = bytes.fromhex(text)
    if data.hex() != text:
        raise EncodingError("data: expected lower-case hex digits without spaces")
    return LogEntry(at_s, data)

"""Golden vectors of how messages name their log; ``python -m tests.mixer.vectors`` writes them to docs/protocol."""

import json
from pathlib import Path

from assets.hashing import keccak
from assets.keys import Address, Digest, SigningKey
from assets.notes import IssuedNote, epa
from assets.transactions import Domain
from mixer import envelope, protocol
from mixer.boardservice.heads import first_head, sign_head
from mixer.dicemix import message
from mixer.dicemix import protocol as dicemix
from mixer.dicemix.proceedings import Proceedings
from mixer.dicemix.slots import commitment
from mixer.engine import Run
from mixer.opening import UNOPENED, log_id
from mixer.session import MixSession
from mixer.transcript import Transcript

PATH = Path(__file__).parents[2] / "docs" / "protocol" / "vectors.json"

KEYS = [SigningKey(bytes(31) + bytes([number])) for number in (1, 2, 3)]
BOARD = SigningKey(bytes(31) + b"\x07")


def session() -> MixSession:
    """Three notes of one withdrawal that never was."""
    origin = Digest(keccak(b"PETra vectors"))
    notes = [IssuedNote(epa(key.address, 400, 7, 7), origin, index) for index, key in enumerate(KEYS)]
    notes.sort(key=lambda note: note.id)
    return MixSession(Domain(1337, Address(b"\x42" * 20)), 7, tuple(notes), origin)


def vectors() -> dict[str, object]:
    """Openings of one session, and the first message of the first member under each; hexadecimal."""
    mixing = session()
    owner = next(key for key in KEYS if key.address == mixing.owners[0])
    cases: list[dict[str, object]] = [_case(mixing, owner, {}, UNOPENED)]
    for opened_s, nonce in ((1_700_000_000, 0), (1_700_000_000, 1), (1_700_000_001, 0)):
        head = first_head(BOARD.address, mixing.id, opened_s, bytes([nonce]) * 32)
        signed = sign_head(mixing.id, 0, head, BOARD)
        given: dict[str, object] = {
            "opened_s": opened_s,
            "nonce": (bytes([nonce]) * 32).hex(),
            "signature": signed.signature.hex(),
        }
        cases.append(_case(mixing, owner, given, head))
    return {
        "session": mixing.id.hex(),
        "board": BOARD.address.hex(),
        "board_secret": (bytes(31) + b"\x07").hex(),
        "sender": 0,
        "sender_secret": (bytes(31) + bytes([KEYS.index(owner) + 1])).hex(),
        "openings": cases,
    }


def _case(mixing: MixSession, owner: SigningKey, given: dict[str, object], opening: Digest) -> dict[str, object]:
    log = log_id(mixing.id, opening)
    public = owner.public_key.format()
    shuffle_view = Transcript(log, 0, range(3)).view
    announcement = envelope.seal(log, 0, protocol.Phase.ANNOUNCEMENT, 0, shuffle_view, public + b"\x09" * 32, owner)
    dicemix_view = Proceedings(Run(mixing, 0, (0, 1, 2), 0, opening=opening)).view
    bound = commitment(log, 0, 0, b"\x09" * 32, b"\x05" * 32, Address(b"\x0a" * 20))
    keys = message.seal(log, 0, dicemix.Phase.KEYS, 0, dicemix_view, public + b"\x09" * 32 + bound, owner)
    return given | {
        "opening": opening.hex(),
        "log": log.hex(),
        "coinshuffle": {"first_view": shuffle_view.hex(), "message": announcement.encoded.hex()},
        "dicemix": {"first_view": dicemix_view.hex(), "commitment": bound.hex(), "message": keys.encoded.hex()},
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=2) + "\n")

"""A mix session as JSON, so that a board learns who may post: the hash of the description is the session's id.

Nobody can describe another membership under the same id. Whether the notes exist on the ledger is for the board's
:class:`~mixer.boardservice.admission.Admission` to ask.
"""

from assets.codec import ADDRESS, DIGEST, UINT64, canonical, issued_note_from_json, issued_note_to_json, parse
from assets.errors import EncodingError
from assets.keys import Address, Digest
from assets.transactions import Domain
from mixer.protocol import MAX_PEERS
from mixer.session import MixSession

_FIELDS = {"chain_id", "contract", "window", "inputs", "anchor"}

MAX_DESCRIPTION_BYTES = 1000 + 400 * MAX_PEERS
"""A note takes at most 310 bytes of JSON."""


def encode_session(session: MixSession) -> bytes:
    """The canonical JSON of ``session``."""
    return canonical(
        {
            "chain_id": UINT64.encode(session.domain.chain_id, "chain_id"),
            "contract": ADDRESS.encode(session.domain.contract, "contract"),
            "window": UINT64.encode(session.window, "window"),
            "inputs": [issued_note_to_json(note) for note in session.inputs],
            "anchor": DIGEST.encode(session.anchor, "anchor"),
        }
    )


def decode_session(data: bytes) -> MixSession:
    """The session that ``data`` describes; raises :class:`~assets.errors.EncodingError` for all else."""
    if len(data) > MAX_DESCRIPTION_BYTES:
        raise EncodingError(f"a description has at most {MAX_DESCRIPTION_BYTES} bytes, this one {len(data)}")
    obj = parse(data)
    if not isinstance(obj, dict) or obj.keys() != _FIELDS or not isinstance(obj["inputs"], list):
        raise EncodingError(f"a session is an object with exactly the fields {', '.join(sorted(_FIELDS))}")
    try:
        return MixSession(
            Domain(UINT64.decode(obj["chain_id"], "chain_id"), Address(ADDRESS.decode(obj["contract"], "contract"))),
            UINT64.decode(obj["window"], "window"),
            tuple(issued_note_from_json(note) for note in obj["inputs"]),
            Digest(DIGEST.decode(obj["anchor"], "anchor")),
        )
    except EncodingError:
        raise
    except ValueError as error:
        raise EncodingError(f"not a session: {error}") from None

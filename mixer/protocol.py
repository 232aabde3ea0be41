"""Constants of the protocol on one page: version, phases on the wire, payload sizes, timeouts.

Source: Ruffing, Moreno-Sanchez, Kate, "CoinShuffle: Practical Decentralized Coin Mixing for Bitcoin", ESORICS 2014.
Two peers understand each other only if everything on this page is the same for both.

With N peers, whose *positions* 0 … N−1 are in the order of their inputs:

    announcement         every peer            a fresh encryption key
    shuffle              peers 0 … N−2 in turn i+1 onions, each with a layer for every later peer
    broadcast            peer N−1              the N output addresses
    equivocation check   every peer            hash of all keys and of the outputs
    signing              every peer            signature of the mix transaction
    complaint            whoever cannot go on  why; the run turns to blame
    reveal               every peer            in blame: the secret of its encryption key
    exhibit              anybody               a transaction in which a peer spent its note elsewhere
"""

from enum import IntEnum

from assets.notes import MAX_NOTES

VERSION = 2
"""First byte of every envelope. Version 1 named the session only, not its opening."""

MIN_PEERS = 2
"""Fewest peers of a session. Two hide each note only from outsiders; demand more where it matters."""

MAX_PEERS = MAX_NOTES
"""Most peers of a session: the mix is one transaction, with one input and one output for each."""

STEP_TIMEOUT_S = 30
"""Seconds that a peer waits for a step (a phase, or one hop of the shuffle) before it gives up."""

MAX_RUN = 2**32 - 1
"""Largest run number: 4 bytes on the wire."""

PUBLIC_KEY_BYTES = 33
"""Compressed secp256k1 public key of the input's owner (SEC 1, §2.3.3)."""

BOX_KEY_BYTES = 32
"""X25519 public key (RFC 7748, §5)."""

ADDRESS_BYTES = 20
"""An output address: the innermost content of an onion."""

LAYER_BYTES = 48
"""What a libsodium sealed box adds: a one-time X25519 key (32) and an authentication tag (16)."""

HASH_BYTES = 32
TX_SIGNATURE_BYTES = 65
"""A signature as the ledger takes it: ``r ‖ s ‖ v``."""

ENVELOPE_SIGNATURE_BYTES = 64
"""``r ‖ s`` with low ``s``. Without ``v``, which could be flipped, there is one encoding only."""


class Phase(IntEnum):
    """To which part of the protocol a message belongs; the numbers are those on the wire."""

    ANNOUNCEMENT = 1
    SHUFFLE = 2
    BROADCAST = 3
    EQUIVOCATION_CHECK = 4
    SIGNING = 5
    COMPLAINT = 6
    REVEAL = 7
    EXHIBIT = 8

    @property
    def title(self) -> str:
        """The phase in words."""
        return self.name.lower().replace("_", " ")


def onion_bytes(peers: int, position: int) -> int:
    """Bytes of each onion that the peer at ``position`` of ``peers`` posts: one layer for every later peer."""
    return ADDRESS_BYTES + LAYER_BYTES * (peers - 1 - position)


def payload_bytes(phase: Phase, peers: int, position: int) -> int | None:
    """The only length that a payload may have, in ``phase`` of a run of ``peers``; ``None`` if any length will do."""
    match phase:
        case Phase.ANNOUNCEMENT:
            return PUBLIC_KEY_BYTES + BOX_KEY_BYTES
        case Phase.SHUFFLE:
            return (position + 1) * onion_bytes(peers, position)
        case Phase.BROADCAST:
            return peers * ADDRESS_BYTES
        case Phase.EQUIVOCATION_CHECK:
            return HASH_BYTES
        case Phase.SIGNING:
            return TX_SIGNATURE_BYTES
        case Phase.COMPLAINT:
            return 1
        case Phase.REVEAL:
            return BOX_KEY_BYTES
        case Phase.EXHIBIT:
            return None


MAX_PAYLOAD_BYTES = max((i + 1) * onion_bytes(MAX_PEERS, i) for i in range(MAX_PEERS))
"""Longest payload of any message: the middle of the shuffle in the largest session."""

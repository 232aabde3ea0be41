"""Constants of DiceMix on one page: version, phases on the wire, payload sizes, timeouts.

Sources: Ruffing, Moreno-Sanchez, Kate, "P2P Mixing and Unlinkable Bitcoin Transactions", NDSS 2017; Ruffing et al.,
"DiceMix Light" (draft). Two peers understand each other only if everything on this page is the same for both.

With N peers, all of them post a message of each phase at once:

    keys         a fresh X25519 key, and a commitment to the output address
    slots        N sums of powers of a number that stands for the address, hidden by pads that cancel out
    payloads     N addresses, all but one of them empty, hidden by pads that cancel out
    signing      signature of the mix transaction
    complaint    in place of payloads: my number is not among those that came out
    revelation   after a failure, and never once signing has begun: what opens the key and the commitment
    exhibit      from anybody at any time: a transaction in which a peer spent its note elsewhere
"""

from enum import IntEnum

from assets.notes import MAX_NOTES
from mixer.dicemix.field import ELEMENT_BYTES

VERSION = 0xD2
"""First byte of every message: D for DiceMix, and the version. Version 1 named the session only, not its opening."""

MIN_PEERS = 2
"""Fewest peers of a session. Two hide each note only from outsiders; demand more where it matters."""

MAX_PEERS = MAX_NOTES
"""Most peers of a session: the mix is one transaction, with one input and one output for each."""

ROUNDS = 4
"""Rounds of a run without a fault, however many peers there are."""

MAX_RUN = 2**32 - 1
"""Largest run number: 4 bytes on the wire."""

PUBLIC_KEY_BYTES = 33
"""Compressed secp256k1 public key of the input's owner (SEC 1, §2.3.3)."""

BOX_KEY_BYTES = 32
"""X25519 key, public or secret (RFC 7748, §5)."""

HASH_BYTES = 32

SALT_BYTES = 32
"""Hides the address in its commitment."""

ADDRESS_BYTES = 20
"""An output address: what is mixed."""

TX_SIGNATURE_BYTES = 65
"""A signature as the ledger takes it: ``r ‖ s ‖ v``."""

SIGNATURE_BYTES = 64
"""``r ‖ s`` with low ``s``. Without ``v``, which could be flipped, there is one encoding only."""


class Phase(IntEnum):
    """To which part of the protocol a message belongs; the numbers are those on the wire."""

    KEYS = 1
    SLOTS = 2
    PAYLOADS = 3
    SIGNING = 4
    COMPLAINT = 5
    REVELATION = 6
    EXHIBIT = 7

    @property
    def title(self) -> str:
        """The phase in words."""
        return self.name.lower()


def payload_bytes(phase: Phase, peers: int) -> int | None:
    """The only length of a payload of ``phase`` in a run of ``peers``, whoever sends it; ``None`` if any will do."""
    match phase:
        case Phase.KEYS:
            return PUBLIC_KEY_BYTES + BOX_KEY_BYTES + HASH_BYTES
        case Phase.SLOTS:
            return peers * ELEMENT_BYTES
        case Phase.PAYLOADS:
            return peers * ADDRESS_BYTES
        case Phase.SIGNING:
            return TX_SIGNATURE_BYTES
        case Phase.COMPLAINT:
            return 0
        case Phase.REVELATION:
            return BOX_KEY_BYTES + SALT_BYTES + ADDRESS_BYTES
        case Phase.EXHIBIT:
            return None


MAX_PAYLOAD_BYTES = 2**18
"""Longest payload of any message: bounds what can be exhibited. All else is at most 5120 bytes long."""

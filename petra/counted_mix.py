"""Mix sessions whose messages are counted and not sent: the outcome, and what it would have taken.

Sessions are formed as always, and every member brings a fresh address. The mix transaction lists outputs in the order
of their addresses, as every mix does: that permutation follows from the seed. All else is the engines' arithmetic for a
run without a fault, which ``tests/petra/test_counted_mix.py`` holds against executed sessions:

    both           N X25519 keys; 4 messages a member, each signed; and the mix signatures, which count as keys sign
    CoinShuffle    the N - 1 others check each message: 3 with a known key, one by recovering the mix signature;
                   member i of 0 … N-1 seals N-1-i layers and opens i
    DiceMix        all N check each message, its author too; N - 1 X25519 secrets a member; a pad for each of them,
                   for slots and for payloads; the slots are solved once by everybody
"""

from collections import Counter
from collections.abc import Sequence

from assets.counted import RECOVER, SIGN, Counts
from assets.hashing import keccak
from assets.keys import Digest
from assets.port import Ledger
from assets.transactions import sign
from mixer import envelope, protocol
from mixer.choice import engine_for
from mixer.coinshuffle import CoinShuffle
from mixer.dicemix import field, message
from mixer.dicemix import protocol as dicemix
from mixer.engine import DEFAULT_TIMEOUT_S
from petra.transports import Played, Table

NAME = "counted"

SESSIONS, MESSAGES, BYTES = "mix: sessions", "mix: messages posted", "mix: bytes posted"
VERIFY = "secp256k1: signature verified"
BOX_KEY, SHARE = "X25519: key made", "X25519: secret shared"
SEAL, OPEN = "X25519: layer sealed", "X25519: layer opened"
PAD_BYTES = "SHAKE-256: bytes of pads"

SLOT_PAD_BYTES = 18
"""Bytes of a pad for each slot (:mod:`mixer.dicemix.pads`)."""

_MEMO_TAG = keccak(b"PETra counted mix v1")


def slots_solved(peers: int) -> str:
    """Name of the operation that finds the slots of ``peers`` members from their power sums."""
    return f"DiceMix: slots of {peers} members solved"


def session_operations(engine: str, peers: int) -> Counts:
    """What a session of ``peers`` performs, all members together, but for the mix signatures themselves."""
    pairs = peers * (peers - 1)
    counts = Counter({SESSIONS: 1, MESSAGES: 4 * peers, SIGN: 4 * peers, BOX_KEY: peers})
    if engine == CoinShuffle.name:
        counts += Counter({VERIFY: 3 * pairs, RECOVER: pairs, SEAL: pairs // 2, OPEN: pairs // 2})
        counts[BYTES] = 4 * peers * envelope.MIN_ENVELOPE_BYTES + _coinshuffle_payload_bytes(peers)
    else:
        counts += Counter({VERIFY: 3 * peers**2, RECOVER: peers**2, SHARE: pairs, slots_solved(peers): peers})
        counts[PAD_BYTES] = pairs * peers * (SLOT_PAD_BYTES + dicemix.ADDRESS_BYTES)
        counts[BYTES] = 4 * peers * message.MIN_MESSAGE_BYTES + peers * (
            (dicemix.PUBLIC_KEY_BYTES + dicemix.BOX_KEY_BYTES + dicemix.HASH_BYTES)
            + peers * (field.ELEMENT_BYTES + dicemix.ADDRESS_BYTES)
            + dicemix.TX_SIGNATURE_BYTES
        )
    return counts


def _coinshuffle_payload_bytes(peers: int) -> int:
    each = protocol.PUBLIC_KEY_BYTES + protocol.BOX_KEY_BYTES + protocol.HASH_BYTES + protocol.TX_SIGNATURE_BYTES
    onions = sum((i + 1) * protocol.onion_bytes(peers, i) for i in range(peers - 1))
    return peers * each + onions + peers * protocol.ADDRESS_BYTES


def mix_operations(sizes: Sequence[int]) -> Counts:
    """The sum over sessions of those sizes, each with the engine that mixes so many."""
    total: Counts = Counter()
    for peers, sessions in Counter(sizes).items():
        for operation, count in session_operations(engine_for(peers).name, peers).items():
            total[operation] += sessions * count
    return total


class CountedTransport:
    """Carries nothing: every session ends as if all its members had followed the protocol."""

    name = NAME
    anonymous = False
    step_s = DEFAULT_TIMEOUT_S

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def follow(self, ledger: Ledger) -> None:
        """There is no board that would have to know."""

    def mix(self, tables: Sequence[Table]) -> list[Played]:
        """The outcome of every table, and its operations counted."""
        return [self._outcome(table) for table in tables]

    def _outcome(self, table: Table) -> Played:
        session = table.session
        outputs = [seat.fresh_address() for seat in table.seats]
        keys = {seat.key.address: seat.key for seat in table.seats}
        tx = session.transact(outputs, Digest(keccak(_MEMO_TAG + session.id)))
        mixed = sign(session.domain, tx, *(keys[owner] for owner in tx.owners))
        self._counts.update(session_operations(table.engine.name, session.size))
        return Played(session, mixed, (), (), 0, 0, 0.0)

    def round_s(self, peers: int, rounds: int = 5, *, in_turn: bool = False, message_bytes: int = 1024) -> float:
        """Messages that are not sent take no time."""
        return 0.0

    def account(self) -> list[str]:
        """Nothing was sent."""
        return []

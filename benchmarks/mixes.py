"""A whole mix session in memory, beside its bare cryptography.

N peers run in one process, so one session costs what all of them do together. Each posts an announcement, an onion
message (the last one the outputs), an agreement and a signature: 4N messages, each read by the N-1 others. Hence

    N(N-1) * 3     signatures verified with a known key: all messages but those that carry a mix signature
    N(N-1)         addresses recovered: the mix signatures, in the form in which the ledger takes them
    5N             signatures made: one for each message, and the mix signatures
    N(N-1) / 2     layers sealed: peer i (from 0) wraps its output for the N-1-i later ones
    N(N-1) / 2     layers opened: peer i peels the i onions that reach it

The bound is the sum of these counts times what each operation takes in coincurve and libsodium, measured in the same
run. ``tests/benchmarks`` counts the operations of real sessions and wants these numbers.
"""

from dataclasses import dataclass
from functools import partial

from coincurve import PrivateKey
from nacl.bindings import crypto_box_keypair, crypto_box_seal, crypto_box_seal_open

from assets.hashing import keccak
from assets.keys import Digest, ThrowAwayKeys
from assets.notes import IssuedNote, epa
from benchmarks import bare
from benchmarks.neighbourhood import DOMAIN, POWER_W, WINDOW
from benchmarks.row import Reference, Row
from benchmarks.signatures import SECRET
from benchmarks.sizes import Sizes
from benchmarks.timer import Action, Preparation, again, medians_s
from mixer.board import MemoryBoard
from mixer.peer import Peer
from mixer.protocol import onion_bytes
from mixer.run import run_in_memory
from mixer.session import MixSession

ORIGIN = Digest(keccak(b"PETra benchmarks: a withdrawal"))


@dataclass(frozen=True, slots=True)
class Operations:
    """Cryptographic operations: how many of each, or how long one of each takes in seconds."""

    verify: float
    recover: float
    sign: float
    seal: float
    open: float

    def times(self, other: "Operations") -> float:
        """The sum of the products: seconds, where one has the counts and the other the times."""
        return (
            self.verify * other.verify
            + self.recover * other.recover
            + self.sign * other.sign
            + self.seal * other.seal
            + self.open * other.open
        )


def operations(peers: int) -> Operations:
    """What a session of ``peers`` performs, all peers together."""
    pairs = peers * (peers - 1)
    return Operations(verify=3 * pairs, recover=pairs, sign=5 * peers, seal=pairs / 2, open=pairs / 2)


def rows(sizes: Sizes) -> list[Row]:
    """Sessions of several sizes."""
    return [_row(peers, sizes) for peers in sizes.peers]


def _row(peers: int, sizes: Sizes) -> Row:
    session_s, *crypto_s = medians_s(
        sizes.runs, partial(session_run, peers), *_bare_operations(peers, sizes.signatures)
    )
    bound_s = operations(peers).times(Operations(*(taken_s / sizes.signatures for taken_s in crypto_s)))
    reference = Reference("its bare cryptography (bound)", bound_s * 1e3)
    return Row(f"CoinShuffle session, N = {peers}", session_s * 1e3, "ms", sizes.runs, reference)


def session_run(peers: int) -> Action:
    """A session of ``peers`` that are ready to start."""
    keys = ThrowAwayKeys(0, f"benchmarks mix of {peers}")
    key_of = {key.address: key for key in (keys.fresh() for _ in range(peers))}
    notes = [IssuedNote(epa(owner, POWER_W, WINDOW, WINDOW), ORIGIN, index) for index, owner in enumerate(key_of)]
    session = MixSession(DOMAIN, WINDOW, tuple(sorted(notes, key=lambda note: note.id)), ORIGIN)
    ready = [Peer(session, key_of[owner], keys.fresh().address) for owner in session.owners]
    return partial(run_in_memory, session, ready, MemoryBoard())


def _bare_operations(peers: int, count: int) -> tuple[Preparation, ...]:
    """Preparations of ``count`` operations of each kind, in the order of the fields of :class:`Operations`."""
    key = PrivateKey(SECRET)
    digests = [keccak(number.to_bytes(8, "big")) for number in range(count)]
    public, secret = crypto_box_keypair()
    onion = bytes(onion_bytes(peers, peers // 2))
    sealed = [crypto_box_seal(onion, public) for _ in range(count)]

    def seal_all() -> None:
        for _ in range(count):
            crypto_box_seal(onion, public)

    def open_all() -> None:
        for box in sealed:
            crypto_box_seal_open(box, public, secret)

    return (
        again(bare.verify_all, key.public_key, [(d, key.sign(d, hasher=None)) for d in digests]),
        again(bare.recover_all, [(d, key.sign_recoverable(d, hasher=None)) for d in digests]),
        again(bare.sign_all, key, digests),
        again(seal_all),
        again(open_all),
    )

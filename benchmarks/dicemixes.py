"""DiceMix sessions in memory, beside their bare cryptography and beside CoinShuffle in the same run.

N peers run in one process, so one session costs what all of them do together; that says nothing about a network, over
which DiceMix takes 4 rounds and CoinShuffle N + 3. Each peer posts four messages, which all N read. Hence

    3·N²       signatures verified with a known key: all messages but those that carry a mix signature
    N²         addresses recovered: the mix signatures, in the form in which the ledger takes them
    5·N        signatures made: one for each message, and the mix signatures
    N·(N−1)    X25519 secrets shared

The bound is the sum of these counts times what each operation takes in coincurve and libsodium, and of one root
finding: peers that share a process find the roots once. Peers of their own find them each, so the row of one peer's CPU
adds it.
``tests/benchmarks`` counts the operations of real sessions and wants these numbers.
"""

from dataclasses import dataclass
from functools import partial

from coincurve import PrivateKey
from nacl.bindings import crypto_box_keypair, crypto_scalarmult

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
from mixer.dicemix import roots
from mixer.dicemix.field import P
from mixer.dicemix.pads import summed
from mixer.dicemix.powersums import polynomial, powers
from mixer.engine import Rules
from mixer.engines import engine_named
from mixer.follower import Seat
from mixer.mixing import mix_in_memory
from mixer.session import MixSession

ORIGIN = Digest(keccak(b"PETra benchmarks: a withdrawal"))


@dataclass(frozen=True, slots=True)
class Operations:
    """Cryptographic operations: how many of each, or how long one of each takes in seconds."""

    verify: float
    recover: float
    sign: float
    share: float

    def times(self, other: "Operations") -> float:
        """The sum of the products: seconds, where one has the counts and the other the times."""
        return (
            self.verify * other.verify
            + self.recover * other.recover
            + self.sign * other.sign
            + self.share * other.share
        )


def operations(peers: int) -> Operations:
    """What a session of ``peers`` performs, all peers together."""
    return Operations(verify=3 * peers**2, recover=peers**2, sign=5 * peers, share=peers * (peers - 1))


def rows(sizes: Sizes) -> list[Row]:
    """Root finding and sessions of several sizes."""
    return [row for peers in sizes.dicemix_peers for row in _rows(peers, sizes)]


def _rows(peers: int, sizes: Sizes) -> list[Row]:
    f = _polynomial(peers)
    dice_s, coin_s, fast_s, pure_s, *crypto_s = medians_s(
        sizes.dicemix_runs,
        partial(session_run, "dicemix", peers),
        partial(session_run, "coinshuffle", peers),
        again(roots.find_roots, f),
        again(roots.pure_roots, f),
        *_bare_operations(sizes.signatures),
    )
    bound_s = operations(peers).times(Operations(*(taken_s / sizes.signatures for taken_s in crypto_s))) + fast_s
    peer_s = dice_s / peers + fast_s * (1 - 1 / peers)

    def row(measured: str, value_s: float, reference: str, reference_s: float) -> Row:
        return Row(measured, value_s * 1e3, "ms", sizes.dicemix_runs, Reference(reference, reference_s * 1e3))

    finder = "python-flint" if roots.HAS_FLINT else "pure Python"
    return [
        row(f"DiceMix session, N = {peers}", dice_s, "its bare cryptography (bound)", bound_s),
        row(f"DiceMix session, N = {peers}", dice_s, "CoinShuffle session", coin_s),
        row(f"DiceMix, CPU of one peer, N = {peers}", peer_s, "CoinShuffle, CPU of one peer", coin_s / peers),
        row(f"DiceMix, {peers} slots from power sums, {finder}", fast_s, "the same in pure Python", pure_s),
    ]


def session_run(engine: str, peers: int) -> Action:
    """A session of ``peers`` that are ready to start, with nothing left over from an earlier one."""
    keys = ThrowAwayKeys(0, f"benchmarks mix of {peers}")
    key_of = {key.address: key for key in (keys.fresh() for _ in range(peers))}
    notes = [IssuedNote(epa(owner, POWER_W, WINDOW, WINDOW), ORIGIN, index) for index, owner in enumerate(key_of)]
    session = MixSession(DOMAIN, WINDOW, tuple(sorted(notes, key=lambda note: note.id)), ORIGIN)
    addresses = [keys.fresh().address for _ in range(peers)]
    seats = [Seat(key_of[o], partial(addresses.__getitem__, i)) for i, o in enumerate(session.owners)]
    roots.numbers.cache_clear()
    return partial(_mixed, engine, session, seats)


def _mixed(engine: str, session: MixSession, seats: list[Seat]) -> None:
    if mix_in_memory(engine_named(engine), session, Rules(minimum=2), seats, MemoryBoard()).mixed is None:
        raise RuntimeError(f"honest peers did not mix with {engine}")


def _polynomial(peers: int) -> tuple[int, ...]:
    """What a slots phase of ``peers`` ends with."""
    numbers = [int.from_bytes(keccak(f"number {peer}".encode()), "big") % P for peer in range(peers)]
    return polynomial(summed([powers(number, peers) for number in numbers]))


def _bare_operations(count: int) -> tuple[Preparation, ...]:
    """Preparations of ``count`` operations of each kind, in the order of the fields of :class:`Operations`."""
    key = PrivateKey(SECRET)
    digests = [keccak(number.to_bytes(8, "big")) for number in range(count)]
    public, _ = crypto_box_keypair()
    _, secret = crypto_box_keypair()

    def share_all() -> None:
        for _ in range(count):
            crypto_scalarmult(secret, public)

    return (
        again(bare.verify_all, key.public_key, [(d, key.sign(d, hasher=None)) for d in digests]),
        again(bare.recover_all, [(d, key.sign_recoverable(d, hasher=None)) for d in digests]),
        again(bare.sign_all, key, digests),
        again(share_all),
    )

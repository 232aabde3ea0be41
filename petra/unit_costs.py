"""What one operation takes on this machine: CPU seconds, measured now, of what an executed run calls."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import shake_256

from assets.counted import KEY, RECOVER, SIGN, Counts
from assets.hashing import keccak
from assets.keys import Digest, SigningKey, recover_address
from mixer.dicemix.field import P
from mixer.dicemix.keys import RunKey
from mixer.dicemix.pads import summed
from mixer.dicemix.powersums import polynomial, powers
from mixer.dicemix.roots import find_roots
from mixer.onion import BoxKey, wrap
from mixer.signatures import check_key
from petra.counted_mix import BOX_KEY, OPEN, PAD_BYTES, SEAL, SHARE, VERIFY, slots_solved

SECRET = keccak(b"PETra unit costs: a key that signs nothing of worth")

REPEATS = 100
"""How often an operation is timed; a solution of slots, which takes longest, once."""

PAD_SAMPLE_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Cost:
    """An operation that was counted."""

    operation: str
    count: int
    unit_us: float | None
    """CPU microseconds of one; ``None`` for what is counted and costs nothing by itself, such as sessions."""

    @property
    def cpu_s(self) -> float:
        """CPU seconds that all of them would have taken."""
        return self.count * (self.unit_us or 0.0) / 1e6


def costs_of(counts: Counts) -> list[Cost]:
    """Every operation of ``counts`` with its unit cost, by name."""
    solved = {slots_solved(peers): peers for peers in range(2, 257)}
    basic = _basic()
    found = []
    for operation in sorted(counts):
        unit_s = None
        if operation in basic:
            unit_s = _each_s(basic[operation], REPEATS)
        elif operation in solved:
            unit_s = _each_s(_solve(solved[operation]), 1)
        if operation == PAD_BYTES and unit_s is not None:
            unit_s /= PAD_SAMPLE_BYTES
        found.append(Cost(operation, counts[operation], None if unit_s is None else unit_s * 1e6))
    return found


def _basic() -> dict[str, Callable[[], object]]:
    """One call of each operation whose cost does not depend on the size of a session."""
    key, message = SigningKey(SECRET), Digest(keccak(b"message"))
    signature = key.sign(message)
    public = key.public_key
    mine, other, box = RunKey(), RunKey(), BoxKey()
    address = key.address
    onion = wrap(address, [box.public])
    return {
        KEY: lambda: SigningKey(SECRET),
        SIGN: lambda: key.sign(message),
        RECOVER: lambda: recover_address(message, signature),
        VERIFY: lambda: check_key(public, message, signature[:64]),
        BOX_KEY: RunKey,
        SHARE: lambda: mine.shared(other.public),
        SEAL: lambda: wrap(address, [box.public]),
        OPEN: lambda: box.peel(onion),
        PAD_BYTES: lambda: shake_256(SECRET).digest(PAD_SAMPLE_BYTES),
    }


def _solve(peers: int) -> Callable[[], object]:
    numbers = [int.from_bytes(keccak(f"number {peer}".encode()), "big") % P for peer in range(peers)]
    wanted = polynomial(summed([powers(number, peers) for number in numbers]))
    return lambda: find_roots(wanted)


def _each_s(operation: Callable[[], object], repeats: int) -> float:
    operation()
    started = time.process_time()
    for _ in range(repeats):
        operation()
    return (time.process_time() - started) / repeats

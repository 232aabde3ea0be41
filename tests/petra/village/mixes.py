"""A mix session in memory whose members use any engine."""

from assets.hashing import keccak
from assets.keys import Address, Digest, SigningKey
from assets.notes import IssuedNote, epa
from assets.transactions import Domain
from mixer.session import MixSession


def members(size: int):
    """A session of so many notes, and the keys of their owners in the session's order."""
    keys = {key.address: key for key in (SigningKey(bytes([i + 1]) * 32) for i in range(size))}
    origin = Digest(keccak(b"a withdrawal"))
    notes = sorted((IssuedNote(epa(owner, 1000, 0, 0), origin, i) for i, owner in enumerate(keys)), key=lambda n: n.id)
    session = MixSession(Domain(1337, Address(bytes(20))), 0, tuple(notes), origin)
    return session, [keys[owner] for owner in session.owners]


def play(engines, run, keys, now_s):
    """Play one run over a board that shows everybody the same: its outcome, and the time."""
    outputs = iter(range(1, 10_000))
    players = {
        m: engines[m].play(run, keys[m], Address(keccak(b"%d %d %d" % (run.number, m, next(outputs)))[12:]))
        for m in run.members
    }
    watcher = engines[run.members[0]].watch(run)
    log = [message for player in players.values() for message in player.begin()]
    while watcher.outcome is None:
        while log:
            message = log.pop(0)
            watcher.receive(message)
            for player in players.values():
                log += player.receive(message)
        if watcher.outcome is None:
            now_s = watcher.deadline_s
            watcher.tick(now_s)
            for player in players.values():
                log += player.tick(now_s)
    return watcher.outcome, now_s

"""What a bid store lets strangers do, on one page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps and times. They count by note, never by network address: everybody comes through onion circuits."""

    body_bytes: int = 32 * 1024
    """Longest request; an order with 16 FA notes takes about 6 KiB."""
    requests_per_note: int = 32
    """Postings and cancellations of one energy note in a window."""
    note_window_s: int = 600
    """Length of that window, in ledger time."""
    waiting: int = 256
    """Requests that are verified or written at a time in one replica; beyond that it says that it is busy."""
    readers: int = 1024
    """Streams that one replica serves at a time."""
    challenge_s: int = 600
    """Life of a challenge, in ledger time."""
    gate_s: int = 60
    """Orders for an interval are taken until this long before it starts; then its auction is held."""
    seed_wait_s: int = 20
    """How long an auction waits for a ledger entry after gate closure, which nobody knew before, to break ties by."""
    batch_bytes: int = 4096
    """Events reach readers in batches whose size is a multiple of this."""
    tick_s: float = 1.0
    """How often the leader works, and how often a stream carries a batch."""

    def __post_init__(self) -> None:
        whole = (self.body_bytes, self.requests_per_note, self.note_window_s, self.waiting, self.readers)
        if (
            min(*whole, self.challenge_s, self.batch_bytes) < 1
            or min(self.gate_s, self.seed_wait_s) < 0
            or self.tick_s <= 0
        ):
            raise ValueError("limits of a bid store are at least 1, gate_s and seed_wait_s at least 0, tick_s above 0")

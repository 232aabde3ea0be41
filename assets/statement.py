"""Period statements: what a smart meter tells the DSO. Totals only, never an interval.

Source: PETra paper, section "Smart-Meter Based Billing"; docs/billing.md has the equations. A statement is signed like
a transaction (EIP-712, the ledger's domain), so one signature is good for one ledger only.
"""

from dataclasses import dataclass

from assets.hashing import keccak
from assets.intervals import IntervalGrid
from assets.keys import Address, Digest, Signer
from assets.transactions import Domain
from assets.words import word

_STATEMENT_TYPE = keccak(
    b"Statement(uint32 meter,uint64 nonce,uint32 first,uint32 last,uint128 importWh,uint128 exportWh,"
    b"uint128 faWithdrawnNano,uint128 faDepositedNano,int256 billNano)"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a meter bills for the intervals ``first..last`` (inclusive).

    Raises ``ValueError`` for a value that its type in the signed encoding cannot hold.
    """

    meter: int
    """The meter's number at the DSO."""
    nonce: int
    """How many statements the meter made before: forbids replays."""
    first: int
    """First interval of the period."""
    last: int
    """Last interval of the period (inclusive)."""
    import_wh: int
    """Sum of the residuals E that are positive: energy bought from the DSO."""
    export_wh: int
    """Sum of the residuals E that are negative, as a positive number: energy sold to the DSO."""
    fa_withdrawn_nano: int
    """FA that the meter issued on the bills of the period; anybody can check it on the ledger."""
    fa_deposited_nano: int
    """FA deposited in time on the bills of the period."""
    bill_nano: int
    """Sum of the bills B: what the prosumer owes the DSO; negative if the DSO owes the prosumer."""

    def __post_init__(self) -> None:
        for name, bits in _UNSIGNED_BITS.items():
            if not 0 <= getattr(self, name) < 2**bits:
                raise ValueError(f"{name} of a statement is between 0 and 2**{bits}-1")
        if not -(2**255) <= self.bill_nano < 2**255:
            raise ValueError("bill_nano of a statement is a signed 256-bit integer")
        if self.first > self.last:
            raise ValueError(f"a statement covers first..last; {self.first} lies after {self.last}")

    @property
    def residual_wh(self) -> int:
        """Sum of the residuals E of the period (signed)."""
        return self.import_wh - self.export_wh

    @property
    def energy_nano(self) -> int:
        """The bill without FA: the sum of E times its price (signed)."""
        return self.bill_nano - self.fa_withdrawn_nano + self.fa_deposited_nano


_UNSIGNED_BITS = {
    "meter": 32,
    "nonce": 64,
    "first": 32,
    "last": 32,
    "import_wh": 128,
    "export_wh": 128,
    "fa_withdrawn_nano": 128,
    "fa_deposited_nano": 128,
}


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """A statement with its meter's signature (65 bytes: ``r ‖ s ‖ v``)."""

    statement: Statement
    signature: bytes

    def signer(self, domain: Domain) -> Address:
        """Whose key signed it for the ledger ``domain``; the zero address if nobody's did."""
        return domain.recover(statement_digest(domain, self.statement), self.signature)


def statement_digest(domain: Domain, s: Statement) -> Digest:
    """The EIP-712 digest of a statement on the ledger ``domain``; ``billNano`` is int256 in two's complement."""
    body = _STATEMENT_TYPE + b"".join(word(getattr(s, name)) for name in _UNSIGNED_BITS) + signed_word(s.bill_nano)
    return Digest(keccak(b"\x19\x01" + domain.separator + keccak(body)))


def signed_word(value: int) -> bytes:
    """A signed integer as one big-endian 32-byte word of the EVM ABI (two's complement).

    Raises ``OverflowError`` outside of int256.
    """
    return value.to_bytes(32, "big", signed=True)


def sign_statement(domain: Domain, statement: Statement, key: Signer) -> SignedStatement:
    """``statement`` signed by its meter's key."""
    return SignedStatement(statement, key.sign(statement_digest(domain, statement)))


# --- Which bill a ledger entry belongs to ----------------------------------------------------------------


def deposit_deadline_s(grid: IntervalGrid, t: int, gate_s: int) -> int:
    """Ledger time (Unix seconds) before which a deposit for interval ``t`` must be recorded to count."""
    return grid.end_s(t) + gate_s


def first_open_interval(grid: IntervalGrid, time_s: int, gate_s: int) -> int:
    """The earliest interval whose deposit deadline lies after ledger time ``time_s``."""
    return max(0, (time_s - gate_s - grid.genesis_s) // grid.interval_s)


def billed_window(grid: IntervalGrid, window: int, time_s: int, gate_s: int) -> int:
    """The interval on whose bill FA stands that was withdrawn for ``window`` and recorded at ``time_s``.

    That is ``window``, unless its bill was closed before the withdrawal reached the ledger: then it is the first
    interval still open. FA thus always stands on a bill, however long a signed withdrawal was held back.
    """
    return max(window, first_open_interval(grid, time_s, gate_s))

"""The private statement of a period: one number for the DSO, and the proof that it is the price-weighted sum.

    C_t  = import_t * V + r_t * G,   D_t = export_t * V + s_t * G,   F = FA deposited * V + u * G
    B    = FA withdrawn - FA deposited + Σ p_c(t) import_t - Σ p_p(t) export_t
    ρ    = Σ p_c(t) r_t - Σ p_p(t) s_t - u                                        modulo the order of the group
    check:  Σ p_c(t) C_t - Σ p_p(t) D_t - F  =  (B - FA withdrawn) * V + ρ * G

Source: PETra paper, "Smart-Meter Based Billing" for B; T. P. Pedersen, "Non-interactive and information-theoretic
secure verifiable secret sharing" (CRYPTO 1991) for the commitment; docs/statements.md for what it proves.
"""

from dataclasses import dataclass

from assets.commitments.group import POINT_BYTES, Group, group_id
from assets.commitments.sheet import MAX_INTERVALS, PAIR_BYTES, Sheet
from assets.commitments.tariff import Level, Prices, levels, prices_hash
from assets.hashing import keccak
from assets.keys import Address, Digest, Signer, recover_address
from assets.statement import signed_word
from assets.transactions import Domain
from assets.words import exactly, word

_STATEMENT_TYPE = keccak(
    b"PrivateStatement(uint32 meter,uint64 nonce,uint32 first,uint32 last,bytes32 group,bytes32 sheets,bytes32 prices,"
    b"bytes32 totals,bytes32 faDeposited,uint128 faWithdrawnNano,int256 billNano,uint256 blinding)"
)


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of a period's commitments over all intervals at one pair of prices: what the contract works with."""

    level: Level
    imported: bytes
    exported: bytes


@dataclass(frozen=True, slots=True)
class PrivateStatement:
    """What a meter bills for the intervals ``first..last`` without showing any of them.

    Raises ``ValueError`` for a value that its type in the signed encoding cannot hold.
    """

    meter: int
    """The meter's number at the DSO."""
    nonce: int
    """How many private statements the meter made before: forbids replays."""
    first: int
    last: int
    """The period (inclusive)."""
    sheets: tuple[Digest, ...]
    """Digests of the sheets that cover the period, in order."""
    prices: Prices
    """The public prices that the sum is weighted with."""
    totals: tuple[Total, ...]
    """The sums of commitments for each pair of prices, lowest prices first; anybody can add them up from the sheets."""
    fa_deposited: bytes
    """F: commitment to the FA deposited in time on the bills of the period, 64 bytes."""
    fa_withdrawn_nano: int
    """FA that the meter issued on the bills of the period; anybody can check it on the ledger."""
    bill_nano: int
    """B of the period: what the prosumer owes the DSO; negative if the DSO owes the prosumer."""
    blinding: int
    """ρ: the weighted sum of all blindings, below the order of the group."""

    def __post_init__(self) -> None:
        for name, bits in _UNSIGNED_BITS.items():
            if not 0 <= getattr(self, name) < 2**bits:
                raise ValueError(f"{name} of a statement is between 0 and 2**{bits}-1")
        if not -(2**200) < self.bill_nano < 2**200:
            raise ValueError("bill_nano of a private statement lies between -2**200 and 2**200: no sum can wrap around")
        if not self.first <= self.last < self.first + MAX_INTERVALS:
            raise ValueError(f"a statement covers first..last, at most {MAX_INTERVALS} intervals")
        for points in (self.fa_deposited, *(p for total in self.totals for p in (total.imported, total.exported))):
            exactly(points, POINT_BYTES)
        prices_hash(self.prices)


_UNSIGNED_BITS = {"meter": 32, "nonce": 64, "first": 32, "last": 32, "fa_withdrawn_nano": 128, "blinding": 256}


@dataclass(frozen=True, slots=True)
class SignedPrivateStatement:
    """A private statement with its meter's signature (65 bytes: ``r ‖ s ‖ v``)."""

    statement: PrivateStatement
    signature: bytes

    def signer(self, domain: Domain, group: Group) -> Address:
        """Whose key signed it for this ledger and group; the zero address if nobody's did."""
        return recover_address(private_digest(domain, group, self.statement), self.signature)


def private_digest(domain: Domain, group: Group, s: PrivateStatement) -> Digest:
    """The EIP-712 digest of a private statement on the ledger ``domain``."""
    body = (
        _STATEMENT_TYPE
        + word(s.meter)
        + word(s.nonce)
        + word(s.first)
        + word(s.last)
        + group_id(group)
        + keccak(b"".join(exactly(digest, 32) for digest in s.sheets))
        + prices_hash(s.prices)
        + totals_hash(s.totals)
        + keccak(s.fa_deposited)
        + word(s.fa_withdrawn_nano)
        + signed_word(s.bill_nano)
        + word(s.blinding)
    )
    return Digest(keccak(b"\x19\x01" + domain.separator + keccak(body)))


def totals_hash(totals: tuple[Total, ...]) -> bytes:
    """Keccak-256 over six words for each total: its two prices, the sum of imports (x, y), that of exports (x, y)."""
    return keccak(b"".join(total_words(total) for total in totals))


def total_words(total: Total) -> bytes:
    """A total as six words of the EVM ABI."""
    level = total.level
    prices = word(level.consumption_nano_per_wh, 64) + word(level.production_nano_per_wh, 64)
    return prices + total.imported + total.exported


def sign_private(domain: Domain, group: Group, statement: PrivateStatement, key: Signer) -> SignedPrivateStatement:
    """``statement`` signed by its meter's key."""
    return SignedPrivateStatement(statement, key.sign(private_digest(domain, group, statement)))


def totals_of(group: Group, sheets: tuple[Sheet, ...], prices: Prices) -> tuple[Total, ...]:
    """The sums of the sheets' commitments for each pair of prices.

    The sheets must cover the prices' intervals in order, without a gap.
    Raises :class:`~assets.commitments.group.NoPoint`.
    """
    first = sheets[0].first
    imported: dict[Level, list[bytes]] = {level: [] for level in levels(prices)}
    exported: dict[Level, list[bytes]] = {level: [] for level in imported}
    points = b"".join(sheet.points for sheet in sheets)
    for run in prices:
        ends = range((run.first - first) * PAIR_BYTES + POINT_BYTES, (run.last + 1 - first) * PAIR_BYTES, PAIR_BYTES)
        imported[run.level] += [points[at - POINT_BYTES : at] for at in ends]
        exported[run.level] += [points[at : at + POINT_BYTES] for at in ends]
    return tuple(Total(level, group.sum(imported[level]), group.sum(exported[level])) for level in imported)

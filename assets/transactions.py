"""Transactions of the ledger and the digests that are signed. Source: PETra paper, section "Transactions".

A transaction is plain data; :class:`Signed` adds its signatures. Digests follow EIP-712 over the domain
``PETra`` version 1, so that wallets can show what they sign; golden vectors stand in ``tests/assets/vectors``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from assets.domain import Domain as Domain
from assets.errors import EncodingError, Refusal
from assets.hashing import keccak
from assets.keys import SIGNATURE_BYTES, ZERO_ADDRESS, Address, Digest, Signer
from assets.notes import IssuedNote, Note, note_words, owner_runs
from assets.orders import FILL, Fill, fill_hash
from assets.words import address_word, exactly, word

NO_MEMO = Digest(bytes(32))


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Smart-meter transaction: a meter issues notes to its prosumer. Public, and tied to the meter."""

    meter: int
    """The meter's number at the DSO."""
    nonce: int
    """How many withdrawals the meter made before: forbids replays."""
    window: int
    """Delivery interval on whose bill the FA of this withdrawal stands."""
    outputs: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Transact:
    """Energy and financial transaction: notes change hands, are split or merged; also mixes and deposits."""

    inputs: tuple[IssuedNote, ...]
    outputs: tuple[Note, ...]
    memo: Digest = NO_MEMO
    """32 free bytes; a mix puts the hash of its transcript here."""

    @property
    def owners(self) -> tuple[Address, ...]:
        """Who has to sign, in order: one entry for each run of consecutive inputs of the same owner."""
        return owner_runs(self.inputs)


@dataclass(frozen=True, slots=True)
class Settle:
    """Matched orders, carried to the ledger by anybody: each fill settles, or fails on its own.

    Nobody signs it as a whole. On the ledger stand the fills that settled, and only those.
    """

    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Voids orders for good, whoever holds them."""

    owner: Address
    """Owner of the orders' energy notes; who signs."""
    nonces: int
    """256 bits: bit ``n`` voids the orders with nonce ``n``."""


@dataclass(frozen=True, slots=True)
class FeederCapacity:
    """How much power the homes of a feeder may issue together in any interval."""

    feeder: int
    export_w: int
    """Cap on the feeder's EPA."""
    import_w: int
    """Cap on the feeder's ECA."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """A meter and what it may issue; authorising again replaces key and limits and lifts a ban."""

    meter: int
    key: Address
    feeder: int
    max_epa_w: int
    """MAXEPA: most EPA power in any interval, over all withdrawals ever."""
    max_eca_w: int
    """MAXECA: most ECA power in any interval, over all withdrawals ever."""
    credit_nano: int
    """Most FA that may be withdrawn and not yet settled."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The DSO was paid, or paid: that much of a meter's withdrawn FA is settled."""

    meter: int
    amount_nano: int


@dataclass(frozen=True, slots=True)
class PriceChange:
    """The DSO's two prices for all intervals that start at or after ``time_s``, until a later record overrides it."""

    time_s: int
    consumption_nano_per_wh: int
    production_nano_per_wh: int


def price_in_force(prices: Sequence[PriceChange], start_s: int) -> PriceChange | None:
    """The last of ``prices``, in the order of their recording, with ``time_s`` at or before ``start_s``, if any."""
    return next((p for p in reversed(prices) if p.time_s <= start_s), None)


@dataclass(frozen=True, slots=True)
class Regulate:
    """Regulatory transaction of the DSO. Applied in the order of the fields."""

    nonce: int
    feeders: tuple[FeederCapacity, ...] = ()
    authorise: tuple[Authorisation, ...] = ()
    ban: tuple[int, ...] = ()
    settle: tuple[Settlement, ...] = ()
    prices: tuple[PriceChange, ...] = ()
    time_s: int = 0
    """Ledger time, Unix seconds, from which feeders, authorisations and bans take effect; 0: at once."""
    successor: Address = ZERO_ADDRESS
    """The DSO's next key, from the next transaction on; zero: the key stays. It signs this one, too, as proof that it
    is somebody's."""


Transaction = Withdraw | Transact | Settle | Cancel | Regulate


def inputs_of(tx: Transaction) -> tuple[IssuedNote, ...]:
    """The notes that ``tx`` spends, in order."""
    match tx:
        case Transact(inputs=inputs):
            return inputs
        case Settle(fills):
            return tuple(note for f in fills for order in (f.sell.order, f.buy.order) for note in order.notes)
    return ()


def outputs_of(tx: Transaction, interval_s: int) -> tuple[Note, ...]:
    """The notes that ``tx`` creates, in order, on a ledger with intervals of ``interval_s`` seconds."""
    match tx:
        case Withdraw(outputs=outputs) | Transact(outputs=outputs):
            return outputs
        case Settle(fills):
            return tuple(note for fill in fills for note in fill.outputs(interval_s))
    return ()


T_co = TypeVar("T_co", Withdraw, Transact, Settle, Cancel, Regulate, Transaction, covariant=True)


@dataclass(frozen=True, slots=True)
class Signed(Generic[T_co]):
    """A transaction with its signatures (65 bytes each: ``r ‖ s ‖ v``).

    A :class:`Transact` carries one for each entry of its ``owners``; a :class:`Settle` none, its orders have theirs; a
    :class:`Regulate` that names a successor two; all others one.
    """

    tx: T_co
    signatures: tuple[bytes, ...]


_NOTE = b"Note(uint8 kind,address owner,uint64 quantity,uint32 start,uint32 end)"
_AUTHORISATION = (
    b"Authorisation(uint32 meter,address key,uint32 feeder,uint64 maxEpaW,uint64 maxEcaW,uint64 creditNano)"
)
_FEEDER = b"FeederCapacity(uint32 feeder,uint64 exportW,uint64 importW)"
_PRICE = b"PriceChange(uint64 timeS,uint64 consumptionNanoPerWh,uint64 productionNanoPerWh)"
_SETTLEMENT = b"Settlement(uint32 meter,uint64 amountNano)"

_NOTE_TYPE = keccak(_NOTE)
_AUTHORISATION_TYPE = keccak(_AUTHORISATION)
_FEEDER_TYPE = keccak(_FEEDER)
_PRICE_TYPE = keccak(_PRICE)
_SETTLEMENT_TYPE = keccak(_SETTLEMENT)
_WITHDRAW_TYPE = keccak(b"Withdraw(uint32 meter,uint64 nonce,uint32 window,Note[] outputs)" + _NOTE)
_TRANSACT_TYPE = keccak(b"Transact(bytes32[] inputs,Note[] outputs,bytes32 memo)" + _NOTE)
_SETTLE_TYPE = keccak(b"Settle(Fill[] fills)" + FILL)
_CANCEL_TYPE = keccak(b"Cancel(address owner,uint256 nonces)")
_REGULATE_TYPE = keccak(
    b"Regulate(uint64 nonce,FeederCapacity[] feeders,Authorisation[] authorise,uint32[] ban,"
    b"Settlement[] settle,PriceChange[] prices,uint40 timeS,address successor)"
    + _AUTHORISATION
    + _FEEDER
    + _PRICE
    + _SETTLEMENT
)


def settled_part(tx: Settle, verdicts: Sequence[Refusal | None]) -> Settle:
    """The settlement of those fills that were not refused: what then stands on the ledger."""
    return Settle(tuple(fill for fill, refusal in zip(tx.fills, verdicts, strict=True) if refusal is None))


def check_encodable(signed: Signed[Transaction]) -> None:
    """Raise :class:`~assets.errors.EncodingError` for signatures that no ledger can be given."""
    if isinstance(signed.tx, Settle):
        if signed.signatures:
            raise EncodingError("nobody signs a settlement; its orders carry their owners' signatures")
        orders = [order for fill in signed.tx.fills for order in (fill.sell, fill.buy)]
    else:
        orders = []
    for signature in (*signed.signatures, *(s for order in orders for s in order.signatures)):
        exactly(signature, SIGNATURE_BYTES)


def digest(domain: Domain, tx: Transaction) -> Digest:
    """The EIP-712 digest of ``tx`` on the ledger ``domain``: what is signed, and what identifies the transaction.

    Raises :class:`~assets.errors.EncodingError` for a transaction that the signed types cannot express (a negative
    number, an address that has not 20 bytes): no ledger can even be asked about it.
    """
    return domain.seal(_struct_hash(domain, tx))


def sign(domain: Domain, tx: T_co, *keys: Signer) -> Signed[T_co]:
    """``tx`` signed by ``keys`` in the order given; the ledger judges whether they are the right ones."""
    message = digest(domain, tx)
    return Signed(tx, tuple(key.sign(message) for key in keys))


def _struct_hash(domain: Domain, tx: Transaction) -> bytes:
    match tx:
        case Withdraw(meter, nonce, window, outputs):
            body = _WITHDRAW_TYPE + word(meter, 32) + word(nonce, 64) + word(window, 32) + _hash_notes(outputs)
        case Transact(inputs, outputs, memo):
            ids = keccak(b"".join(i.id for i in inputs))
            body = _TRANSACT_TYPE + ids + _hash_notes(outputs) + exactly(memo, 32)
        case Settle(fills):
            body = _SETTLE_TYPE + keccak(b"".join(fill_hash(domain, fill) for fill in fills))
        case Cancel(owner, nonces):
            body = _CANCEL_TYPE + address_word(owner) + word(nonces)
        case Regulate(nonce, feeders, authorise, ban, settle, prices, time_s, successor):
            body = (
                _REGULATE_TYPE
                + word(nonce, 64)
                + _hash_all(_feeder(f) for f in feeders)
                + _hash_all(_authorisation(a) for a in authorise)
                + keccak(b"".join(word(meter, 32) for meter in ban))
                + _hash_all(_SETTLEMENT_TYPE + word(s.meter, 32) + word(s.amount_nano, 64) for s in settle)
                + _hash_all(_price(p) for p in prices)
                + word(time_s, 40)
                + address_word(successor)
            )
    return keccak(body)


def _feeder(f: FeederCapacity) -> bytes:
    return _FEEDER_TYPE + word(f.feeder, 32) + word(f.export_w, 64) + word(f.import_w, 64)


def _authorisation(a: Authorisation) -> bytes:
    limits = word(a.max_epa_w, 64) + word(a.max_eca_w, 64) + word(a.credit_nano, 64)
    return _AUTHORISATION_TYPE + word(a.meter, 32) + address_word(a.key) + word(a.feeder, 32) + limits


def _price(p: PriceChange) -> bytes:
    prices = word(p.consumption_nano_per_wh, 64) + word(p.production_nano_per_wh, 64)
    return _PRICE_TYPE + word(p.time_s, 64) + prices


def _hash_notes(notes: Iterable[Note]) -> bytes:
    return _hash_all(_NOTE_TYPE + note_words(n) for n in notes)


def _hash_all(structs: Iterable[bytes]) -> bytes:
    return keccak(b"".join(keccak(s) for s in structs))

"""Transactions of the ledger and the digests that are signed. Source: PETra paper, section "Transactions".

A transaction is plain data; :class:`Signed` adds its signatures. Digests follow EIP-712 over the domain
``PETra`` version 1, so that wallets can show what they sign; golden vectors stand in ``tests/assets/vectors``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from assets.hashing import keccak
from assets.keys import Address, Digest, SigningKey
from assets.notes import IssuedNote, Note, address_word, exactly, note_words, word

NO_MEMO = Digest(bytes(32))


@dataclass(frozen=True, slots=True)
class Domain:
    """The one ledger for which a signature is good (EIP-712 domain ``PETra``, version ``1``)."""

    chain_id: int
    contract: Address

    @property
    def separator(self) -> bytes:
        """``hashStruct`` of the domain."""
        return keccak(_DOMAIN_TYPE + _NAME + _VERSION + word(self.chain_id) + address_word(self.contract))


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
        """Who has to sign, in order: one entry for each run of consecutive inputs of the same owner.

        A wallet that keeps an owner's inputs together thus signs once per distinct owner.
        """
        owners: list[Address] = []
        for issued_note in self.inputs:
            if not owners or owners[-1] != issued_note.note.owner:
                owners.append(issued_note.note.owner)
        return tuple(owners)


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


Transaction = Withdraw | Transact | Regulate
T_co = TypeVar("T_co", Withdraw, Transact, Regulate, Transaction, covariant=True)


@dataclass(frozen=True, slots=True)
class Signed(Generic[T_co]):
    """A transaction with its signatures (65 bytes each: ``r ‖ s ‖ v``).

    A :class:`Transact` carries one for each entry of its ``owners``, the others exactly one.
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

_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_NAME = keccak(b"PETra")
_VERSION = keccak(b"1")
_NOTE_TYPE = keccak(_NOTE)
_AUTHORISATION_TYPE = keccak(_AUTHORISATION)
_FEEDER_TYPE = keccak(_FEEDER)
_PRICE_TYPE = keccak(_PRICE)
_SETTLEMENT_TYPE = keccak(_SETTLEMENT)
_WITHDRAW_TYPE = keccak(b"Withdraw(uint32 meter,uint64 nonce,uint32 window,Note[] outputs)" + _NOTE)
_TRANSACT_TYPE = keccak(b"Transact(bytes32[] inputs,Note[] outputs,bytes32 memo)" + _NOTE)
_REGULATE_TYPE = keccak(
    b"Regulate(uint64 nonce,FeederCapacity[] feeders,Authorisation[] authorise,uint32[] ban,"
    b"Settlement[] settle,PriceChange[] prices)" + _AUTHORISATION + _FEEDER + _PRICE + _SETTLEMENT
)


def digest(domain: Domain, tx: Transaction) -> Digest:
    """The EIP-712 digest of ``tx`` on the ledger ``domain``: what is signed, and what identifies the transaction.

    Raises :class:`~assets.errors.EncodingError` for a transaction that the signed types cannot express (a negative
    number, an address that has not 20 bytes): no ledger can even be asked about it.
    """
    return Digest(keccak(b"\x19\x01" + domain.separator + _struct_hash(tx)))


def sign(domain: Domain, tx: T_co, *keys: SigningKey) -> Signed[T_co]:
    """``tx`` signed by ``keys`` in the order given; the ledger judges whether they are the right ones."""
    message = digest(domain, tx)
    return Signed(tx, tuple(key.sign(message) for key in keys))


def _struct_hash(tx: Transaction) -> bytes:
    match tx:
        case Withdraw(meter, nonce, window, outputs):
            body = _WITHDRAW_TYPE + word(meter, 32) + word(nonce, 64) + word(window, 32) + _hash_notes(outputs)
        case Transact(inputs, outputs, memo):
            ids = keccak(b"".join(i.id for i in inputs))
            body = _TRANSACT_TYPE + ids + _hash_notes(outputs) + exactly(memo, 32)
        case Regulate(nonce, feeders, authorise, ban, settle, prices):
            body = (
                _REGULATE_TYPE
                + word(nonce, 64)
                + _hash_all(_feeder(f) for f in feeders)
                + _hash_all(_authorisation(a) for a in authorise)
                + keccak(b"".join(word(meter, 32) for meter in ban))
                + _hash_all(_SETTLEMENT_TYPE + word(s.meter, 32) + word(s.amount_nano, 64) for s in settle)
                + _hash_all(_price(p) for p in prices)
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

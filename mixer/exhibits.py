"""Showing that a member spent its note elsewhere: a transaction from the ledger, carried by a message.

The owner's own signature convicts it, so nobody has to believe whoever shows the transaction, nor the ledger.
"""

from collections.abc import Collection, Iterator

from assets import codec
from assets.errors import EncodingError
from assets.keys import Address, Digest, recover_address
from assets.notes import NoteId
from assets.orders import SignedOrder, order_digest
from assets.transactions import Domain, Settle, Signed, Transact, Transaction, digest, inputs_of
from mixer.session import MixSession


class NotAnExhibit(Exception):
    """The bytes are no transaction in which a member's own signature spends its note."""


class OwnMix(Exception):
    """The transaction is a mix of this session that the log itself accounts for: it accuses nobody."""


def encode_exhibit(spend: Signed[Transaction]) -> bytes:
    """The payload that shows ``spend``: its canonical JSON. Raises ``EncodingError`` for what no ledger accepts."""
    return codec.canonical(codec.signed_to_json(spend))


def read_exhibit(session: MixSession, members: Collection[int], payload: bytes, mixes: Collection[Digest]) -> list[int]:
    """Which of ``members`` the transaction in ``payload`` convicts, ascending. ``mixes`` are the session's own.

    Raises :class:`OwnMix` for one of those, and :class:`NotAnExhibit` if it convicts nobody. A transaction that could
    be the mix of another log (:func:`could_be_a_mix`) has to carry every owner's signature: one that does not is no
    spend, but what a member honestly signs in an opening that came to nothing.
    """
    try:
        signed = codec.signed_from_json(codec.parse(payload))
        spenders = set(_spenders(session.domain, signed))
    except (EncodingError, ValueError):
        raise NotAnExhibit from None
    if isinstance(signed.tx, Transact) and digest(session.domain, signed.tx) in mixes:
        raise OwnMix
    guilty = [m for m in sorted(members) if (session.input_ids[m], session.owners[m]) in spenders]
    if not guilty or (_only_of_the_session(session, signed.tx) and not _complete(session.domain, signed)):
        raise NotAnExhibit
    return guilty


def could_be_a_mix(session: MixSession, payload: bytes) -> bool:
    """Whether the transaction spends nothing but two or more notes of the session, as another log's mix would."""
    return _only_of_the_session(session, codec.signed_from_json(codec.parse(payload)).tx)


def _only_of_the_session(session: MixSession, tx: Transaction) -> bool:
    inputs = {note.id for note in inputs_of(tx)}
    return len(inputs) > 1 and inputs <= set(session.input_ids)


def _complete(domain: Domain, signed: Signed[Transaction]) -> bool:
    """Whether every owner's valid signature is there."""
    return {(note.id, note.note.owner) for note in inputs_of(signed.tx)} <= set(_spenders(domain, signed))


def _spenders(domain: Domain, signed: Signed[Transaction]) -> Iterator[tuple[NoteId, Address]]:
    """The notes that the transaction spends with their owner's valid signature."""
    if isinstance(signed.tx, Transact):
        valid = _valid(digest(domain, signed.tx), signed.tx.owners, signed.signatures)
        yield from ((note.id, note.note.owner) for note in signed.tx.inputs if note.note.owner in valid)
    elif isinstance(signed.tx, Settle):
        for fill in signed.tx.fills:
            for order in (fill.sell, fill.buy):
                yield from _order_spenders(domain, order)


def _order_spenders(domain: Domain, signed: SignedOrder) -> Iterator[tuple[NoteId, Address]]:
    valid = _valid(order_digest(domain, signed.order), signed.order.owners, signed.signatures)
    yield from ((note.id, note.note.owner) for note in signed.order.notes if note.note.owner in valid)


def _valid(message: Digest, owners: Collection[Address], signatures: Collection[bytes]) -> set[Address]:
    pairs = zip(owners, signatures, strict=False)
    return {owner for owner, signature in pairs if recover_address(message, signature) == owner}

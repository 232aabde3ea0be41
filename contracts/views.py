"""The contract's own answers about its state, one question each.

A question tells the node what we are interested in, so :class:`~contracts.ledger.EvmLedger` asks none of them about
notes or meters; they serve the DSO, auditors, and the tests that hold the contract against the specification.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assets.intervals import IntervalGrid
from assets.keys import Address
from assets.notes import IssuedNote, note_word
from assets.port import NoteStatus
from assets.transactions import Authorisation, FeederCapacity, PriceChange
from assets.words import address_word, uint, word
from contracts import artifact
from contracts.encoding import WORD
from contracts.errors import NodeError

if TYPE_CHECKING:
    from web3 import Web3


class Views:
    """The read-only functions of the contract at one address."""

    def __init__(self, w3: "Web3", contract: Address) -> None:
        self._w3 = w3
        self._to = w3.to_checksum_address("0x" + contract.hex())

    def grid(self) -> IntervalGrid:
        """The time grid of delivery intervals."""
        return IntervalGrid(*self._words("genesisS"), *self._words("intervalS"))

    def dso(self) -> Address:
        """Whose signature the next regulatory transaction carries."""
        return _address(*self._words("dso"))

    def founder(self) -> Address:
        """Whose signature the first regulatory transaction carries."""
        return _address(*self._words("founder"))

    def status(self, note: IssuedNote, path: Sequence[bytes]) -> NoteStatus:
        """Whether a note exists unspent; ``path`` as :class:`assets.groups.Groups` gives it."""
        proof = uint(len(path), 8) + b"".join(path)
        padded = word(4 * WORD) + word(len(proof)) + proof + bytes(-len(proof) % WORD)
        (status,) = self._words("status", note_word(note.note), note.origin, word(note.index), padded)
        return NoteStatus(status)

    def cancelled(self, owner: Address) -> int:
        """Nonces of the owner's cancelled orders, a bit each."""
        (nonces,) = self._words("cancelled", address_word(owner))
        return nonces

    def meter_nonce(self, meter: int) -> int:
        """The nonce of the meter's next withdrawal; 0 for an unknown meter."""
        (nonce,) = self._words("meterNonce", word(meter))
        return nonce

    def regulation_nonce(self) -> int:
        """The nonce of the DSO's next regulatory transaction."""
        (nonce,) = self._words("regulationNonce")
        return nonce

    def price_at(self, t: int) -> PriceChange | None:
        """The prices of interval ``t`` as recorded so far; ``None`` before the first."""
        time_s, consumption, production, recorded = self._words("priceAt", word(t))
        return PriceChange(time_s, consumption, production) if recorded else None

    def meter_limits(self, meter: int) -> tuple[Authorisation, bool] | None:
        """The meter's authorisation now and whether it is banned; ``None`` if it has none."""
        _, key, feeder, epa_w, eca_w, credit_nano, banned = self._words("meterLimits", word(meter))
        if not key:
            return None
        return Authorisation(meter, _address(key), feeder, epa_w, eca_w, credit_nano), bool(banned)

    def meter_issued(self, meter: int, t: int) -> tuple[int, int]:
        """EPA and ECA power, in watts, that the meter issued so far for interval ``t``."""
        epa_w, eca_w = self._words("meterIssued", word(meter), word(t))
        return epa_w, eca_w

    def meter_outstanding(self, meter: int) -> int:
        """FA that the meter withdrew and that is not settled yet, in nano-units."""
        (outstanding_nano,) = self._words("meterOutstanding", word(meter))
        return outstanding_nano

    def feeder_caps(self, feeder: int) -> FeederCapacity | None:
        """The feeder's capacities; ``None`` if the DSO never set them."""
        _, export_w, import_w, recorded = self._words("feederCaps", word(feeder))
        return FeederCapacity(feeder, export_w, import_w) if recorded else None

    def feeder_issued(self, feeder: int, t: int) -> tuple[int, int]:
        """EPA and ECA power, in watts, that the feeder's meters issued so far for interval ``t``."""
        epa_w, eca_w = self._words("feederIssued", word(feeder), word(t))
        return epa_w, eca_w

    def _words(self, name: str, *arguments: bytes) -> list[int]:
        from eth_typing import HexStr

        data = artifact.selectors("function")[name] + b"".join(arguments)
        answer = bytes(self._w3.eth.call({"to": self._to, "data": HexStr("0x" + data.hex())}))
        if not answer or len(answer) % WORD:
            raise NodeError(f"the contract at {self._to} does not answer {name}; check address and node")
        return [int.from_bytes(answer[at : at + WORD], "big") for at in range(0, len(answer), WORD)]


def _address(value: int) -> Address:
    return Address(word(value)[12:])

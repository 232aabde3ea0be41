"""The EIP-712 domain of signatures: for which ledger they are made."""

from dataclasses import dataclass
from functools import lru_cache

from assets.hashing import keccak
from assets.keys import Address, Digest, recover_address
from assets.words import address_word, word

_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_NAME = keccak(b"PETra")
_VERSION = keccak(b"1")


@dataclass(frozen=True, slots=True)
class Domain:
    """The one ledger for which a signature is good (EIP-712 domain ``PETra``, version ``1``)."""

    chain_id: int
    contract: Address

    @property
    def separator(self) -> bytes:
        """``hashStruct`` of the domain."""
        return separator(_NAME, self.chain_id, self.contract)

    def seal(self, struct_hash: bytes) -> Digest:
        """The hash that is signed for a struct on this ledger."""
        return Digest(keccak(b"\x19\x01" + self.separator + struct_hash))

    def recover(self, message: bytes, signature: bytes) -> Address:
        """Whose key signed ``message`` for this ledger: :func:`assets.keys.recover_address`."""
        return recover_address(message, signature)


@lru_cache(maxsize=64)
def separator(name: bytes, chain_id: int, contract: Address) -> bytes:
    """``hashStruct`` of the domain whose name has the hash ``name``; every digest needs it anew."""
    return keccak(_DOMAIN_TYPE + name + _VERSION + word(chain_id) + address_word(contract))

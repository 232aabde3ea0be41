"""The groups that statements may use, by name."""

from assets.commitments.bn128 import Bn128
from assets.commitments.group import Group
from assets.commitments.secp256k1 import Secp256k1

SECP256K1: Group = Secp256k1()
"""For statements that the DSO checks: fast."""

BN128: Group = Bn128()
"""For statements that the contract checks: the EVM has no other group to add and multiply in."""

GROUPS: dict[str, Group] = {group.name: group for group in (SECP256K1, BN128)}

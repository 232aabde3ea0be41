"""The in-process chain: eth-tester on py-evm, with a clock that stands still between blocks.

py-evm gives a block the computer's time; here a block comes one second after its parent unless somebody sets the time,
so that a simulation of any day is the same on every run. Import this module lazily: the EVM is an optional extra.
"""

from eth.abc import BlockHeaderAPI
from eth.chains.base import MiningChain
from eth_tester import EthereumTester, PyEVMBackend
from web3 import EthereumTesterProvider, Web3


class SteadyBackend(PyEVMBackend):  # type: ignore[misc]  # eth-tester has no types
    """py-evm whose blocks are one second apart."""

    def reset_to_genesis(self, *args: object, **kwargs: object) -> None:
        """Start over, as eth-tester asks for, with a steady clock."""
        super().reset_to_genesis(*args, **kwargs)
        chain: MiningChain = self.chain  # type: ignore[has-type]
        self.chain = _steady(type(chain))(chain.chaindb.db)


def _steady(chain_class: type[MiningChain]) -> type[MiningChain]:
    class SteadyChain(chain_class):  # type: ignore[misc, valid-type]  # built at run time, from eth-tester's own class
        """A chain whose next block is one second after the last."""

        def create_header_from_parent(self, parent_header: BlockHeaderAPI, **header_params: object) -> BlockHeaderAPI:
            """The header of the next block."""
            header_params.setdefault("timestamp", parent_header.timestamp + 1)
            header: BlockHeaderAPI = super().create_header_from_parent(parent_header, **header_params)
            return header

    return SteadyChain


def open_chain(genesis_s: int, gas_limit: int) -> Web3:
    """A fresh chain whose genesis block has the time ``genesis_s`` and blocks of ``gas_limit`` gas."""
    genesis = SteadyBackend.generate_genesis_params({"timestamp": genesis_s, "gas_limit": gas_limit})
    state = SteadyBackend.generate_genesis_state(num_accounts=1)
    backend = SteadyBackend(genesis_parameters=genesis, genesis_state=state)
    return Web3(EthereumTesterProvider(EthereumTester(backend=backend)))

"""Gas of checking a private statement in the contract, beside what the EVM's own operations cost.

The contract sees one pair of sums for each pair of prices, however many intervals stand behind it.
"""

from assets.commitments.groups import BN128
from assets.keys import Address
from assets.transactions import Domain
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.statements import DAY, home_of, publish
from contracts import nodes
from contracts.statements import StatementVerifier

TRANSACTION = 21_000
"""Any transaction (Yellow Paper, appendix G)."""
MULTIPLY, ADD, RECOVER = 6_000, 150, 3_000
"""The precompiles (EIP-1108; Yellow Paper, appendix E)."""
CALLDATA_BYTE = 16
"""A byte of calldata that is not zero (EIP-2028)."""

TOTAL_BYTES, PAIR_BYTES = 192, 128


def rows(sizes: Sizes) -> list[Row]:
    """Gas is the same every time, so it is taken once; the EVM is the one in process."""
    w3 = nodes.in_process(1_700_000_000)
    domain = Domain(w3.eth.chain_id, Address(bytes(20)))
    verifier = StatementVerifier.deploy(w3, domain)
    result = []
    for intervals in (1, min(sizes.statement_intervals, DAY)):
        publication = publish(BN128, home_of(1, intervals), domain)
        totals = len(publication.statement.statement.totals)
        operations = (2 * totals + 3) * (MULTIPLY + ADD) + RECOVER
        bound = TRANSACTION + operations + totals * TOTAL_BYTES * CALLDATA_BYTE
        gas = verifier.gas_of_verify(publication.statement)
        name = f"a statement checked, {totals} pair(s) of prices"
        result.append(Row(name, gas, "gas", 1, Reference("precompiles, calldata (bound)", bound)))
    sheet = publication.sheets[0].sheet
    added = (verifier.gas_of_sums(sheet) - TRANSACTION) / len(sheet)
    name = "commitments added up, one interval's two"
    bound = 2 * ADD + PAIR_BYTES * CALLDATA_BYTE
    result.append(Row(name, added, "gas", 1, Reference("precompiles, calldata (bound)", bound)))
    return result

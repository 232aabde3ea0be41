"""A random machine drives the specification and the contract together: the same verdicts, the same state.

``make fuzz`` runs it longer, from a seed that a failure prints.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from assets.errors import REFUSALS
from assets.notes import Kind, Note
from assets.transactions import Authorisation, FeederCapacity, PriceChange, Regulate, Settle, Withdraw, sign
from tests.differential import moves
from tests.differential.moves import DSOS, FEEDERS, GENESIS_S, METER_KEYS, METERS, OWNERS, signed_rightly, submissions
from tests.differential.twins import Twins

MACHINES = 2
"""Machines that run beside each other, each with its share of the steps."""
STEPS = int(os.environ.get("PETRA_FUZZ_STEPS", "2000"))
STEPS_OF_A_RUN = 50
MISSED = 12
"""How many rules one machine may fail to reach by chance; tests/contracts has each of them."""

total: Counter[str] = Counter()


class LedgerMachine(RuleBasedStateMachine):
    """Rules are the kinds of transactions, batches of them, replays, foreign signatures, and time."""

    chain = None

    @initialize(interval_s=st.sampled_from([3600, 900, 4]))
    def deploy(self, interval_s):
        self.twins = Twins(self.chain, interval_s)
        start = Regulate(
            0,
            feeders=tuple(FeederCapacity(f, 60_000, 60_000) for f in FEEDERS),
            authorise=tuple(Authorisation(m, METER_KEYS[m].address, m % 2, 30_000, 30_000, 10**9) for m in METERS),
            prices=(PriceChange(GENESIS_S, 240, 90),),
        )
        self.twins.submit([sign(self.twins.evm.domain, start, DSOS[0])])

    def send(self, data, *kinds):
        batch = [data.draw(submissions(self.twins, kind)) for kind in kinds]
        if batch := [signed for signed in batch if signed is not None]:
            self.twins.submit(batch)
        total["steps"] += 1

    @rule(data=st.data())
    def stock(self, data):
        """A meter issues what a trade needs, so that there is something to trade."""
        meter, t = data.draw(st.sampled_from(METERS)), data.draw(st.integers(0, 5))
        seller, buyer = (data.draw(st.sampled_from(OWNERS)).address for _ in range(2))
        outputs = (
            Note(Kind.EPA, seller, 3600, t, t),
            Note(Kind.ECA, buyer, 3600, t, t),
            Note(Kind.FA, buyer, 20_000, 0, 0),
        )
        tx = Withdraw(meter, self.twins.spec.meter_nonce(meter), t, outputs)
        self.twins.submit([signed_rightly(self.twins, tx)])
        total["steps"] += 1

    @rule(data=st.data())
    def withdraw(self, data):
        self.send(data, moves.withdrawals)

    @rule(data=st.data())
    def transact(self, data):
        self.send(data, moves.transfers)

    @rule(data=st.data())
    def mix(self, data):
        self.send(data, moves.mixes)

    @rule(data=st.data())
    def settle(self, data):
        self.send(data, moves.settlements)

    @rule(data=st.data())
    def cancel(self, data):
        self.send(data, moves.cancellations)

    @rule(data=st.data())
    def regulate(self, data):
        self.send(data, moves.rulings)

    @rule(data=st.data())
    def several(self, data):
        """A batch in one relay: what one refuses does not touch the others."""
        kinds = [moves.withdrawals, moves.transfers, moves.mixes, moves.settlements, moves.cancellations]
        self.send(data, *data.draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=4)))

    @rule(data=st.data())
    def replay(self, data):
        """Whatever was accepted once is refused when it comes again; only a cancellation says the same twice."""
        accepted = [signed for signed, receipt in self.twins.sent if receipt.accepted]
        signed = data.draw(st.sampled_from(accepted))
        before = len(self.twins.spec.entries())
        self.twins.submit([signed])
        if not isinstance(signed.tx, moves.Cancel | Settle):
            assert len(self.twins.spec.entries()) == before
        total["steps"] += 1

    @rule(data=st.data(), chain_id=st.sampled_from([1, 2**64]))
    def sign_for_another_chain(self, data, chain_id):
        kind = data.draw(st.sampled_from([moves.withdrawals, moves.transfers, moves.rulings]))
        tx = data.draw(kind(self.twins))
        total["steps"] += 1
        if tx is None:
            return
        domain = self.twins.evm.domain
        elsewhere = type(domain)(chain_id, domain.contract)
        rightly = signed_rightly(self.twins, tx)
        forged = sign(elsewhere, tx, *[OWNERS[0]] * len(rightly.signatures))
        before = len(self.twins.spec.entries())
        self.twins.submit([forged])
        assert len(self.twins.spec.entries()) == before

    @rule(seconds=st.sampled_from([1, 100, 1000]))
    def wait(self, seconds):
        self.twins.advance(seconds)
        total["steps"] += 1

    @invariant()
    def nothing_is_made_or_lost(self):
        if hasattr(self, "twins"):
            self.twins.assert_conserved()

    def teardown(self):
        if hasattr(self, "twins"):
            self.twins.compare_states()
            total.update(self.twins.verdicts)


@pytest.mark.parametrize("machine", range(MACHINES))
def test_both_ledgers_agree_step_by_step(chain, machine):
    total.clear()
    steps = -(-STEPS // MACHINES)
    seed = int(os.environ.get("PETRA_FUZZ", "0"))
    runs = 0
    while total["steps"] < steps:  # a run ends when Hypothesis says so, often before its last step
        run(chain, seed=seed * 10**6 + machine * 10**5 + runs)
        runs += 1
    assert total["accepted"] > steps // 4
    missed = set(REFUSALS) - set(total)
    assert len(missed) <= MISSED, f"never reached: {missed}"


def run(chain, seed):
    """One ledger, some dozens of steps; a failure is shrunk and names the seed."""

    @hypothesis_seed(seed)
    class Machine(LedgerMachine):
        """A class of its own, so that it draws its own steps."""

    Machine.chain = chain
    profile = settings(
        max_examples=4,
        stateful_step_count=STEPS_OF_A_RUN,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=(Phase.generate, Phase.shrink) if "PETRA_FUZZ" in os.environ else (Phase.generate,),
    )
    try:
        run_state_machine_as_test(Machine, settings=profile)
    except Exception as failure:
        failure.add_note(f"to repeat it: make fuzz SEED={seed // 10**6} STEPS={STEPS}")
        raise

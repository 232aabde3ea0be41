"""A private statement checked by the contract on a real node."""

from dataclasses import replace

import pytest

from assets.commitments.errors import BadStatement
from assets.commitments.groups import BN128
from assets.keys import Address, ThrowAwayKeys
from assets.transactions import Domain
from contracts import nodes
from contracts.statements import StatementVerifier
from smartmeter.billing import bill_interval
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import CommitmentBook
from smartmeter.commitments.committer import Committer
from smartmeter.commitments.price_guard import PriceGuard

KEY = ThrowAwayKeys(1, "statement verifier").fresh()
DAY = 96


def publish(domain):
    secret = BlindingSecret(BlindingSecret.generate(), domain, BN128, 1)
    book = CommitmentBook(":memory:", 1, domain.separator, BN128.name)
    records = [
        bill_interval(
            meter=1,
            t=t,
            measured_wh=17 * t - 700,
            fa_withdrawn_nano=1000,
            fa_deposited_nano=10 * t,
            consumption_nano_per_wh=240_000 if t % 24 < 12 else 150_000,
            production_nano_per_wh=90_000,
        )
        for t in range(DAY)
    ]
    committer = Committer(1, KEY, secret, domain, BN128, book, PriceGuard(48))
    committer.commit_all(records, DAY)
    publication = committer.state(0, DAY - 1)
    book.close()
    return publication


def test_a_days_statement_verifies_on_anvil_and_a_changed_one_does_not(anvil_url):
    w3 = nodes.connect(anvil_url)
    domain = Domain(w3.eth.chain_id, Address(b"\x01" * 20))
    verifier = StatementVerifier.deploy(w3, domain)
    publication = publish(domain)
    signed, sheet = publication.statement, publication.sheets[0].sheet
    assert verifier.verify(signed) == KEY.address
    assert verifier.gas_of_verify(signed) < 110_000
    wrong = replace(signed, statement=replace(signed.statement, bill_nano=signed.statement.bill_nano - 1))
    with pytest.raises(BadStatement, match="do not open"):
        verifier.verify(wrong)
    everything = tuple(BN128.sum([side(t) for t in range(DAY)]) for side in (sheet.imported, sheet.exported))
    assert verifier.sums(sheet) == everything

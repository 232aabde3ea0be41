"""Posting, clearing and completing on the executable specification of the ledger."""


def test_a_trade_settles_end_to_end(market) -> None:
    sale, purchase = market.sale(100_000), market.purchase(200_000)
    market.post(sale, purchase)
    (proposal,) = market.store.clear(5, b"seed")
    assert (proposal.price_nano_per_wh, proposal.energy_wh) == (150_000, 100)
    market.ledger.submit([market.complete(proposal)])[0].require()

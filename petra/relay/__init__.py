"""The relay: carries anybody's signed transactions to the ledger, so that an anonymous note needs no account."""

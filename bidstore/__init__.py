"""The bid store: anonymous signed offers, a uniform-price auction, and the joint transactions that settle it.

Start with :mod:`bidstore.offer` and :mod:`bidstore.auction`; :mod:`bidstore.book` ties them to a ledger.
"""

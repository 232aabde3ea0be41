"""The bid store: anonymous signed orders, a uniform-price auction, and the settlements that carry its matches.

Start with :mod:`bidstore.posting` and :mod:`bidstore.auction`; :mod:`bidstore.book` ties them to a ledger.
"""

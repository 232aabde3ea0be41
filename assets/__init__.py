"""Notes, intervals, units, transactions, and the executable specification of the ledger.

Pure Python without I/O. Start with :mod:`assets.notes` and :mod:`assets.ledger`.
"""

"""Following the contract's events: whole ranges of blocks, a cursor that survives a crash, and reorganisations.

Start with :mod:`contracts.sync.follower`.
"""

"""A home's side of the market as a process of its own: seed phrase, keys, notes, state, and the agent that trades.

Start with :mod:`petra.prosumer.folder`.
"""

"""Onion routing: a tor process's SOCKS port for wallets, onion services for the parties that serve, a private network.

Start with :mod:`petra.onion.proxy` and :mod:`petra.onion.network`; docs/transport.md says what is protected.
Needs a ``tor`` program and the extra ``petra[tor]``.
"""

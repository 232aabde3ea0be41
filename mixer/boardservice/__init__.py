"""The board as a service: an append-only, hash-chained log for each mix session, behind HTTP.

Start with :mod:`mixer.boardservice.frame` (what a peer signs) and :mod:`mixer.boardservice.app` (what the service
answers); docs/transport.md explains them. Needs the extra ``petra[service]``.
"""

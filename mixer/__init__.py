"""Mixing of equal notes among the homes of a microgrid: the CoinShuffle protocol, without I/O.

Start with :mod:`mixer.protocol`, :mod:`mixer.phases` and :mod:`mixer.peer`; docs/protocol/coinshuffle.md explains them.
"""

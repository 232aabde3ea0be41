"""Mixing of equal notes in a constant number of rounds: the DiceMix Light protocol, without I/O.

Start with :mod:`mixer.dicemix.protocol`, then :mod:`mixer.dicemix.proceedings` (what everybody can read from the log)
and :mod:`mixer.dicemix.peer` (what one peer adds to it); docs/protocol/dicemix.md explains them.
"""

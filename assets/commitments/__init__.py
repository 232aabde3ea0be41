"""Pedersen commitments to metered intervals, and the period statements that open only their price-weighted sum.

Pure cryptography without I/O, shared by the meter that commits and the DSO that verifies; docs/statements.md has the
equations and their sources.
"""

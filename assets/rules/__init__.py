"""The validity rules of the ledger, as functions over plain state; :mod:`assets.ledger` puts them together.

Read them beside the paper (PETra, arXiv 1709.09614, sections "Transactions" and "Safety"). The Solidity contract obeys
the same rules in the same order and is tested against them. ``check_*`` raises the first
:class:`~assets.errors.Refusal` and never changes the state; ``apply_*`` assumes that the check has passed.
"""

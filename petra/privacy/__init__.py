"""Anonymity measured: adversaries as code, what they get, how often they are right, and leaks that they must catch.

Start with :mod:`petra.privacy.view` (what is public) and :mod:`petra.privacy.measure`; docs/privacy.md explains them.
"""

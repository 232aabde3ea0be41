"""The smart meter: issues notes, counts deposits, bills.

Start with :mod:`smartmeter.billing` (the equations) and :mod:`smartmeter.meter`.
"""

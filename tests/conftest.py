"""Hypothesis: the same examples on every run, so that the gate does not depend on luck; PETRA_FUZZ=1 draws new ones."""

import os

from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("fuzz", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("fuzz" if os.environ.get("PETRA_FUZZ") == "1" else "gate")

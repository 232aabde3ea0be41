"""What all tests have in common.

Hypothesis: the same examples on every run, so that the gate does not depend on luck; PETRA_FUZZ=1 draws new ones.
"""

import os
import signal

from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in the background of a script. Programs that tests start and end by Ctrl-C would ignore it as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("fuzz", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("fuzz" if os.environ.get("PETRA_FUZZ") == "1" else "gate")

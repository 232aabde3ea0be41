"""What all tests have in common.

Hypothesis: the same examples on every run, so that the gate does not depend on luck; PETRA_FUZZ=1 draws new ones.
"""

import os
import signal

from hypothesis import settings

# In the background of a script Ctrl-C is ignored, and under nohup the end of the terminal. Programs that tests start,
# and end by such a signal, would ignore it as well.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("fuzz", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("fuzz" if os.environ.get("PETRA_FUZZ") == "1" else "gate")

"""Has the tors of a private network on this machine send at once, where a C compiler is at hand.

Tor leaves Nagle's algorithm on: what fills no segment waits until everything sent before is acknowledged, and Linux
acknowledges up to 40 ms late. A segment of the loopback interface has 64 KiB, so almost every message waits at every
hop, which no network between machines does to it. Tor has no option for this; ``nodelay.c`` is preloaded.
"""

import os
import shutil
import subprocess
from pathlib import Path

LIBRARY = "nodelay.so"
"""In the network's folder, which is where its tors are started."""

_SOURCE = Path(__file__).with_name("nodelay.c")
_COMPILE_S = 60


def build(folder: Path) -> bool:
    """Compile the library into ``folder``; whether that worked. Without it everything works, and takes longer.

    Afterwards there is one if it did, and none if not, whatever was there before. Raises ``OSError`` if what was there
    cannot be removed.
    """
    (folder / LIBRARY).unlink(missing_ok=True)
    compiler = shutil.which("cc")
    if compiler is None:
        return False
    made = folder / f"{LIBRARY}.part"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(_SOURCE), "-ldl"]
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(  # noqa: S603 - the user's compiler, of our own source
            command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=_COMPILE_S, check=False
        )
        if done.returncode == 0:
            made.replace(folder / LIBRARY)
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        made.unlink(missing_ok=True)


def environment(folder: Path) -> dict[str, str]:
    """The environment of a tor that is started in ``folder``: with the library, if :func:`build` left one there."""
    if not (folder / LIBRARY).exists():
        return dict(os.environ)
    preloaded = [f"./{LIBRARY}", *filter(None, [os.environ.get("LD_PRELOAD")])]  # relative: no path has to be quoted
    return {**os.environ, "LD_PRELOAD": " ".join(preloaded)}

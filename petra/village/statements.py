"""What every home's meter does at the end of the period: it states its bills to the DSO."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from petra.village.layout import Layout
from petra.village.state import read_state

STATEMENT, OPENINGS = "statement.json", "openings.json"
TRIES, PAUSE_S = 20, 1.0
MAX_PERIOD = 96
"""Intervals in which a price must hold, at most: the default of `petra meter statement`."""


def state_all(folder: Path, last: int) -> int:
    """State intervals ``0..last`` of every meter, each with commitments and one opened sum; how many the DSO booked.

    Delivered again, a statement that is booked changes nothing. Raises ``ValueError`` or ``OSError``.
    """
    from petra.commands import meter_run

    layout, state = Layout(folder.absolute()), read_state(folder)
    url = state.named("dso").address or ""
    token = (layout.desk / "meter.token").read_text(encoding="utf-8").strip()
    # Nobody can solve for one interval's energy: the price holds in every interval of the period.
    steps = state.options.tariff.count(",")
    together = min(MAX_PERIOD, last + 1) if steps == 0 else 1
    for home in range(1, state.options.homes + 1):
        meter = layout.of(f"meter{home}")
        meter_run.statement(
            meter,
            meter / STATEMENT,
            0,
            last,
            openings=meter / OPENINGS,
            min_intervals=together,
            password_file=layout.passphrase(f"meter{home}"),
        )
        deliver(url, token, (meter / STATEMENT).read_bytes())
    return state.options.homes


def deliver(url: str, token: str, publication: bytes) -> str:
    """Hand a private statement to the DSO's service; its answer. Tries again while the service is away.

    Raises ``ValueError`` if the service refuses it, ``OSError`` if it stays away.
    """
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/private-statements", publication, headers)  # noqa: S310 - loopback
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return str(json.loads(answer.read())["status"])
        except urllib.error.HTTPError as refusal:
            if refusal.code < 500:
                raise ValueError(f"the DSO refuses a statement: {refusal.read().decode()[:300]}") from None
            failure: OSError = refusal
        except OSError as away:
            failure = away
        if attempt < TRIES - 1:
            time.sleep(PAUSE_S)
    raise OSError(f"the DSO's service at {url} takes no statement ({failure}); see logs/dso.log")

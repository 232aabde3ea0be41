"""Reading a file of measured homes, beside Python's own reader of CSV."""

import csv
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from petra.homes.csv_profiles import COLUMNS, read_profiles

START = datetime(2016, 8, 1)
HOURS_PER_DAY = 24


def rows(sizes: Sizes) -> list[Row]:
    """A generated file with as many homes and hours as the measured ones of Fontana."""
    hours = HOURS_PER_DAY * sizes.profile_days
    lines = hours * sizes.profile_homes
    with TemporaryDirectory() as folder:
        path = Path(folder) / "homes.csv"
        path.write_text("".join(_lines(sizes.profile_homes, hours)), encoding="utf-8")
        read_s, csv_s = medians_s(sizes.runs, again(read_profiles, path, None, hours), again(read_csv, path))
    reference = Reference("csv.reader alone", lines / csv_s)
    return [Row(f"profiles CSV, {lines:,} generated rows", lines / read_s, "rows/s", sizes.runs, reference)]


def _lines(homes: int, hours: int) -> Iterator[str]:
    yield ",".join(COLUMNS) + "\n"
    for hour in range(hours):
        start = (START + timedelta(hours=hour)).isoformat()
        for home in range(1, homes + 1):
            load_wh = 200 + (hour * 7919 + home * 104_729) % 2500
            pv_wh = (hour * 31 + home * 17) % 1800 if 7 <= hour % HOURS_PER_DAY <= 17 else 0
            yield f"{start},{home},{load_wh},{pv_wh}\n"


def read_csv(path: Path) -> None:
    """Split every row into its fields, and forget them."""
    with path.open(encoding="utf-8", newline="") as stream:
        deque(csv.reader(stream, strict=True), maxlen=0)

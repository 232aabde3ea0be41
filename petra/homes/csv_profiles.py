"""Measured homes from a CSV file.

The columns are ``interval_start,home,load_wh,pv_wh``: start of the interval in local standard time
(``YYYY-MM-DDTHH:MM:SS``), number of the home (from 1), and whole watt-hours of the interval. Rows are sorted by time
or by home; the rows of every home ascend in time without a gap, and all homes cover the same intervals. The whole file
must keep these rules, also outside the requested range: a file with one broken row is not trusted for the others.
"""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from petra.homes.profile import MAX_INTERVAL_S, HomeProfile, Profiles

COLUMNS = ("interval_start", "home", "load_wh", "pv_wh")
"""The header of a file of measured homes, in this order."""

SECONDS_PER_DAY = 86_400

MAX_DIGITS = 9
"""Longest number in a field: a home that uses a gigawatt-hour in an interval is a mistake."""

WHOLE_FILE = 0
"""Line of an error that no single line is to blame for."""


class ProfileError(ValueError):
    """A file of measured homes is refused: ``file:line: reason; what to do``.

    ``line`` counts from 1, the header included; it is :data:`WHOLE_FILE` when no single line is to blame.
    """

    def __init__(self, path: Path, line: int, reason: str) -> None:
        self.path, self.line, self.reason = path, line, reason
        place = f"{path}:{line}" if line else f"{path}"
        super().__init__(f"{place}: {reason}")


@dataclass(slots=True)
class _Series:
    """Rows of one home, in the order of the file."""

    times: list[datetime] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    load_wh: list[int] = field(default_factory=list)
    pv_wh: list[int] = field(default_factory=list)


def read_profiles(
    path: Path,
    start: datetime | None = None,
    intervals: int | None = None,
    homes: int | None = None,
    interval_s: int | None = None,
) -> Profiles:
    """Homes of ``path`` (``.csv`` or ``.csv.gz``) from ``start`` on.

    Defaults: ``start`` is the first interval of the file; ``intervals`` is one day, or all that remain where the file
    ends earlier; ``homes`` is all of them, otherwise the ``homes`` lowest numbers. The length of an interval is
    inferred from the rows; ``interval_s`` only has to be given for a file of a single interval, and must agree.

    Raises :class:`ProfileError` for a file that breaks a rule of this module or lacks what was asked for.
    """
    series = _read(path)
    length_s = _interval_length(path, series, interval_s)
    _require_complete(path, series, timedelta(seconds=length_s))

    numbers = sorted(series)
    if homes is not None:
        if not 1 <= homes <= len(numbers):
            raise ProfileError(path, WHOLE_FILE, f"{homes} homes asked for; ask for 1 to {len(numbers)}")
        numbers = numbers[:homes]

    times = series[numbers[0]].times
    first = 0 if start is None else _position(path, times, start)
    remaining = len(times) - first
    if intervals is None:
        intervals = min(SECONDS_PER_DAY // length_s, remaining)
    if not 1 <= intervals <= remaining:
        raise ProfileError(
            path,
            WHOLE_FILE,
            f"{intervals} intervals from {times[first].isoformat()} asked for; "
            f"ask for 1 to {remaining}, or start elsewhere",
        )
    window = slice(first, first + intervals)
    return Profiles(
        start=times[first],
        interval_s=length_s,
        homes=tuple(HomeProfile(n, tuple(series[n].load_wh[window]), tuple(series[n].pv_wh[window])) for n in numbers),
        source=f"measured: {path.name}",
    )


def _text_lines(path: Path) -> Generator[str, None, None]:
    """Lines of the file with their ends; raises :class:`ProfileError` where bytes cannot be read or decoded."""
    number = 0
    raw = b"\n"
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            for raw in stream:
                number += 1
                yield raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ProfileError(path, number, "not UTF-8 text; save the file as UTF-8") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        # EOFError is a stream that ends early, the other two are damaged bytes or a checksum that does not fit.
        what = "the gzip data ends early" if isinstance(error, EOFError) else f"not sound gzip data ({error})"
        raise ProfileError(path, number + 1, f"{what}; copy or download the file again") from error
    except OSError as error:
        raise ProfileError(path, WHOLE_FILE, f"cannot be read ({error.strerror}); check the path") from error
    if not raw.endswith(b"\n"):
        # A number that lost its last digits is still a number, so only the line end shows that a row is whole.
        raise ProfileError(path, number, "the last line has no line end, so it may be cut off; restore or end the line")


def _read(path: Path) -> dict[int, _Series]:
    """Every row of the file, by home; refuses what is wrong with a row in itself, duplicates and disorder."""
    if not path.name.endswith((".csv", ".csv.gz")):
        raise ProfileError(path, WHOLE_FILE, "not a file of profiles; give a .csv or .csv.gz file")
    with closing(_text_lines(path)) as lines:  # not left to the garbage collector when a row is refused
        return _series(path, lines)


def _series(path: Path, lines: Iterator[str]) -> dict[int, _Series]:
    rows = csv.reader(lines, strict=True)
    series: dict[int, _Series] = {}
    line_of: dict[tuple[datetime, int], int] = {}
    parsed: dict[str, datetime] = {}  # every home repeats the same times, and parsing them is the slowest part
    try:
        header = next(rows, None)
        if header is None:
            raise ProfileError(path, 1, f"the file is empty; its first line is {','.join(COLUMNS)}")
        if tuple(header) != COLUMNS:
            raise ProfileError(path, 1, f"the header is {_shown(','.join(header))}; it must be {','.join(COLUMNS)}")
        for row in rows:
            line = rows.line_num
            if len(row) != len(COLUMNS):
                raise ProfileError(path, line, f"{len(row)} fields; a row has {len(COLUMNS)}: {','.join(COLUMNS)}")
            time_text, home_text, load_text, pv_text = row
            time = parsed.get(time_text)
            if time is None:
                time = parsed[time_text] = _time(path, line, time_text)
            home = _whole(path, line, "home", home_text)
            if home == 0:
                raise ProfileError(path, line, "home is 0; homes are numbered from 1")
            load_wh = _whole(path, line, "load_wh", load_text)
            pv_wh = _whole(path, line, "pv_wh", pv_text)
            earlier = line_of.setdefault((time, home), line)
            if earlier != line:
                raise ProfileError(
                    path, line, f"home {home} has {time_text} in line {earlier} already; delete one of the two"
                )
            one = series.get(home)
            if one is None:
                one = series[home] = _Series()
            elif time < one.times[-1]:
                raise ProfileError(
                    path,
                    line,
                    f"{time_text} of home {home} comes after {one.times[-1].isoformat()}; "
                    "sort the rows by time and home, or by home and time",
                )
            one.times.append(time)
            one.lines.append(line)
            one.load_wh.append(load_wh)
            one.pv_wh.append(pv_wh)
    except csv.Error as error:
        raise ProfileError(path, rows.line_num, f"not CSV ({error}); quote nothing and use commas") from error
    if not series:
        raise ProfileError(path, 1, "no rows after the header; give at least one interval")
    return series


def _time(path: Path, line: int, text: str) -> datetime:
    """The start of an interval, from its one accepted form."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is not None and time.tzinfo is not None:
        raise ProfileError(
            path, line, f"interval_start {_shown(text)} has a time zone; write local standard time without an offset"
        )
    if time is None or time.isoformat() != text or time.microsecond:
        raise ProfileError(path, line, f"interval_start is {_shown(text)}; write YYYY-MM-DDTHH:MM:SS")
    return time


def _whole(path: Path, line: int, column: str, text: str) -> int:
    """A whole number that is not negative, in plain digits."""
    if text.isdigit() and text.isascii() and len(text) <= MAX_DIGITS:
        return int(text)
    try:
        value: float | None = float(text)
    except ValueError:
        value = None
    if value is None:
        reason = f"is {_shown(text)}, not a number"
    elif value < 0:
        reason = f"is {_shown(text)}, which is negative"
    elif text.isdigit():
        reason = f"has more than {MAX_DIGITS} digits or not plain ones"
    else:
        reason = f"is {_shown(text)}, not a whole number in plain digits"
    unit = "the number of the home" if column == "home" else "whole watt-hours, 0 or more"
    raise ProfileError(path, line, f"{column} {reason}; write {unit}")


def _shown(text: str) -> str:
    """Text from the file as an error shows it: quoted, and not longer than a line of a terminal."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _interval_length(path: Path, series: dict[int, _Series], asked_s: int | None) -> int:
    """Seconds between the rows of a home: the most frequent distance, since a gap makes a few of them longer."""
    steps: Counter[timedelta] = Counter()
    for one in series.values():
        steps.update(later - earlier for earlier, later in zip(one.times, one.times[1:], strict=False))
    if not steps:
        if asked_s is None:
            raise ProfileError(path, WHOLE_FILE, "the rows do not show how long an interval is; pass its seconds")
        inferred_s = asked_s
    else:
        most = max(steps.values())
        # The shorter one where two are equally frequent: what is missing makes a distance longer, never shorter.
        inferred_s = int(min(step for step, count in steps.items() if count == most).total_seconds())
    if not 1 <= inferred_s <= MAX_INTERVAL_S:
        raise ProfileError(
            path, WHOLE_FILE, f"an interval is {inferred_s} s; intervals have 1 to {MAX_INTERVAL_S} seconds"
        )
    if asked_s is not None and asked_s != inferred_s:
        raise ProfileError(
            path, WHOLE_FILE, f"the rows are {inferred_s} s apart, but {asked_s} s was asked for; ask for {inferred_s}"
        )
    return inferred_s


def _require_complete(path: Path, series: dict[int, _Series], step: timedelta) -> None:
    """Raise unless the rows of every home are ``step`` apart and all homes have the same first and last interval.

    The error names the first line in the file that shows the fault.
    """
    faults: list[tuple[int, str]] = []
    first = min(one.times[0] for one in series.values())
    last = max(one.times[-1] for one in series.values())
    for home, one in series.items():
        if one.times[0] != first:
            faults.append(
                (
                    one.lines[0],
                    f"home {home} begins here, other homes at {first.isoformat()}; "
                    "give all homes the same intervals, or remove this one",
                )
            )
        for earlier, later, line in zip(one.times, one.times[1:], one.lines[1:], strict=False):
            if later - earlier != step:
                faults.append((line, _step_fault(home, earlier, later, step)))
                break
        else:
            if one.times[-1] != last:
                faults.append(
                    (
                        one.lines[-1],
                        f"home {home} ends here, other homes at {last.isoformat()}, so the file may be cut off; "
                        "give all homes the same intervals, or remove this one",
                    )
                )
    if faults:
        raise ProfileError(path, *min(faults))


def _step_fault(home: int, earlier: datetime, later: datetime, step: timedelta) -> str:
    """What is wrong with the distance between two rows of a home."""
    distance = later - earlier
    if distance % step:
        return (
            f"home {home} steps from {earlier.isoformat()} to {later.isoformat()}, which is no multiple of "
            f"{int(step.total_seconds())} s; give all intervals the same length"
        )
    missing = distance // step - 1
    return (
        f"gap: home {home} has no row for {(earlier + step).isoformat()} ({missing} missing before this line); "
        "add what is missing, or cut the file before or after it"
    )


def _position(path: Path, times: list[datetime], start: datetime) -> int:
    """Index of the interval that begins at ``start``."""
    try:
        return times.index(start)
    except ValueError:
        raise ProfileError(
            path,
            WHOLE_FILE,
            f"no interval begins at {start.isoformat()}; the file has {times[0].isoformat()} to "
            f"{times[-1].isoformat()}, local standard time without an offset",
        ) from None

"""A file of measured homes is read exactly, or refused with file, line, reason and what to do."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from petra.homes.csv_profiles import ProfileError, read_profiles

HEADER = "interval_start,home,load_wh,pv_wh"
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(text: str) -> Path:
        path = tmp_path / "homes.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def rows(homes: int = 3, hours: int = 5) -> list[str]:
    """A sound file by time: line ``2 + hour * homes + home - 1`` holds that hour and home."""
    return [HEADER] + [
        f"2025-06-01T{hour:02}:00:00,{home},{100 * home + hour},{hour}"
        for hour in range(hours)
        for home in range(1, homes + 1)
    ]


def text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def refused(path: Path, **asked: object) -> ProfileError:
    with pytest.raises(ProfileError) as caught:
        read_profiles(path, **asked)  # type: ignore[arg-type]
    error = caught.value
    place = f"{path}:{error.line}: " if error.line else f"{path}: "
    assert str(error) == place + error.reason
    assert ";" in error.reason or "it must be" in error.reason, "a refusal says what to do"
    return error


def refused_line(write: Write, line: int, row: str) -> ProfileError:
    """The refusal of a sound file in which ``row`` took the place of ``line``."""
    lines = rows()
    lines[line - 1] = row
    error = refused(write(text(lines)))
    assert error.line == line
    return error


# What is accepted


def test_rows_sorted_by_time_are_read(write: Write):
    profiles = read_profiles(write(text(rows())))
    assert (profiles.start, profiles.interval_s, profiles.intervals) == (datetime(2025, 6, 1), 3600, 5)
    assert [home.home for home in profiles.homes] == [1, 2, 3]
    assert profiles.homes[1].load_wh == (200, 201, 202, 203, 204)
    assert profiles.homes[1].generation_wh == (0, 1, 2, 3, 4)
    assert profiles.homes[1].battery is None


def test_rows_sorted_by_home_give_the_same_profiles(write: Write):
    lines = rows()
    by_time = read_profiles(write(text(lines)))
    lines[1:] = sorted(lines[1:], key=lambda row: (row.split(",")[1], row))
    assert read_profiles(write(text(lines))) == by_time


def test_compressed_and_plain_files_give_the_same_homes(write: Write, tmp_path: Path):
    packed = tmp_path / "homes.csv.gz"
    packed.write_bytes(gzip.compress(text(rows()).encode()))
    assert read_profiles(packed).homes == read_profiles(write(text(rows()))).homes


def test_windows_line_ends_are_accepted(tmp_path: Path, write: Write):
    path = tmp_path / "windows.csv"
    path.write_bytes(text(rows()).replace("\n", "\r\n").encode())
    assert read_profiles(path).homes == read_profiles(write(text(rows()))).homes


def test_a_part_of_the_file_can_be_asked_for(write: Write):
    profiles = read_profiles(write(text(rows())), start=datetime(2025, 6, 1, 2), intervals=2, homes=2)
    assert profiles.start == datetime(2025, 6, 1, 2)
    assert [home.load_wh for home in profiles.homes] == [(102, 103), (202, 203)]


def test_the_first_homes_are_those_with_the_lowest_numbers(write: Write):
    lines = rows(homes=12, hours=2)
    lines[1:] = sorted(lines[1:])  # text order: home 10 stands before home 2
    assert [home.home for home in read_profiles(write(text(lines)), homes=3).homes] == [1, 2, 3]


def test_one_day_is_read_by_default(write: Write):
    lines = [HEADER] + [f"2025-06-{1 + hour // 24:02}T{hour % 24:02}:00:00,1,{hour},0" for hour in range(60)]
    path = write(text(lines))
    assert read_profiles(path).intervals == 24
    assert read_profiles(path, start=datetime(2025, 6, 3)).intervals == 12


def test_a_single_interval_is_read_when_its_length_is_given(write: Write):
    path = write(text(rows(hours=1)))
    assert read_profiles(path, interval_s=900).interval_s == 900
    assert "pass its seconds" in refused(path).reason


# What is wrong with a row


def test_a_negative_load_is_refused(write: Write):
    assert "load_wh is '-5', which is negative" in refused_line(write, 6, "2025-06-01T01:00:00,2,-5,0").reason


def test_a_negative_generation_is_refused(write: Write):
    assert "pv_wh is '-1', which is negative" in refused_line(write, 6, "2025-06-01T01:00:00,2,5,-1").reason


def test_text_in_a_number_is_refused(write: Write):
    assert "load_wh is 'lots', not a number" in refused_line(write, 6, "2025-06-01T01:00:00,2,lots,0").reason


@pytest.mark.parametrize("number", ["5.0", "5.5", "1e3", "+5", " 5", "1_000", "nan", "inf", "٥", "²", "", "0x10"])
def test_a_number_that_is_not_plain_digits_is_refused(write: Write, number: str):
    assert "load_wh" in refused_line(write, 6, f"2025-06-01T01:00:00,2,{number},0").reason


def test_an_absurdly_long_number_is_refused(write: Write):
    assert "more than 9 digits" in refused_line(write, 6, f"2025-06-01T01:00:00,2,{'9' * 5000},0").reason


@pytest.mark.parametrize("home", ["0", "-1", "x", "1.5", ""])
def test_a_home_without_a_number_is_refused(write: Write, home: str):
    assert "home" in refused_line(write, 6, f"2025-06-01T01:00:00,{home},5,0").reason


@pytest.mark.parametrize("row", ["2025-06-01T01:00:00,2,5", "2025-06-01T01:00:00,2,5,0,1", "", "2025-06"])
def test_a_wrong_number_of_fields_is_refused(write: Write, row: str):
    assert "a row has 4" in refused_line(write, 6, row).reason


@pytest.mark.parametrize(
    "when", ["01.06.2025 01:00", "2025-06-01 01:00:00", "2025-06-01", "20250601T010000", "2025-06-31T01:00:00", "noon",
             "2025-06-01T01:00:00.5", "1748739600", ""],
)  # fmt: skip
def test_a_date_in_another_form_is_refused(write: Write, when: str):
    assert "write YYYY-MM-DDTHH:MM:SS" in refused_line(write, 6, f"{when},2,5,0").reason


@pytest.mark.parametrize("when", ["2025-06-01T01:00:00Z", "2025-06-01T01:00:00+02:00"])
def test_a_date_with_a_time_zone_is_refused(write: Write, when: str):
    assert "has a time zone" in refused_line(write, 6, f"{when},2,5,0").reason


def test_a_duplicate_row_is_refused_and_both_lines_are_named(write: Write):
    lines = rows()
    lines.insert(6, lines[5])
    error = refused(write(text(lines)))
    assert error.line == 7
    assert "home 2 has 2025-06-01T01:00:00 in line 6 already" in error.reason


def test_a_duplicate_with_another_value_far_away_is_refused(write: Write):
    error = refused(write(text([*rows(), "2025-06-01T01:00:00,2,999,0"])))
    assert error.line == 17
    assert "in line 6 already" in error.reason


def test_a_malformed_row_outside_the_requested_range_is_refused(write: Write):
    lines = rows()
    lines[15] = "2025-06-01T04:00:00,3,oops,0"
    assert refused(write(text(lines)), intervals=1, homes=1).line == 16


# What is wrong between rows


def test_a_missing_row_is_a_gap_named_at_the_first_line_after_it(write: Write):
    lines = rows()
    del lines[5]  # hour 1 of home 2
    error = refused(write(text(lines)))
    assert error.line == 8
    assert "gap: home 2 has no row for 2025-06-01T01:00:00" in error.reason


def test_a_missing_hour_of_all_homes_is_a_gap(write: Write):
    lines = [row for row in rows() if "T02:" not in row]
    error = refused(write(text(lines)))
    assert error.line == 8
    assert "gap: home 1 has no row for 2025-06-01T02:00:00" in error.reason


def test_a_home_that_begins_later_than_others_is_refused(write: Write):
    lines = rows()
    del lines[2]
    error = refused(write(text(lines)))
    assert error.line == 5
    assert "home 2 begins here, other homes at 2025-06-01T00:00:00" in error.reason


def test_a_file_cut_off_between_the_rows_of_an_interval_is_refused(write: Write):
    error = refused(write(text(rows()[:-1])))
    assert error.line == 13
    assert "home 3 ends here" in error.reason
    assert "cut off" in error.reason


def test_a_file_cut_off_inside_its_last_number_is_refused(write: Write):
    error = refused(write(text(rows())[:-2]))
    assert error.line == 16


def test_a_last_line_without_a_line_end_is_refused_as_it_may_be_cut_off(write: Write):
    error = refused(write(text(rows())[:-1]))
    assert error.line == 16
    assert "no line end" in error.reason


def test_irregular_spacing_is_refused(write: Write):
    assert "no multiple of 3600 s" in refused_line(write, 6, "2025-06-01T01:30:00,2,5,0").reason


def test_shuffled_rows_are_refused(write: Write):
    lines = rows(homes=1)
    lines[2], lines[3] = lines[3], lines[2]
    error = refused(write(text(lines)))
    assert error.line == 4
    assert "sort the rows" in error.reason


# What is wrong with the file


def test_a_wrong_header_is_refused(write: Write):
    error = refused(write(text(["time,home,load_wh,pv_wh", *rows()[1:]])))
    assert error.line == 1
    assert f"it must be {HEADER}" in error.reason


def test_columns_in_another_order_are_refused(write: Write):
    assert refused(write(text(["home,interval_start,load_wh,pv_wh", *rows()[1:]]))).line == 1


def test_an_empty_file_is_refused(write: Write):
    assert "empty" in refused(write("")).reason


def test_an_empty_compressed_file_is_refused(tmp_path: Path):
    path = tmp_path / "homes.csv.gz"
    path.write_bytes(b"")
    assert "empty" in refused(path).reason


def test_a_header_without_rows_is_refused(write: Write):
    assert "no rows" in refused(write(HEADER + "\n")).reason


def test_text_that_is_not_utf_8_is_refused_with_its_line(tmp_path: Path):
    path = tmp_path / "homes.csv"
    path.write_bytes(text(rows()[:4]).encode() + b"2025-06-01T01:00:00,\xff,1,0\n")
    error = refused(path)
    assert error.line == 5
    assert "UTF-8" in error.reason


def test_a_truncated_gzip_file_is_refused(tmp_path: Path):
    path = tmp_path / "homes.csv.gz"
    path.write_bytes(gzip.compress(text(rows()).encode())[:-12])
    assert "ends early" in refused(path).reason


def test_a_gzip_file_with_a_changed_byte_is_refused(tmp_path: Path):
    path = tmp_path / "homes.csv.gz"
    packed = bytearray(gzip.compress(text(rows()).encode()))
    packed[-8] ^= 1  # the checksum
    path.write_bytes(packed)
    assert "not sound gzip data" in refused(path).reason


def test_plain_text_named_gz_is_refused(tmp_path: Path):
    path = tmp_path / "homes.csv.gz"
    path.write_text(text(rows()))
    assert "not sound gzip data" in refused(path).reason


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    assert ".csv or .csv.gz" in refused(tmp_path / "homes.parquet").reason


def test_a_missing_file_is_refused(tmp_path: Path):
    assert "check the path" in refused(tmp_path / "nowhere.csv").reason


def test_an_unclosed_quote_is_refused(write: Write):
    assert "not CSV" in refused(write(text([*rows(), '"2025-06-01T05:00:00,1,1,1']))).reason


# What the file cannot give


def test_a_start_that_is_not_in_the_data_is_refused(write: Write):
    path = write(text(rows()))
    assert "no interval begins at 2024-06-01T00:00:00" in refused(path, start=datetime(2024, 6, 1)).reason
    assert "no interval begins" in refused(path, start=datetime(2025, 6, 1, 0, 30)).reason
    assert "no interval begins" in refused(path, start=datetime(2025, 6, 1, tzinfo=UTC)).reason


@pytest.mark.parametrize("intervals", [0, -1, 4])
def test_a_number_of_intervals_that_is_not_there_is_refused(write: Write, intervals: int):
    error = refused(write(text(rows())), start=datetime(2025, 6, 1, 2), intervals=intervals)
    assert "ask for 1 to 3" in error.reason


@pytest.mark.parametrize("homes", [0, 4])
def test_a_number_of_homes_that_is_not_there_is_refused(write: Write, homes: int):
    assert "ask for 1 to 3" in refused(write(text(rows())), homes=homes).reason


def test_an_interval_length_other_than_that_of_the_data_is_refused(write: Write):
    assert "3600 s apart, but 900 s" in refused(write(text(rows())), interval_s=900).reason


# Measured homes


def measured(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not there; it belongs in the folder shared/data beside the repository")
    return path


def test_a_day_of_the_fontana_homes_is_read():
    profiles = read_profiles(measured("fontana17_hourly.csv.gz"), start=datetime(2016, 8, 3), intervals=24)
    assert (len(profiles.homes), profiles.intervals, profiles.interval_s) == (17, 24, 3600)


def test_the_fontana_homes_hold_what_the_file_says():
    path = measured("fontana17_hourly.csv.gz")
    profiles = read_profiles(path)
    with gzip.open(path, "rt") as lines:
        expected = [line.strip().split(",") for line in lines][1 : 1 + 17 * 24]
    found = [
        [f"2016-08-01T{hour:02}:00:00", str(home.home), str(home.load_wh[hour]), str(home.generation_wh[hour])]
        for hour in range(24)
        for home in profiles.homes
    ]
    assert found == expected


def test_the_hamlet_homes_are_quarter_hourly():
    profiles = read_profiles(measured("hamlet16_quarterhourly.csv.gz"))
    assert (len(profiles.homes), profiles.intervals, profiles.interval_s) == (16, 96, 900)
    assert profiles.start == datetime(2021, 2, 14, 23)


def test_a_row_removed_from_the_fontana_file_is_found(tmp_path: Path):
    lines = gzip.decompress(measured("fontana17_hourly.csv.gz").read_bytes()).decode().splitlines(keepends=True)
    del lines[40_000]  # line 40001; the next row of that home was 17 lines further on
    path = tmp_path / "gap.csv"
    path.write_text("".join(lines))
    error = refused(path)
    assert error.line == 40_001 + 17 - 1
    assert "gap" in error.reason

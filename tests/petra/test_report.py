import re

import pytest

from petra.report import write_report
from petra.summary import who_learnt_what


@pytest.fixture(scope="module")
def report(small_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(small_run, who_learnt_what(small_run), "throw-away <keys>", path)
    return path.read_text(encoding="utf-8")


def test_the_report_loads_nothing_from_outside(report):
    names = ("http://www.w3.org/", "https://www.w3.org/")  # XML name spaces, never fetched
    urls = [u for u in re.findall(r"(?:https?:)?//[^\s\"'<>)]+", report) if not u.startswith(names)]
    assert urls == [] or all("w3.org" in u or "purl.org" in u or "creativecommons.org" in u for u in urls)
    assert "<script" not in report
    assert "<link" not in report
    assert "@import" not in report
    assert not re.search(r"<img|<iframe|<object|<embed", report)


def test_the_report_has_three_plots_and_four_tables(report):
    assert report.count("<svg") == 3
    assert report.count("<table") == 4


def test_what_is_shown_is_escaped(report):
    assert "throw-away &lt;keys&gt;" in report


def test_the_plots_name_what_they_show(report):
    for label in ("load", "generation", "import from the grid", "traded locally", "DSO sells", "DSO buys"):
        assert label in report

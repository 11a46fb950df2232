"""What people see of a download."""

import io

import pytest

from toolkit.downloads import download_bar

MEGABYTE = 1_000_000


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.setattr("toolkit.progress._PLAIN_LINE_SECONDS", 0.0)
    return io.StringIO()


def test_megabytes_rate_and_time_to_go_are_shown(lines: io.StringIO) -> None:
    with download_bar("model.tar", stream=lines) as tell:
        for done in range(0, 10 * MEGABYTE + 1, MEGABYTE // 2):
            tell(done, 10 * MEGABYTE)
    told = lines.getvalue().splitlines()
    assert len(told) == 10
    assert told[0].startswith("download model.tar: 1/10 (10%) ETA ")
    assert "MB/s" in told[0]
    assert "10/10 (100%)" in told[-1]


def test_going_on_counts_from_there_and_starting_over_from_nothing(lines: io.StringIO) -> None:
    with download_bar("m", stream=lines) as tell:
        tell(0, 9 * MEGABYTE)
        tell(4 * MEGABYTE, 9 * MEGABYTE)
        tell(4 * MEGABYTE, 9 * MEGABYTE)  # the next try begins where this one ended
        tell(5 * MEGABYTE, 9 * MEGABYTE)
        tell(0, 9 * MEGABYTE)
        tell(2 * MEGABYTE, 9 * MEGABYTE)
    with download_bar("m", stream=lines) as tell:
        tell(7 * MEGABYTE, 9 * MEGABYTE)
        tell(8 * MEGABYTE, 9 * MEGABYTE)
    told = [line.split(" (")[0] for line in lines.getvalue().splitlines()]
    assert told == [
        "download m: 4/9",
        "download m: 5/9",
        "download m: 2/9",
        "download m after the first 7 MB: 1/2",
    ]


def test_nothing_is_shown_when_nothing_is_downloaded(lines: io.StringIO) -> None:
    with download_bar("m", stream=lines):
        pass
    assert lines.getvalue() == ""


def test_an_unknown_length_is_counted(lines: io.StringIO) -> None:
    with download_bar("m", stream=lines) as tell:
        tell(0, None)
        tell(3 * MEGABYTE, None)
    assert lines.getvalue().startswith("download m: 3 ")

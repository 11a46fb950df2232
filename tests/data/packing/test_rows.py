"""What is to be packed: three kinds of lists, and a reason for every line that cannot be read."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.packing.rows import Row, SkippedRow, read_rows
from toolkit.errors import DatasetError

COLUMNS = ("path", "label")


def rows(folder: Path, text: str | bytes, source: str, delimiter: str | None = None) -> list:
    file = folder / "list.txt"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_rows(file, source, columns=COLUMNS, delimiter=delimiter))  # type: ignore[arg-type]


def test_a_list_of_this_toolkit(tmp_path: Path) -> None:
    read = rows(tmp_path, "a b.jpg\tred apple\nc.jpg 3\n\nonly\n", "list")
    assert read[:2] == [Row(1, "a b.jpg", "red apple"), Row(2, "c.jpg", "3")]
    assert isinstance(read[2], SkippedRow)
    assert (read[2].line, read[2].reason) == (4, "malformed_row")
    assert "1 blank-separated column(s)" in read[2].message


def test_a_delimiter_of_ones_own(tmp_path: Path) -> None:
    read = rows(tmp_path, "a,b.jpg,3\nc.jpg\n,4\n", "list", ",")
    assert read[0] == Row(1, "a,b.jpg", "3")
    assert [(row.line, row.reason) for row in read[1:]] == [
        (2, "malformed_row"),
        (3, "malformed_row"),
    ]


def test_a_list_without_labels(tmp_path: Path) -> None:
    read = rows(tmp_path, "\ufeffa b.jpg\r\n\n  c 3.jpg\n# d.jpg\noss://b/k.jpg", "unlabelled")
    assert read == [
        Row(1, "a b.jpg", None),
        Row(3, "c 3.jpg", None),
        Row(4, "# d.jpg", None),
        Row(5, "oss://b/k.jpg", None),
    ]


def test_a_line_that_is_not_utf_8(tmp_path: Path) -> None:
    (row,) = rows(tmp_path, b"caf\xe9.jpg\n", "unlabelled")
    assert (row.line, row.path, row.reason) == (1, "caf\\xe9.jpg", "malformed_row")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # The two forms of PAI's documentation, newer and older.
        (
            '1,"{""url"":""http://a.jpg""}","{""option"":""passport""}"',
            Row(1, "http://a.jpg", "passport"),
        ),
        ('1,{"url":"http://a.jpg"},{"option":"id, card"}', Row(1, "http://a.jpg", "id, card")),
        ('7,{"url":"oss://b/苹果.jpg"}', Row(1, "oss://b/苹果.jpg", None)),
        ('7,"{""image"":""a,b.jpg""}",', Row(1, "a,b.jpg", None)),
        ('7, {"url":"a.jpg", "more": 1} , {"option":["one"]}', Row(1, "a.jpg", "one")),
        ('7,{"url":"a.jpg"},{"option":3}', Row(1, "a.jpg", "3")),
        ('x,{"url":"a.jpg"},{}', Row(1, "a.jpg", None)),
    ],
)
def test_annotations_of_pai(tmp_path: Path, line: str, expected: Row) -> None:
    assert rows(tmp_path, line, "pai") == [expected]


def test_comments_of_pai_are_passed_over(tmp_path: Path) -> None:
    assert rows(tmp_path, '# id,raw\n2;{"url":"a"}\n', "pai", ";") == [Row(2, "a", None)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("just text", "expected an id"),
        ('1,{"path":"a.jpg"}', 'have no "url"'),
        ('1,{"url":"a.jpg"},{"option":["a","b"]}', "2 options"),
        ('1,{"url":"a.jpg"},[{"text":"{}"}]', "no JSON object"),
        ('1,{"url":"a.jpg"},{"ossUrl":"b"}', 'no "option"'),
        ('1,{"url":"a.jpg"', "delimiter"),
        ('1,"{""url"":""a.jpg""', "unexpected end of data"),
    ],
)
def test_annotations_that_are_no_classification(tmp_path: Path, line: str, words: str) -> None:
    (row,) = rows(tmp_path, line, "pai")
    assert isinstance(row, SkippedRow)
    assert (row.reason, row.path) == ("malformed_row", line)
    assert words in row.message


@settings(deadline=None)
@given(text=st.text(max_size=80), source=st.sampled_from(["list", "unlabelled", "pai"]))
def test_no_line_is_lost(text: str, source: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every line that is not blank and no comment gives exactly one row, skipped or not."""
    data = text.encode("utf-8", "surrogatepass")
    read = rows(tmp_path_factory.mktemp("list"), b"x" + data, source)
    lines = [row.line for row in read]
    assert lines == sorted(set(lines))
    blank = b" \t\r\xef\xbb\xbf"
    full = [n for n, raw in enumerate((b"x" + data).split(b"\n"), 1) if raw.strip(blank)]
    comments = sum(
        raw.decode("utf-8", "replace").strip("\ufeff \t\r").startswith("#")
        for raw in (b"x" + data).split(b"\n")
    )
    assert len(full) - (comments if source == "pai" else 0) <= len(lines) <= len(full)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.txt cannot be read"):
        list(read_rows(tmp_path / "none.txt", "pai", columns=COLUMNS))

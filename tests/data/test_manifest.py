from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.manifest import (
    CAMERA_COLUMNS,
    DEFAULT_COLUMNS,
    Sample,
    find_images,
    label_order,
    read_manifest,
    write_manifest,
)
from toolkit.errors import DatasetError


def read(tmp_path, data, columns=DEFAULT_COLUMNS):
    file = tmp_path / "train.txt"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_manifest(file, root=tmp_path, split="train", columns=columns)


def rows(manifest):
    return [(sample.line, sample.path, sample.label) for sample in manifest.samples]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.jpg 1\nb.jpg 2\n", [(1, "a.jpg", "1"), (2, "b.jpg", "2")]),
        ("a.jpg 1\r\nb.jpg 2\r\n", [(1, "a.jpg", "1"), (2, "b.jpg", "2")]),
        ("a.jpg 1\r\r\n", [(1, "a.jpg", "1")]),
        ("a.jpg 1\nb.jpg 2", [(1, "a.jpg", "1"), (2, "b.jpg", "2")]),
        ("\ufeffa.jpg 1\n", [(1, "a.jpg", "1")]),
        ("\ufeffa b.jpg\t1\n", [(1, "a b.jpg", "1")]),
        ("a.jpg 1\n\ufeffb.jpg 2\n", [(1, "a.jpg", "1"), (2, "b.jpg", "2")]),
        ("\n  \n\t\na.jpg 1\n\n", [(4, "a.jpg", "1")]),
        ("a.jpg 1   \n", [(1, "a.jpg", "1")]),
        ("  a.jpg   1\n", [(1, "a.jpg", "1")]),
        ("my photo 2.jpg 1\n", [(1, "my photo 2.jpg", "1")]),
        ("my photo.jpg\tsoft drink\n", [(1, "my photo.jpg", "soft drink")]),
        ("a.jpg\t1\t\n", [(1, "a.jpg", "1")]),
        ("a.jpg\t 1 \n", [(1, "a.jpg", "1")]),
        (" a.jpg\t1\n", [(1, " a.jpg", "1")]),
        ("图片/可乐 1.jpg 可乐\n", [(1, "图片/可乐 1.jpg", "可乐")]),
        ("a.jpg 可乐\u3000\n", [(1, "a.jpg", "可乐")]),
        ("", []),
    ],
)
def test_line_rules(tmp_path, text, expected):
    manifest = read(tmp_path, text)
    assert rows(manifest) == expected
    assert manifest.problems == []


def test_camera_is_the_last_of_three_columns(tmp_path):
    manifest = read(tmp_path, "my photo.jpg 7 c1\nb.jpg\tsoft drink\tleft door\n", CAMERA_COLUMNS)
    assert manifest.samples == [
        Sample("my photo.jpg", "7", 1, "c1"),
        Sample("b.jpg", "soft drink", 2, "left door"),
    ]


def test_every_malformed_row_is_reported_with_its_line(tmp_path):
    text = (
        b"a.jpg 1\nalone.jpg\nmy photo.jpg\t\na\tb\tc\n\t1\n"
        b"\xb2\xdd.jpg 3\nx\0.jpg 1\na.jpg\rb.jpg 1\nb.jpg 2\n"
    )
    manifest = read(tmp_path, text)
    assert rows(manifest) == [(1, "a.jpg", "1"), (9, "b.jpg", "2")]
    assert {problem.line: problem.message for problem in manifest.problems} == {
        2: "1 blank-separated column(s), expected 2: path, label",
        3: "the label is empty, expected path, label",
        4: "3 tab-separated column(s), expected 2: path, label",
        5: "the path is empty, expected path, label",
        6: "byte 0xb2 at position 1 is not UTF-8; save the list as UTF-8",
        7: "the path holds a zero character, which a list cannot carry",
        8: "the path holds a carriage return, which a list cannot carry",
    }
    assert manifest.problems[0].text == "alone.jpg"
    assert manifest.problems[4].text == r"\xb2\xdd.jpg 3"


def test_two_columns_where_three_are_asked_for(tmp_path):
    manifest = read(tmp_path, "a.jpg 1\n", CAMERA_COLUMNS)
    assert [(p.line, p.message) for p in manifest.problems] == [
        (1, "2 blank-separated column(s), expected 3: path, label, camera")
    ]


def test_missing_file_folder_and_utf16(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere\.txt does not exist"):
        read_manifest(tmp_path / "nowhere.txt", root=tmp_path, split="train")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_manifest(tmp_path, root=tmp_path, split="train")
    with pytest.raises(DatasetError, match="UTF-16"):
        read(tmp_path, "a.jpg 1\n".encode("utf-16"))
    with pytest.raises(ValueError, match="columns must be"):
        read(tmp_path, "a.jpg 1\n", ("path", "camera"))


def test_resolve_and_labels(tmp_path):
    manifest = read(tmp_path, "images/a.jpg 10\n/elsewhere/b.jpg 2\n")
    assert [manifest.resolve(sample) for sample in manifest.samples] == [
        tmp_path / "images/a.jpg",
        Path("/elsewhere/b.jpg"),
    ]
    assert manifest.labels == ["10", "2"]


def test_label_order_is_numeric_then_text():
    assert label_order(["b", "10", "2", "a", "2", "-1", "02", "\uff11"]) == [
        "-1", "02", "2", "10", "a", "b", "\uff11",
    ]  # fmt: skip
    assert label_order(["9" * 5000, "1"]) == ["1", "9" * 5000]


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (Sample("a\tb.jpg", "1", 1), "the path holds a tab.*jpg"),
        (Sample("a\nb.jpg", "1", 1), "the path holds a line break.*jpg"),
        (Sample("a.jpg", "x\ty", 1), "the label holds a tab"),
        (Sample("a.jpg", " x", 1), "the label starts or ends with a blank"),
        (Sample("a.jpg", "", 1), "the label is empty"),
        (Sample("", "1", 1), "the path is empty"),
        (Sample("\ufeffa.jpg", "1", 1), "byte order mark"),
        (Sample("\udcb2.jpg", "1", 1), "not valid Unicode"),
    ],
)
def test_writing_refuses_what_reading_would_not_give_back(tmp_path, sample, message):
    file = tmp_path / "train.txt"
    file.write_text("kept")
    with pytest.raises(DatasetError, match=message):
        write_manifest(file, [sample])
    assert file.read_text() == "kept"


def test_writing_some_cameras_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="all or none"):
        write_manifest(tmp_path / "x.txt", [Sample("a", "1", 1), Sample("b", "1", 2, "c1")])


def test_written_form(tmp_path):
    file = tmp_path / "new" / "train.txt"
    write_manifest(
        file, [Sample("a.jpg", "1", 5), Sample("a b.jpg", "1", 6), Sample("c", "x y", 7)]
    )
    assert file.read_bytes() == b"a.jpg 1\na b.jpg\t1\nc\tx y\n"


def test_find_images_is_sorted_recursive_and_skips_what_is_hidden(tmp_path):
    for name in (
        "b/2.JPG",
        "b/10.png",
        "a.jpg",
        "note.txt",
        ".hidden/x.jpg",
        "b/._2.jpg",
        "d.jpg/x.webp",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.jpg", "b/10.png", "b/2.JPG", "d.jpg/x.webp"]


_TEXT = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\0"), min_size=1, max_size=12),
    st.text("ab 12 可乐\u3000\u00a0\ufeff/\\.", min_size=1, max_size=12),
)
_PATHS = _TEXT.filter(lambda text: text.strip(" ") and not text.startswith("\ufeff"))
_WORDS = _TEXT.map(str.strip).filter(bool)


@settings(deadline=None, derandomize=True)
@given(
    st.one_of(
        st.lists(st.tuples(_PATHS, _WORDS, st.none()), max_size=5),
        st.lists(st.tuples(_PATHS, _WORDS, _WORDS), max_size=5),
    )
)
def test_what_is_written_reads_back(tmp_path_factory, values):
    file = tmp_path_factory.getbasetemp() / "round_trip.txt"
    samples = [
        Sample(path, label, line, camera)
        for line, (path, label, camera) in enumerate(values, start=1)
    ]
    write_manifest(file, samples)
    columns = CAMERA_COLUMNS if samples and samples[0].camera else DEFAULT_COLUMNS
    manifest = read_manifest(file, root=file.parent, split="train", columns=columns)
    assert manifest.samples == samples
    assert manifest.problems == []


@settings(deadline=None, derandomize=True)
@given(st.lists(st.one_of(st.binary(max_size=20), _TEXT.map(str.encode)), max_size=5))
def test_whatever_reads_can_be_written(tmp_path_factory, lines):
    file = tmp_path_factory.getbasetemp() / "any.txt"
    file.write_bytes(b"x.jpg 1\n" + b"\n".join(lines))
    samples = read_manifest(file, root=file.parent, split="train").samples
    write_manifest(file, samples)
    again = read_manifest(file, root=file.parent, split="train").samples
    assert [(s.path, s.label) for s in again] == [(s.path, s.label) for s in samples]

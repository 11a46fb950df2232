import json
from collections import Counter

import pytest

from toolkit.data.convert import LABEL_NAMES, write_conversion
from toolkit.data.convert.csv_table import convert_csv
from toolkit.data.convert.image_folder import convert_image_folder
from toolkit.data.convert.labelme import convert_labelme
from toolkit.data.manifest import read_manifest
from toolkit.errors import DatasetError
from toolkit.registry import CONVERTERS

SPLITS = ("train", "gallery", "query")


def touch(root, *names):
    for name in names:
        root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        root.joinpath(name).write_bytes(b"picture")


def annotate(root, name, image_path, **flags):
    file = root / "annotations" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"imagePath": image_path, "flags": flags}), encoding="utf-8")


def labelme(root, per_class=10, classes=("cola", "tea"), class_file="label.txt"):
    root.joinpath(class_file).write_text("\n".join(classes), encoding="utf-8")
    for number, name in enumerate(classes):
        for i in range(per_class):
            touch(root, f"images/{number}_{i}.jpg")
            flags = {other: other == name for other in classes}
            annotate(root, f"{number}_{i}.json", f"../images/{number}_{i}.jpg", **flags)
    return root


def all_rows(conversion):
    return sorted((s.path, s.label) for rows in conversion.samples.values() for s in rows)


def counts(conversion):
    return {name: Counter(s.label for s in rows) for name, rows in conversion.samples.items()}


def test_the_registry_reads_every_converter():
    for name in CONVERTERS.names():
        options = {option.name for option in CONVERTERS.options(name)}
        assert {"root", "seed"} <= options
        assert callable(CONVERTERS.get(name))


@pytest.mark.parametrize("class_file", ["label.txt", "flags.txt"])
def test_labelme_outcome_is_50_30_20_of_each_class(tmp_path, class_file):
    conversion = convert_labelme(labelme(tmp_path, class_file=class_file), seed=3)
    assert counts(conversion) == {
        "train": {"0": 5, "1": 5},
        "gallery": {"0": 3, "1": 3},
        "query": {"0": 2, "1": 2},
    }
    assert conversion.class_names == {"0": "cola", "1": "tea"}
    assert conversion.problems == []
    assert conversion.notes == []


def test_labelme_is_shuffled_by_the_seed(tmp_path):
    root = labelme(tmp_path)
    first, again, other = (convert_labelme(root, seed=seed) for seed in (0, 0, 1))
    assert first.samples == again.samples
    assert first.samples != other.samples
    assert all_rows(first) == all_rows(other)
    assert [s.path for s in first.samples["train"]][:5] != [f"images/0_{i}.jpg" for i in range(5)]


@pytest.mark.parametrize(
    ("image_path", "found"),
    [
        ("x.jpg", "images/x.jpg"),
        ("../images/x.jpg", "images/x.jpg"),
        ("..\\images\\x.jpg", "images/x.jpg"),
        ("C:\\Users\\me\\x.jpg", "images/x.jpg"),
        ("/home/me/x.jpg", "images/x.jpg"),
        ("../images/deep/er/y.jpg", "images/deep/er/y.jpg"),
        ("..\\images\\deep\\er\\y.jpg", "images/deep/er/y.jpg"),
        ("y.jpg", "images/deep/er/y.jpg"),
        ("beside.jpg", "annotations/beside.jpg"),
        ("图片 1.jpg", "images/图片 1.jpg"),
    ],
)
def test_labelme_image_paths(tmp_path, image_path, found):
    root = labelme(tmp_path, per_class=3)
    touch(root, "images/x.jpg", "images/deep/er/y.jpg", "annotations/beside.jpg")
    touch(root, "images/图片 1.jpg")
    annotate(root, "new.json", image_path, cola=True, tea=False)
    conversion = convert_labelme(root)
    assert conversion.problems == []
    assert (found, "0") in all_rows(conversion)


def test_labelme_reports_every_annotation_it_cannot_use(tmp_path):
    root = labelme(tmp_path, per_class=3)
    touch(root, "images/x.jpg", "images/a/same.jpg", "images/b/same.jpg", "../outside.jpg")
    touch(root, "images/tab\there.jpg")
    annotate(root, "a_unknown.json", "x.jpg", juice=True)
    annotate(root, "b_several.json", "x.jpg", cola=True, tea=True)
    annotate(root, "c_none.json", "x.jpg", cola=False)
    annotate(root, "d_missing.json", "gone.jpg", cola=True)
    annotate(root, "e_ambiguous.json", "same.jpg", cola=True)
    annotate(root, "f_again.json", "0_0.jpg", tea=True)
    annotate(root, "g_no_path.json", None, tea=True)
    annotate(root, "h_outside.json", "../../outside.jpg", tea=True)
    annotate(root, "i_tab.json", "tab\there.jpg", tea=True)
    annotate(root, "j_long.json", "x" * 5000, tea=True)
    annotate(root, "k_fine.json", "x.jpg", tea=True, unknown_but_false=False)
    root.joinpath("annotations/l_broken.json").write_text('{\n "imagePath": \n}')
    root.joinpath("annotations/m_list.json").write_text("[]")
    root.joinpath("annotations/n_no_flags.json").write_text('{"imagePath": "x.jpg"}')
    root.joinpath("annotations/.DS_Store").write_bytes(b"\x00\xff")
    root.joinpath("annotations/._0_0.json").write_bytes(b"\x00\xff")
    conversion = convert_labelme(root)
    problems = {p.file.name: (p.line, p.message) for p in conversion.problems}
    expected = {
        "a_unknown.json": "flag 'juice' is not in label.txt",
        "b_several.json": "2 flags are true (cola, tea)",
        "c_none.json": "no flag is true",
        "d_missing.json": "'gone.jpg' was not found",
        "e_ambiguous.json": "could be any of images/a/same.jpg, images/b/same.jpg",
        "f_again.json": "another annotation has labelled images/0_0.jpg already",
        "g_no_path.json": "imagePath is None",
        "h_outside.json": "'../../outside.jpg' was not found",
        "i_tab.json": "the path holds a tab",
        "j_long.json": "was not found",
        "l_broken.json": "not JSON",
        "m_list.json": "holds a list",
        "n_no_flags.json": "flags is None",
    }
    assert problems.keys() == expected.keys()
    for name, message in expected.items():
        assert message in problems[name][1]
    assert problems["l_broken.json"][0] == 3
    assert str(conversion.problems[-3]).endswith("l_broken.json:3: " + problems["l_broken.json"][1])
    assert len(all_rows(conversion)) == 7
    assert ("images/x.jpg", "1") in all_rows(conversion)


def test_labelme_class_file_with_blank_lines_bom_and_crlf(tmp_path):
    root = labelme(tmp_path, per_class=3, classes=("可乐", "tea"))
    text = "\ufeff可乐\r\n\r\n  tea \r\ntea\r\nnever seen\r\n"
    root.joinpath("label.txt").write_bytes(text.encode())
    conversion = convert_labelme(root)
    assert conversion.class_names == {"0": "可乐", "1": "tea", "2": "never seen"}
    assert [(p.line, p.message) for p in conversion.problems] == [
        (4, "class 'tea' is listed twice; the first one counts")
    ]
    assert conversion.notes == ["1 of 3 classes have no picture: never seen."]


def test_labelme_without_its_parts(tmp_path):
    with pytest.raises(DatasetError, match=r"neither label\.txt nor flags\.txt"):
        convert_labelme(tmp_path)
    tmp_path.joinpath("label.txt").write_text("\n\n")
    with pytest.raises(DatasetError, match="lists no class"):
        convert_labelme(tmp_path)
    tmp_path.joinpath("label.txt").write_bytes(b"cola\n\xff\xfe\n")
    with pytest.raises(DatasetError, match=r"label\.txt:2: not UTF-8"):
        convert_labelme(tmp_path)
    tmp_path.joinpath("label.txt").write_text("cola\n")
    with pytest.raises(DatasetError, match="annotations does not exist"):
        convert_labelme(tmp_path)
    tmp_path.joinpath("annotations").mkdir()
    with pytest.raises(DatasetError, match=r"no \.json file"):
        convert_labelme(tmp_path)
    annotate(tmp_path, "a.json", "gone.jpg", cola=True)
    with pytest.raises(DatasetError, match=r"Nothing in .*\n.*a\.json: .*gone\.jpg"):
        convert_labelme(tmp_path)


def test_writing_keeps_the_originals_and_the_names(tmp_path):
    root = labelme(tmp_path)
    root.joinpath("train.txt").write_text("mine 1\n")
    backups = write_conversion(root, convert_labelme(root))
    assert [path.name for path in backups] == ["train.txt.bak"]
    assert root.joinpath("train.txt.bak").read_text() == "mine 1\n"
    assert json.loads(root.joinpath(LABEL_NAMES).read_text()) == {"0": "cola", "1": "tea"}
    sizes = [
        len(read_manifest(root / f"{name}.txt", root=root, split=name).samples) for name in SPLITS
    ]
    assert sizes == [10, 6, 4]


def test_image_folder_without_splits(tmp_path):
    for name in ("soft drink", "茶"):
        touch(tmp_path, *(f"{name}/deep/{i}.jpg" for i in range(10)))
    touch(tmp_path, "few/1.png", "loose.jpg", "茶/notes.txt")
    conversion = convert_image_folder(tmp_path, seed=1)
    assert counts(conversion) == {
        "train": {"soft drink": 5, "茶": 5, "few": 1},
        "gallery": {"soft drink": 3, "茶": 3},
        "query": {"soft drink": 2, "茶": 2},
    }
    assert [(p.file.name, p.message) for p in conversion.problems] == [
        ("loose.jpg", "is not in a class folder")
    ]
    assert conversion.notes == ["1 class(es) with fewer than 3 pictures are in train only: few."]
    assert conversion.class_names == {}


@pytest.mark.parametrize("base", ["", "images/"])
def test_image_folder_with_splits(tmp_path, base):
    touch(tmp_path, f"{base}train/a/1.jpg", f"{base}gallery/b/2.jpg", f"{base}query/b/3.jpg")
    touch(tmp_path, f"{base}query/loose.jpg")
    conversion = convert_image_folder(tmp_path)
    assert {
        name: [(s.path, s.label) for s in rows] for name, rows in conversion.samples.items()
    } == {
        "train": [(f"{base}train/a/1.jpg", "a")],
        "gallery": [(f"{base}gallery/b/2.jpg", "b")],
        "query": [(f"{base}query/b/3.jpg", "b")],
    }
    assert [p.file.name for p in conversion.problems] == ["loose.jpg"]
    write_conversion(tmp_path, conversion)
    assert not tmp_path.joinpath(LABEL_NAMES).exists()


def test_image_folder_that_lacks_or_mixes(tmp_path):
    with pytest.raises(DatasetError, match="is not a folder"):
        convert_image_folder(tmp_path / "gone")
    with pytest.raises(DatasetError, match="Nothing in"):
        convert_image_folder(tmp_path)
    touch(tmp_path, "train/a/1.jpg")
    assert convert_image_folder(tmp_path).notes == [
        "There is no picture for gallery.txt.",
        "There is no picture for query.txt.",
    ]
    touch(tmp_path, "cola/1.jpg")
    with pytest.raises(DatasetError, match=r"split folders \(train\) among others \(cola\)"):
        convert_image_folder(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_delimiters_order_and_quotes(tmp_path, delimiter):
    rows = [
        ["note", "Label", " PATH", "split"],
        ["x", "soft drink", 'images/a b,c;d "e.jpg', "Train"],
        ["x", "2", "images\\b.jpg", "gallery"],
        ["x", "2", "c.jpg", "query"],
    ]
    quoted = "\r\n".join(
        delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows
    )
    tmp_path.joinpath("data.csv").write_bytes(b"\xef\xbb\xbf" + quoted.encode())
    conversion = convert_csv(tmp_path)
    assert {
        name: [(s.path, s.label) for s in rows] for name, rows in conversion.samples.items()
    } == {
        "train": [('images/a b,c;d "e.jpg', "soft drink")],
        "gallery": [("images/b.jpg", "2")],
        "query": [("c.jpg", "2")],
    }
    assert conversion.problems == []


def test_csv_reports_rows_by_line(tmp_path):
    text = 'path,label,split\na.jpg,1,train\nb.jpg,1\n\n"two\nlines.jpg",1,train\nc.jpg,,query\n'
    text += ",1,query\nd.jpg,1,test\ne\tf.jpg,1,query\ng.jpg,1,query\n"
    tmp_path.joinpath("data.csv").write_text(text)
    conversion = convert_csv(tmp_path)
    assert all_rows(conversion) == [("a.jpg", "1"), ("g.jpg", "1")]
    assert [(p.line, p.message) for p in conversion.problems] == [
        (3, "2 columns, expected 3 as in the header"),
        (5, "the path holds a line break, which a list cannot carry"),
        (7, "the label is empty"),
        (8, "the path is empty"),
        (9, "split is 'test'; expected train, gallery, query"),
        (10, "the path holds a tab, which a list cannot carry"),
    ]
    assert conversion.notes == [f"{tmp_path / 'data.csv'} has no row for gallery.txt."]


def test_csv_without_a_split_is_divided(tmp_path):
    lines = [f"{label}{i}.jpg,{label}" for label in "ab" for i in range(10)]
    tmp_path.joinpath("data.csv").write_text("\n".join(["path,label", *lines]))
    conversion = convert_csv(tmp_path, seed=5)
    assert {name: sum(c.values()) for name, c in counts(conversion).items()} == {
        "train": 10,
        "gallery": 6,
        "query": 4,
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"data\.csv:1: the header row '' lacks a column"),
        (b"image,label\na.jpg,1\n", "lacks a column; expected path and label"),
        (b"path,label\na.jpg,1\n\xb2\xdd.jpg,1\n", r"data\.csv:3: not UTF-8"),
        (b"path,label\na\0.jpg,1\n", r"data\.csv:2: holds a zero character"),
        (b"path,label\n", "Nothing in .* could be converted"),
        (b"path,label\na.jpg,1\n", "No class has 3 images"),
        (b"path,label\n" + b"x" * 200_000 + b",1\n", r"data\.csv:2: field larger"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path, data, message):
    tmp_path.joinpath("data.csv").write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        convert_csv(tmp_path)


def test_csv_file_must_be_clear(tmp_path):
    with pytest.raises(DatasetError, match="found none"):
        convert_csv(tmp_path)
    with pytest.raises(DatasetError, match="cannot be read"):
        convert_csv(tmp_path, file="gone.csv")
    with pytest.raises(DatasetError, match="is not a folder"):
        convert_csv(tmp_path / "gone")
    for name in ("a.csv", "b.tsv"):
        tmp_path.joinpath(name).write_text("path,label,split\nx.jpg,1,train\n")
    with pytest.raises(DatasetError, match=r"found a\.csv, b\.tsv"):
        convert_csv(tmp_path)
    assert all_rows(convert_csv(tmp_path, file="b.tsv")) == [("x.jpg", "1")]

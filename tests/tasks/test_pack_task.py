"""The mode pack as a function: what it writes, what it leaves out, and what a second run does."""

import json
import logging
import re
from pathlib import Path

import pytest
from PIL import Image

from toolkit import run
from toolkit.data.packing.preparing import Preparation
from toolkit.data.packing.reading import PackedPictures, packed_files, read_pictures
from toolkit.errors import ConfigError, DatasetError

PACK = "Global.mode=pack"


@pytest.fixture
def pack(configure, tmp_path):
    """Packs the drawn train list (32 PNGs of 4 classes) unless overrides name another."""

    def run_it(*overrides: str, output: str = "p"):
        return run(configure(PACK, f"Pack.output_tfrecord={tmp_path / output}", *overrides))

    return run_it


def contents(folder: Path) -> dict[str, bytes]:
    """All shards and indexes."""
    return {path.name: path.read_bytes() for path in folder.glob("p_t*")}


def test_every_picture_of_the_list_is_packed(pack, tmp_path, drawn_dataset, capsys) -> None:
    report = pack("Pack.image_encoding=png")
    assert "pack: 32/32 (100%)" in capsys.readouterr().err
    read = list(read_pictures(packed_files(tmp_path / "p", "train")))
    rows = [line.split() for line in (drawn_dataset / "train.txt").read_text().splitlines()]
    assert [[picture.name, str(picture.label)] for picture in read] == rows
    for picture in read:
        assert picture.encoded == (drawn_dataset / picture.name).read_bytes()
        assert (picture.width, picture.height) == (48, 48)
    assert report.passed
    assert report.packed == 32
    assert "Packed 32 pictures" in report.summary()
    assert str(tmp_path / "p_manifest.json") in report.summary()


def test_the_manifest_says_how_it_was_made(pack, tmp_path, drawn_dataset) -> None:
    pack("Pack.test_ratio=0.25", "Global.seed=7", "Pack.num_samples_per_tfrecord=10")
    manifest = json.loads((tmp_path / "p_manifest.json").read_text(encoding="utf-8"))
    assert manifest["format_version"] == 1
    assert manifest["seed"] == 7
    assert manifest["label_file"] == str(drawn_dataset / "train.txt")
    assert manifest["options"]["test_ratio"] == 0.25
    assert manifest["classes"] == {str(label): label for label in range(4)}
    assert len(manifest["fingerprint"]) == 16
    files = {split: manifest["splits"][split]["files"] for split in ("train", "test")}
    assert [file["records"] for file in files["train"]] == [10, 10, 4]
    assert [file["name"] for file in files["test"]] == ["p_test_00000.tfrecord"]
    result = json.loads((tmp_path / "output/pack_result.json").read_text(encoding="utf-8"))
    assert result["done_flag"] is True
    assert result["splits"] == manifest["splits"]


@pytest.mark.parametrize("kind", ["tfrecord", "webdataset"])
def test_parallel_runs_write_the_bytes_of_a_serial_one(pack, tmp_path, kind) -> None:
    same = (f"Pack.format={kind}", "Pack.num_samples_per_tfrecord=5", "Pack.test_ratio=0.3",
            "Pack.max_image_size=20", "Pack.shuffle=true")  # fmt: skip
    pack("Pack.read_parallel_num=1", "Pack.write_parallel_num=1", *same, output="serial/p")
    pack("Pack.read_parallel_num=7", "Pack.write_parallel_num=3", *same, output="parallel/p")
    serial = contents(tmp_path / "serial")
    assert contents(tmp_path / "parallel") == serial
    assert sum(name.endswith((".tfrecord", ".tar")) for name in serial) == 7


def test_the_split_is_that_of_the_seed(pack, tmp_path) -> None:
    def tested(seed: int, output: str) -> set[str]:
        pack("Pack.test_ratio=0.5", f"Global.seed={seed}", output=output)
        files = {split: packed_files(tmp_path / output, split) for split in ("train", "test")}
        names = {split: {p.name for p in read_pictures(files[split])} for split in files}
        assert len(names["test"]) == 16
        assert not names["train"] & names["test"]
        return names["test"]

    assert tested(1, "a/p") == tested(1, "b/p") != tested(2, "c/p")


def test_train_and_test_pictures_are_shrunk_to_their_own_sides(pack, tmp_path) -> None:
    pack("Pack.test_ratio=0.5", "Pack.max_image_size=30", "Pack.max_test_image_size=12")
    for split, side in (("train", 30), ("test", 12)):
        pictures = PackedPictures(packed_files(tmp_path / "p", split))
        assert {(p.width, p.height, p.format) for p in pictures} == {(side, side, "jpeg")}


@pytest.fixture
def spoilt(tmp_path, drawn_dataset) -> Path:
    """A list with six good pictures and one of every fault, and the pictures beside it."""
    folder = tmp_path / "spoilt"
    folder.mkdir()
    image = Image.open(drawn_dataset / "images/0_0.png")
    for number in range(6):
        image.save(folder / f"{number}.jpg")
    (folder / "cut.jpg").write_bytes((folder / "0.jpg").read_bytes()[:300])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    rows = ["0.jpg a", "1.jpg b", "cut.jpg a", "2.jpg a", "none.jpg b", "malformed", "empty.jpg a",
            "3.jpg drop", "text.jpg b", "4.jpg c", "5.jpg a"]  # fmt: skip
    (folder / "list.txt").write_text("\n".join(rows))
    return folder / "list.txt"


def test_bad_rows_are_skipped_and_counted(pack, tmp_path, spoilt) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("b\na\n")
    report = pack(
        f"Pack.label_file={spoilt}", f"Pack.image_root={spoilt.parent}", "Pack.error_class=drop",
        f"Pack.class_list_file={classes}",
    )  # fmt: skip
    read = list(read_pictures(packed_files(tmp_path / "p", "train")))
    assert [(p.name, p.label, p.class_name) for p in read] == [
        ("0.jpg", 1, "a"), ("1.jpg", 0, "b"), ("2.jpg", 1, "a"), ("5.jpg", 1, "a"),
    ]  # fmt: skip
    skipped = json.loads((tmp_path / "p_manifest.json").read_text(encoding="utf-8"))["skipped"]
    assert [(row["line"], row["reason"]) for row in skipped["each"]] == [
        (3, "truncated"), (5, "missing"), (6, "malformed_row"), (7, "zero_bytes"),
        (8, "error_class"), (9, "not_an_image"), (10, "unknown_class"),
    ]  # fmt: skip
    assert skipped["rows"] == sum(skipped["reasons"].values()) == 7
    assert report.passed
    assert "Rows left out: 7" in report.summary()
    assert "line 5: none.jpg: there is no such file" in report.summary()


def test_mended_pictures_are_packed_by_the_next_run(pack, tmp_path, spoilt) -> None:
    options = (f"Pack.label_file={spoilt}", f"Pack.image_root={spoilt.parent}")
    report = pack(*options, "Pack.error_class=drop")
    assert report.packed == 5
    assert report.manifest["classes"] == {"a": 0, "b": 1, "c": 2}
    assert pack(*options).packed == 6
    (spoilt.parent / "none.jpg").write_bytes((spoilt.parent / "0.jpg").read_bytes())
    assert pack(*options).packed == 7


def test_without_one_good_picture_nothing_is_replaced(pack, tmp_path, spoilt) -> None:
    pack()
    before = contents(tmp_path)
    with pytest.raises(DatasetError) as caught:
        pack(f"Pack.label_file={spoilt}", "Pack.image_root=/nowhere")
    assert "not one of 11 rows can be packed (malformed_row 1, missing 10)" in str(caught.value)
    assert "Line 1: 0.jpg: there is no such file. Check" in str(caught.value)
    assert "paths start from /nowhere" in str(caught.value)
    assert contents(tmp_path) == before
    assert len(packed_files(tmp_path / "p", "train")) == 1


def test_a_list_without_a_usable_row_is_an_error(pack, tmp_path) -> None:
    (tmp_path / "list.txt").write_text("malformed\n")
    with pytest.raises(DatasetError, match=r"not one of 1 rows .* Line 1: malformed: 1 blank"):
        pack(f"Pack.label_file={tmp_path / 'list.txt'}")
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(DatasetError, match=r"list\.txt has no rows"):
        pack(f"Pack.label_file={tmp_path / 'list.txt'}")


def test_self_supervised_lists_have_no_labels(pack, tmp_path, spoilt) -> None:
    unlabelled = tmp_path / "unlabelled.txt"
    unlabelled.write_text("0.jpg\n1.jpg\n")
    options = [f"Pack.image_root={spoilt.parent}", f"Pack.label_file={unlabelled}"]
    pack("Pack.label_source=unlabelled", *options)
    (tmp_path / "empty.txt").touch()
    options[1] = f"Pack.label_file={spoilt}"
    pack(f"Pack.class_list_file={tmp_path / 'empty.txt'}", *options, output="q")
    for output, count in (("p", 2), ("q", 6)):
        pictures = PackedPictures(packed_files(tmp_path / output, "train"))
        assert [picture.label for picture in pictures] == [-1] * count


def test_annotations_of_pai(pack, tmp_path, spoilt) -> None:
    annotations = tmp_path / "annotations.csv"
    annotations.write_text(
        '# id,raw,answer\n1,"{""url"":""oss://spoilt/0.jpg""}","{""option"":""red""}"\n'
        '2,{"url":"spoilt/1.jpg"},{"option":"blue"}\n'
    )
    (tmp_path / "classes.txt").write_text("red\nother\n")
    pack(
        f"Pack.label_file={annotations}", "Pack.label_source=pai", f"Pack.image_root={tmp_path}",
        f"Pack.class_list_file={tmp_path / 'classes.txt'}", "Pack.default_class=other",
    )  # fmt: skip
    read = PackedPictures(packed_files(tmp_path / "p", "train"))
    assert [(p.name, p.label, p.class_name) for p in read] == [
        ("oss://spoilt/0.jpg", 0, "red"), ("spoilt/1.jpg", 1, "blue"),
    ]  # fmt: skip


def test_an_interrupted_run_goes_on(pack, tmp_path, monkeypatch, caplog) -> None:
    options = ("Pack.num_samples_per_tfrecord=8", "Pack.read_parallel_num=1")
    pack(*options, output="whole/p")
    prepare, prepared = Preparation.prepare, list[int]()

    def stopped(self: Preparation, row, split):
        prepared.append(row.line)
        if row.line == 20:
            raise KeyboardInterrupt
        return prepare(self, row, split)

    with monkeypatch.context() as patch:
        patch.setattr(Preparation, "prepare", stopped)
        with pytest.raises(KeyboardInterrupt):
            pack(*options, output="cut/p")
    assert not (tmp_path / "cut/p_manifest.json").exists()
    assert not list((tmp_path / "cut").glob("p_train*"))

    prepared.clear()
    monkeypatch.setattr(
        Preparation,
        "prepare",
        lambda self, row, split: prepared.append(row.line) or prepare(self, row, split),
    )
    caplog.set_level(logging.INFO)
    pack(*options, output="cut/p")
    assert prepared == list(range(17, 33))
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_second_run_replaces_the_first(pack, tmp_path) -> None:
    pack("Pack.num_samples_per_tfrecord=5", output="out/p")
    pack("Pack.test_ratio=0.5", "Pack.format=webdataset", output="out/p")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["p_manifest.json", "p_test_00000.tar", "p_train_00000.tar"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("Pack.model_type=DETECTION", "DETECTION is a model type of PAI that is not packed here"),
        ("Pack.model_type=TEXT_END2END", "TEXT_END2END is a model type of PAI"),
        ("Pack.model_type=CLASSIFICATON", "Did you mean 'CLASSIFICATION'"),
        ("Pack.ignore_class=dog", "belongs to detection"),
        ("Pack.default_class=dog", "class_list_file is null"),
        ("Pack.test_ratio=1.5", "less than or equal to 1"),
        ("Pack.jpeg_quality=0", "greater than or equal to 1"),
        ("Pack.label_source=qince", "'list', 'unlabelled' or 'pai'"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_read(configure, override, words) -> None:
    with pytest.raises(ConfigError, match=words):
        configure(PACK, override)


def test_values_that_do_not_fit_each_other(pack, tmp_path) -> None:
    (tmp_path / "classes.txt").write_text("0\n1\n2\n3\n")
    with pytest.raises(ConfigError, match="'dog' is not one of the 4 classes"):
        pack(f"Pack.class_list_file={tmp_path / 'classes.txt'}", "Pack.default_class=dog")
    with pytest.raises(ConfigError, match="is a folder; it is a folder and the prefix"):
        pack(output="")


def test_the_names_of_pai_have_its_defaults(configure) -> None:
    section = configure(PACK).Pack
    assert section.model_type == "CLASSIFICATION"
    assert section.test_ratio == 0
    assert section.image_encoding == "jpg"
    assert (section.read_parallel_num, section.write_parallel_num) == (10, 1)
    assert section.num_samples_per_tfrecord == 1000
    assert (section.workers, section.cpu, section.memory) == (5, 800, 20000)


def test_the_reader_of_the_guide_runs(configure, repository, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    run(configure(PACK, "Pack.output_tfrecord=output/grocery_tfrecord/grocery"))
    text = (repository / "docs/packing.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, "packing.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out == "32 images/2_1.png\n"


@pytest.mark.slow
def test_the_example_keeps_what_its_header_says(grocery, repository, tmp_path) -> None:
    report = run(
        repository / "configs/packing/grocery_tfrecord.yaml",
        [f"Global.dataset_dir={grocery}", f"Global.output={tmp_path}",
         f"Pack.output_tfrecord={tmp_path / 'p'}"],
    )  # fmt: skip
    counts = {split: value["records"] for split, value in report.manifest["splits"].items()}
    assert counts == {"train": 2330, "test": 259}
    assert sum(len(value["files"]) for value in report.manifest["splits"].values()) == 4
    assert report.manifest["skipped"]["rows"] == 0

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from native_miniatures import MINIATURES, write

from dataset_tools.convert_dataset import main as convert
from dataset_tools.merge_datasets import main
from dataset_tools.native.numbering import number_labels
from dataset_tools.native.recipes import MIXTURES, read_recipe
from dataset_tools.native.table import DATASETS
from toolkit.data.manifest import Sample, read_manifest, write_manifest
from toolkit.tasks.check_dataset import run as check_dataset

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "dataset_tools" / "merge_datasets.py"


def lines(file):
    return file.read_text(encoding="utf-8").splitlines()


def record(folder):
    return json.loads((folder / "merge.json").read_text(encoding="utf-8"))


@pytest.fixture
def two(tmp_path):
    """Two datasets: cups has three classes, one of them only in gallery and query."""
    cups, pens = tmp_path / "cups", tmp_path / "pens"
    write(cups / "train.txt", "a/1.jpg 0", "a/2.jpg 1", "a/3.jpg 0")
    write(cups / "gallery.txt", "b/4.jpg 2")
    write(cups / "query.txt", "b/5.jpg 2")
    write(cups / "label_names.json", '{"0": "mug", "1": "tea", "2": "tin"}')
    write(pens / "train.txt", "my pens/1.jpg\tblue", "2.jpg\t10", "3.jpg\t9")
    return tmp_path


def merge(tmp_path, *options, names=("cups", "pens"), output="mixed"):
    parts = [f"{name}={tmp_path / name}" for name in names]
    return main([*parts, "--output", str(tmp_path / output), *options])


class TestMerging:
    def test_rows_labels_and_names(self, two, capsys):
        assert merge(two) == 0
        mixed = two / "mixed"
        assert lines(mixed / "train.txt") == [
            "cups/a/1.jpg 0",
            "cups/a/2.jpg 1",
            "cups/a/3.jpg 0",
            "pens/my pens/1.jpg\t4",
            "pens/2.jpg 3",
            "pens/3.jpg 2",
        ]
        assert lines(mixed / "gallery.txt") == ["cups/b/4.jpg 5"]
        assert lines(mixed / "query.txt") == ["cups/b/5.jpg 5"]
        assert json.loads((mixed / "label_names.json").read_text(encoding="utf-8")) == {
            "0": "cups/mug", "1": "cups/tea", "2": "pens/9", "3": "pens/10", "4": "pens/blue",
            "5": "cups/tin",
        }  # fmt: skip
        assert (mixed / "cups").resolve() == (two / "cups").resolve()
        out = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert ["train", "cups", "3", "2", "0"] in out
        assert ["train", "pens", "3", "3", "2"] in out
        assert ["train", "all", "6", "5"] in out
        assert ["query", "cups", "1", "1", "5"] in out

    def test_train_alone_gives_train_the_same_numbers(self, two):
        assert merge(two, "--lists", "train", output="alone") == 0
        assert merge(two) == 0
        assert lines(two / "alone" / "train.txt") == lines(two / "mixed" / "train.txt")
        assert not (two / "alone" / "gallery.txt").exists()

    def test_again_gives_the_same_bytes_and_drops_lists_no_longer_asked_for(self, two):
        assert merge(two) == 0
        files = ["train.txt", "gallery.txt", "query.txt", "label_names.json", "merge.json"]
        first = {name: (two / "mixed" / name).read_bytes() for name in files}
        assert merge(two) == 0
        assert {name: (two / "mixed" / name).read_bytes() for name in files} == first
        assert merge(two, "--lists", "train,query") == 0
        assert not (two / "mixed" / "gallery.txt").exists()

    def test_pictures_copied(self, two):
        write(two / "pens" / "train.txt", "2.jpg 1")
        write(two / "pens" / "2.jpg", "bytes of a picture")
        assert merge(two, "--pictures", "copy", names=["pens"]) == 0
        copy = two / "mixed" / "pens" / "2.jpg"
        assert copy.read_bytes() == (two / "pens" / "2.jpg").read_bytes()
        assert not copy.is_symlink()
        assert not (two / "mixed" / "pens").is_symlink()

    def test_a_dataset_inside_the_output_needs_no_link(self, two):
        write(two / "mixed" / "sub" / "pens" / "train.txt", "2.jpg 1")
        arguments = [f"pens={two / 'mixed' / 'sub' / 'pens'}", "--output", str(two / "mixed")]
        assert main(arguments) == 0
        assert lines(two / "mixed" / "train.txt") == ["sub/pens/2.jpg 0"]
        assert not (two / "mixed" / "pens").exists()

    def test_lists_with_cameras(self, tmp_path):
        MINIATURES["VeRI-Wild"](tmp_path / "native")
        folder = tmp_path / "cars"
        arguments = ["--from", "VeRI-Wild", "--root", str(tmp_path / "native")]
        assert convert([*arguments, "--output", str(folder), "--cameras"]) == 0
        assert merge(tmp_path, names=["cars"]) == 0
        assert lines(tmp_path / "mixed" / "train.txt")[0] == "cars/source/images/00010/000001.jpg 1"


class TestSharedFiles:
    def test_a_file_of_two_datasets_is_named(self, two, capsys):
        # The same folder by another name, and one more file of it that only one of them lists.
        write(two / "more" / "train.txt", "x/3.jpg 7", "x/9.jpg 7")
        (two / "more" / "x").symlink_to(two / "cups" / "a")
        assert merge(two, names=["cups", "more"]) == 0
        out = capsys.readouterr().out
        assert "Rows whose file another dataset names too: 2" in out
        assert f"{two / 'cups' / 'train.txt'}:3: a/3.jpg" in out
        assert f"{two / 'more' / 'train.txt'}:1: x/3.jpg" in out
        assert record(two / "mixed")["shared"]["count"] == 2

    def test_gallery_and_query_of_one_dataset_may_share(self, two, capsys):
        write(two / "cups" / "query.txt", "b/4.jpg 2")
        assert merge(two) == 0
        assert "another dataset names" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "There is no dataset to merge"),
        (["cups"], "'cups' is not NAME=DIR"),
        (["cups=cups", "Cups=pens"], "Two datasets are named Cups"),
        (["a/b=cups"], "'a/b' cannot be a dataset's name"),
        (["..=cups"], "'..' cannot be a dataset's name"),
        (["cups=gone"], "gone (cups) has none of train.txt"),
        (["pens=pens", "--lists", "query"], "pens (pens) has none of query.txt"),
        (["cups=cups", "--lists", "train,test"], "unknown test; known: train, gallery, query"),
        (["cups=cups", "--data", "."], "--data and --require-all belong to --recipe"),
        (["--recipe", "PP-ShiTu_V1"], "it needs --data"),
        (["--recipe", "PP-ShiTu_V3", "--data", "."], "Did you mean 'PP-ShiTu_V1'?"),
        (["cups=cups", "--recipe", "PP-ShiTu_V1", "--data", "."], "no NAME=DIR"),
    ],
)
def test_mistakes(arguments, message, two, monkeypatch, capsys):
    monkeypatch.chdir(two)
    assert main([*arguments, "--output", "mixed"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert not (two / "mixed" / "train.txt").exists()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("alone", "train.txt:2: 1 blank-separated column(s), expected 2"),
        ("../x.jpg 1", "train.txt:2: ../x.jpg has '..' in it"),
        ("a/../../x.jpg 1", "has '..' in it"),
        ("/x.jpg 1", "train.txt:2: /x.jpg is absolute"),
    ],
)
def test_bad_rows_stop_before_anything_is_written(row, message, two, capsys):
    write(two / "cups" / "train.txt", "a..b.jpg 1", row)
    assert merge(two) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Bad rows: 1" in err
    assert not (two / "mixed").exists()


def test_lists_of_somebody_else_are_kept(two, capsys):
    write(two / "mixed" / "train.txt", "a.jpg 1")
    assert merge(two) == 2
    assert "--force replaces them" in capsys.readouterr().err
    assert merge(two, "--force") == 0


def test_into_a_dataset_itself(two, capsys):
    assert merge(two, output="pens") == 2
    assert "whose lists would be replaced" in capsys.readouterr().err


def test_names_that_are_not_json(two, capsys):
    write(two / "cups" / "label_names.json", "{")
    assert merge(two) == 2
    assert "label_names.json:2: not JSON" in capsys.readouterr().err
    write(two / "cups" / "label_names.json", "[]")
    assert merge(two) == 2
    assert "label_names.json: holds a list; expected an object" in capsys.readouterr().err


def test_a_merge_that_was_stopped_half_way_is_done_again(two, monkeypatch, capsys):
    """As its own message promises, without --force."""

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("dataset_tools.native.merging._label_names", stopped)
        assert merge(two) == 130
    assert "the same command goes on from here" in capsys.readouterr().err
    assert (two / "mixed" / "query.txt").is_file()
    assert "datasets" not in record(two / "mixed")
    assert merge(two) == 0
    assert record(two / "mixed")["datasets"]["cups"] == str(two / "cups")


LABELS = st.one_of(st.integers(0, 30).map(str), st.text("abz", min_size=1, max_size=2))
PARTS = st.lists(
    st.dictionaries(st.sampled_from(["train", "gallery", "query"]), st.sets(LABELS, min_size=1)),
    max_size=4,
)


class TestNumbering:
    def test_whole_numbers_are_moved_by_an_offset(self):
        parts = [{"train": {"0", "1", "2"}}, {"train": {"1", "0"}}]
        assert number_labels(parts) == [{"0": 0, "1": 1, "2": 2}, {"0": 3, "1": 4}]

    @given(PARTS)
    def test_numbers_never_collide_and_have_no_gap(self, parts):
        numbers = number_labels(parts)
        everything = [number for known in numbers for number in known.values()]
        assert sorted(everything) == list(range(len(everything)))
        for part, known in zip(parts, numbers, strict=True):
            assert set(known) == set().union(*part.values())

    @given(PARTS)
    def test_train_has_the_first_numbers_and_datasets_follow_one_another(self, parts):
        numbers = number_labels(parts)
        train = [
            sorted(known[label] for label in part.get("train", ()))
            for part, known in zip(parts, numbers, strict=True)
        ]
        flat = [number for block in train for number in block]
        assert flat == list(range(len(flat)))

    @given(PARTS)
    def test_numbers_keep_the_order_of_values(self, parts):
        for part, known in zip(parts, number_labels(parts), strict=True):
            whole = sorted((label for label in part.get("train", ()) if label.isdecimal()), key=int)
            places = [known[label] for label in whole]
            assert places == sorted(places)


ROWS = st.lists(
    st.tuples(st.text("abc 1", min_size=1, max_size=6).filter(str.strip), LABELS), min_size=1
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["train", "query"]), ROWS, min_size=1),
        min_size=1,
        max_size=3,
    )
)
def test_rows_add_up_and_keep_their_order_and_classes(tmp_path_factory, parts):
    root = tmp_path_factory.mktemp("parts")
    names = [f"d{number}" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        for split, rows in part.items():
            samples = [Sample(path.strip(), label, 1) for path, label in rows]
            write_manifest(root / name / f"{split}.txt", samples)
    assert merge(root, names=names) == 0
    class_of = {}
    for split in ("train", "query"):
        wanted = [
            (name, path.strip(), label)
            for name, part in zip(names, parts, strict=True)
            for path, label in part.get(split, [])
        ]
        file = root / "mixed" / f"{split}.txt"
        found = read_manifest(file, root=root, split=split).samples if wanted else []
        assert [sample.path for sample in found] == [f"{name}/{path}" for name, path, _ in wanted]
        for sample, (name, _, label) in zip(found, wanted, strict=True):
            assert class_of.setdefault((name, label), sample.label) == sample.label
    assert len(set(class_of.values())) == len(class_of)


class TestRecipes:
    @pytest.fixture
    def data(self, tmp_path):
        MINIATURES["SOP"](tmp_path / "data" / "SOP")
        MINIATURES["LogoDet-3K"](tmp_path / "data" / "LogoDet-3K")
        return tmp_path / "data"

    def test_one_command_converts_and_merges_what_is_there(self, data, tmp_path, capsys):
        output = tmp_path / "mixture"
        arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(data), "--output", str(output)]
        assert main(arguments) == 0
        assert lines(output / "train.txt") == [
            "LogoDet-3K/crops/Clothes/2xist/1_5_6_30_36.jpg 0",
            "LogoDet-3K/crops/Clothes/2xist/2_0_0_40_40.jpg 0",
            "LogoDet-3K/crops/Food/76/1_10_10_20_30.jpg 1",
            "LogoDet-3K/crops/Others/76/1_1_1_9_9.jpg 2",
            "SOP/source/bicycle_final/111085122871_0.JPG 4",
            "SOP/source/bicycle_final/111085122871_1.JPG 4",
            "SOP/source/chair_final/222_0.JPG 3",
        ]
        assert all((output / row.split()[0]).is_file() for row in lines(output / "train.txt"))
        assert not (output / "gallery.txt").exists()
        names = json.loads((output / "label_names.json").read_text(encoding="utf-8"))
        assert names["0"] == "LogoDet-3K/Clothes/2xist"
        assert names["4"] == "SOP/10"
        out = capsys.readouterr().out
        assert "SOP: 3 images of 2 classes; the original mixture had 59,551 of 11,318." in out
        assert "PaddleClas kept 3,225 pictures as queries" in out
        assert "5 of 7 datasets of PP-ShiTu V1 are not there:" in out
        assert "GLDv2: expected in GLDv2; get it from https://github.com/cvdfoundation/" in out

    def test_the_second_run_converts_nothing(self, data, tmp_path, capsys):
        output = tmp_path / "mixture"
        arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(data), "--output", str(output)]
        assert main(arguments) == 0
        before = (output / "SOP" / "conversion.json").stat().st_mtime_ns
        first = (output / "train.txt").read_bytes()
        capsys.readouterr()
        assert main(arguments) == 0
        assert (output / "SOP" / "conversion.json").stat().st_mtime_ns == before
        assert (output / "train.txt").read_bytes() == first
        assert "convert" not in capsys.readouterr().err

    def test_a_conversion_that_was_stopped_is_done_anew(self, data, tmp_path):
        output = tmp_path / "mixture"
        arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(data), "--output", str(output)]
        assert main(arguments) == 0
        (output / "SOP" / "conversion.json").write_text('{"format_version": 1}', encoding="utf-8")
        (output / "SOP" / "train.txt").write_text("", encoding="utf-8")
        first = (output / "train.txt").read_bytes()
        assert main(arguments) == 0
        assert (output / "train.txt").read_bytes() == first

    def test_require_all(self, data, tmp_path, capsys):
        arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(data), "--require-all"]
        assert main([*arguments, "--output", str(tmp_path / "mixture")]) == 2
        err = capsys.readouterr().err
        assert "is not complete" in err
        assert "Inshop: expected in Inshop; get it from http://mmlab" in err
        assert "SOP:" not in err
        assert not (tmp_path / "mixture").exists()

    def test_nothing_there(self, tmp_path, capsys):
        arguments = ["--recipe", "PP-ShiTuV2", "--data", str(tmp_path), "--output"]
        assert main([*arguments, str(tmp_path / "mixture")]) == 2
        err = capsys.readouterr().err
        assert "has none of them" in err
        assert "Products-10k" in err

    def test_bad_rows_name_the_dataset(self, data, tmp_path, capsys):
        (data / "SOP" / "chair_final" / "222_0.JPG").unlink()
        arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(data)]
        arguments += ["--output", str(tmp_path / "mixture")]
        assert main(arguments) == 2
        assert "error: SOP: " in capsys.readouterr().err
        assert main([*arguments, "--keep-going"]) == 0
        out = capsys.readouterr().out
        assert "SOP: missing pictures, not in the lists: 1" in out
        assert "chair_final/222_0.JPG does not exist" in out

    def test_a_conversion_with_holes_is_not_taken_for_a_whole_one(self, data, tmp_path, capsys):
        output = tmp_path / "mixture"
        arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(data), "--output", str(output)]
        picture = data / "SOP" / "chair_final" / "222_0.JPG"
        picture.rename(tmp_path / "aside.jpg")
        assert main([*arguments, "--keep-going"]) == 0
        assert main(arguments) == 2
        assert "222_0.JPG does not exist" in capsys.readouterr().err
        (tmp_path / "aside.jpg").rename(picture)
        assert main(arguments) == 0
        assert "SOP/source/chair_final/222_0.JPG 3" in lines(output / "train.txt")

    @pytest.mark.parametrize("damage", ["no list", "no JSON", "a list"])
    def test_a_damaged_conversion_is_done_anew(self, data, tmp_path, damage):
        output = tmp_path / "mixture"
        arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(data), "--output", str(output)]
        assert main(arguments) == 0
        first = (output / "train.txt").read_bytes()
        if damage == "no list":
            (output / "SOP" / "train.txt").unlink()
        else:
            write(output / "SOP" / "conversion.json", "{" if damage == "no JSON" else "[]")
        assert main(arguments) == 0
        assert (output / "train.txt").read_bytes() == first

    def test_lists_alone_and_a_recipe_of_ones_own(self, tmp_path, capsys):
        write(tmp_path / "data" / "mine" / "train.txt", "a.jpg cup", "b.jpg cup")
        recipe = {
            "name": "mine", "source": "me", "lists": ["train"],
            "datasets": [{"name": "M", "from": "lists", "folder": "mine", "home": "here",
                          "images": 2, "classes": 1}],
        }  # fmt: skip
        file = tmp_path / "mine.yaml"
        file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        arguments = ["--recipe", str(file), "--data", str(tmp_path / "data")]
        assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
        assert lines(tmp_path / "out" / "train.txt") == ["M/a.jpg 0", "M/b.jpg 0"]
        assert "original mixture" not in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("name: x\nlists: [test]", "lists.0: Input should be"),
            ("a: [", "is not YAML"),
            (
                "{name: x, source: y, lists: [train], datasets: [{name: a, from: SOPP, folder: a, "
                "home: h, images: 1, classes: 1}]}",
                "Unknown dataset 'SOPP'",
            ),
            ("name: x\ncolour: red", "colour: Extra inputs are not permitted"),
        ],
    )
    def test_recipes_that_cannot_be_used(self, text, message, tmp_path, capsys):
        file = tmp_path / "recipe.yaml"
        file.write_text(text, encoding="utf-8")
        arguments = ["--recipe", str(file), "--data", str(tmp_path)]
        assert main([*arguments, "--output", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err


def test_the_mixtures_have_the_published_sizes():
    first, second = (read_recipe(name) for name in ("PP-ShiTu_V1", "PP-ShiTuV2"))
    assert sum(entry.images for entry in first.datasets) == 4_987_576
    assert sum(entry.classes for entry in first.datasets) == 185_342
    assert len(second.datasets) == 17
    assert sum(entry.images for entry in second.datasets) == 5_561_305
    assert sum(entry.classes for entry in second.datasets) == 192_613
    assert {file.stem for file in MIXTURES.glob("*.yaml")} == {"PP-ShiTu_V1", "PP-ShiTuV2"}


def test_the_page_has_every_dataset_with_its_size():
    page = (REPOSITORY / "docs" / "datasets.md").read_text(encoding="utf-8")
    for name in ("PP-ShiTu_V1", "PP-ShiTuV2"):
        assert f"--recipe {name}" in page
        for entry in read_recipe(name).datasets:
            row = next(row for row in page.splitlines() if row.startswith(f"| {entry.name} |"))
            assert f"{entry.images:,}" in row
            assert f"{entry.classes:,}" in row
            assert entry.home in row
    for name in DATASETS:
        assert f"--from {name} " in page


@pytest.mark.parametrize(
    ("names", "warning"),
    [
        (("Inshop", "iCartoonFace"), None),
        (("SOP", "Aliproduct"), "split.gallery_is_query"),
        (("SOP", "Inshop"), "split.query_in_gallery"),
    ],
)
def test_converted_and_merged_passes_the_check(names, warning, tmp_path, configure):
    for name in names:
        MINIATURES[name](tmp_path / "native" / name)
        root, output = tmp_path / "native" / name, tmp_path / name
        assert convert(["--from", name, "--root", str(root), "--output", str(output)]) == 0
    assert merge(tmp_path, names=names) == 0
    report = check_dataset(configure(dataset=tmp_path / "mixed"))
    assert report.passed
    codes = report.to_json()["findings"]["code"]
    found = [code for code in codes if code.startswith("split.") and "_set" not in code]
    assert found == ([warning] if warning else [])
    assert not [code for code in codes if code.startswith("duplicate")]


def test_a_mixture_of_train_lists_is_checked_as_training_needs_it(tmp_path, configure):
    MINIATURES["SOP"](tmp_path / "data" / "SOP")
    arguments = ["--recipe", "PP-ShiTu_V1", "--data", str(tmp_path / "data")]
    assert main([*arguments, "--output", str(tmp_path / "mixture")]) == 0
    mixture = configure("Train.eval_during_train=false", dataset=tmp_path / "mixture")
    report = check_dataset(mixture)
    assert report.passed
    assert report.to_json()["attributes"]["train_samples"] == 3


def test_the_check_sees_a_picture_that_is_gone(two, configure):
    """The rows of `two` have no pictures; the check of what was merged says so."""
    assert merge(two) == 0
    assert not check_dataset(configure(dataset=two / "mixed")).passed


def test_as_a_script_from_anywhere(two):
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "cups=cups", "pens=pens", "--output", "mixed"],
        cwd=two, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Merged dataset: mixed" in run.stdout
    assert lines(two / "mixed" / "train.txt")[0] == "cups/a/1.jpg 0"

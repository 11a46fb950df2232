"""The mode as a whole: what it writes and returns, when it fails, and that it needs no Paddle."""

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.load import load_config
from toolkit.data.split import OpenSetError
from toolkit.errors import ConfigError, DatasetError
from toolkit.tasks.check_dataset import diagnose, run

CONFIG = "configs/general_recognition/PP-ShiTuV2_rec.yaml"


@pytest.fixture
def dataset(tmp_path, drawn_dataset) -> Path:
    return shutil.copytree(drawn_dataset, tmp_path / "dataset")


@pytest.fixture
def check(tmp_path, repository, dataset):
    """Runs the check on the copy, decoding in this process."""

    def run_it(*overrides):
        return run(config(repository, dataset, tmp_path / "out", *overrides))

    return run_it


def config(repository, dataset, output, *overrides):
    settings = [
        f"Global.dataset_dir={dataset}",
        f"Global.output={output}",
        "CheckDataset.num_workers=0",
        "Train.num_classes=auto",
        "Data.sampler={name: UniformSampler}",
        *overrides,
    ]
    return load_config(repository / CONFIG, settings)


def add_row(dataset, split, row):
    with (dataset / f"{split}.txt").open("a", encoding="utf-8") as file:
        file.write(f"{row}\n")


def findings(output):
    text = (output / "check_dataset" / "findings.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_result_has_the_schema_of_paddlex(check, dataset, tmp_path):
    result = check().to_json()
    assert result["check_pass"] is True
    assert result["dataset_path"] == str(dataset)
    assert (result["show_type"], result["dataset_type"]) == ("image", "ShiTuRecDataset")
    assert result["analysis"] == {"histogram": "check_dataset/histogram.png"}
    attributes = result["attributes"]
    assert list(attributes) == [
        "train_samples", "train_sample_paths", "gallery_samples", "gallery_sample_paths",
        "query_samples", "query_sample_paths",
    ]  # fmt: skip
    assert attributes["train_samples"] == 32
    paths = [path for key, value in attributes.items() if key.endswith("paths") for path in value]
    assert len(paths) == len(set(paths)) == 30
    for path in [*paths, result["analysis"]["histogram"], *result["files"].values()]:
        assert (tmp_path / "out" / path).exists(), path
    assert len(list((tmp_path / "out/check_dataset/demo_img").iterdir())) == 30
    json.dumps(result, allow_nan=False)


def test_everything_written_agrees(check, dataset, tmp_path):
    add_row(dataset, "train", "images/gone.png 0")
    add_row(dataset, "query", "malformed")
    report = check()
    rows = findings(tmp_path / "out")
    assert report.passed is False
    assert [row["code"] for row in rows if row["severity"] == "error"] == [
        "list.malformed_line",
        "image.missing",
    ]
    folder = tmp_path / "out/check_dataset"
    (suite,) = ET.parse(folder / "junit.xml").getroot()  # noqa: S314  # ours
    assert suite.get("failures") == "2"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://", page)
    assert "images/gone.png" in page
    for split in ("train", "gallery", "query"):
        kept = (folder / "fixed" / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        given = (dataset / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        assert kept == [row for row in given if "gone" not in row and "malformed" not in row]
    summary = report.summary()
    assert "did not pass" in summary
    assert re.search(r"error +image\.missing +1", summary)
    assert str(folder / "report.html") in summary


@pytest.mark.parametrize(
    ("fail_on", "fault", "passed"),
    [
        ("error", "images/0_0.png 0", True),
        ("warning", "images/0_0.png 0", False),
        ("error", "images/gone.png 0", False),
        ("never", "images/gone.png 0", True),
    ],
)
def test_gate(check, dataset, fail_on, fault, passed):
    add_row(dataset, "train", fault)  # a repeated line, or a missing file
    report = check(f"CheckDataset.fail_on={fail_on}")
    assert (report.passed, report.to_json()["check_pass"]) == (passed, passed)


def test_demo_images_of_same_names_and_odd_pictures(check, dataset, tmp_path):
    for split, label in (("train", "0"), ("gallery", "4"), ("query", "4")):
        for folder, size in (("a", (1, 1)), ("b", (1, 500)), ("c", (40, 30))):
            path = dataset / f"{split}_{folder}" / "same name.png"
            path.parent.mkdir()
            noise = np.random.default_rng(len(split) + size[1]).integers(0, 256, (*size, 3))
            Image.fromarray(noise.astype(np.uint8)).save(path)
        (dataset / f"{split}.txt").write_text(
            "".join(f"{split}_{folder}/same name.png\t标签 {label}\n" for folder in "abc"), "utf-8"
        )
    attributes = check().to_json()["attributes"]
    assert [len(attributes[f"{s}_sample_paths"]) for s in ("train", "gallery", "query")] == [3] * 3
    assert len(list((tmp_path / "out/check_dataset/demo_img").iterdir())) == 9


def test_demo_images_are_upright(check, dataset, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.zeros((400, 800, 3), np.uint8)
    pixels[:, :400] = (255, 0, 0)
    Image.fromarray(pixels).save(dataset / "turned.jpg", exif=exif)
    (dataset / "query.txt").write_text("turned.jpg 4\n", encoding="utf-8")
    (name,) = check().to_json()["attributes"]["query_sample_paths"]
    demo = np.asarray(Image.open(tmp_path / "out" / name), int)
    assert demo.shape[0] > 800 > demo.shape[1]  # 800 high and a band on top
    # The red half of the stored left side is on top.
    assert demo[200].mean(axis=0)[0] > 200
    assert demo[-50].mean(axis=0)[0] < 50


def test_demo_folder_holds_nothing_of_an_earlier_run(check, dataset, tmp_path):
    check()
    add_row(dataset, "train", "images/0_0.png 0")
    (tmp_path / "out/check_dataset/demo_img/stale.jpg").touch()
    check()
    assert not (tmp_path / "out/check_dataset/demo_img/stale.jpg").exists()


def test_annotations_only_on_github(check, dataset, monkeypatch, capsys):
    add_row(dataset, "train", "images/gone.png 0")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    check()
    assert "::error" not in capsys.readouterr().out
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    check()
    out = capsys.readouterr().out
    assert re.search(r"^::error file=.*train\.txt,line=33,title=image\.missing::", out, re.M)
    assert "::notice" not in out


def test_training_needs_come_from_the_configuration(check):
    report = check("Train.num_classes=159", "Train.batch_size=64", "Data.sampler={name: PKSampler}")
    codes = report.to_json()["findings"]["code"]
    assert {"label.num_classes", "label.pk_classes"} <= set(codes)


def test_thresholds_come_from_the_configuration(check):
    report = check("CheckDataset.thresholds={min_side: 49}")
    assert report.to_json()["findings"]["code"]["image.too_small"] == 56
    with pytest.raises(ConfigError, match="near_duplicate_radius"):
        check("CheckDataset.thresholds={near_duplicate_radius: 40}")


def test_what_a_conversion_leaves_out_is_reported(check, tmp_path, dataset):
    for split in ("train", "gallery", "query"):
        (dataset / f"{split}.txt").unlink()
    rows = [f"images/{label}_{number}.png,{label}" for label in range(7) for number in range(8)]
    (dataset / "table.csv").write_text("\n".join(["path,label", *rows, "lonely"]), "utf-8")
    report = check("CheckDataset.convert={enable: true, src_dataset_type: CSV}")
    (note,) = report.to_json()["notes"]
    assert "table.csv:58: 1 columns, expected 2" in note


def test_lists_one_folder_down_are_found_and_the_path_stays_as_given(repository, dataset, tmp_path):
    (tmp_path / "above").mkdir()
    dataset.rename(tmp_path / "above" / "dataset")
    report = run(config(repository, tmp_path / "above", tmp_path / "out"))
    assert report.to_json()["dataset_path"] == str(tmp_path / "above")
    assert report.to_json()["attributes"]["train_samples"] == 32


def test_the_seed_decides_on_the_split(check, dataset):
    split = "CheckDataset.split={enable: true, by: class, train_percent: 50, gallery_percent: 30, "
    lists = []
    for seed in (0, 1, 0):
        check(f"{split}query_percent: 20}}", f"Global.seed={seed}")
        lists.append((dataset / "train.txt").read_text("utf-8"))
    assert lists[0] == lists[2] != lists[1]


def test_a_refused_split_is_a_finding(check, dataset, tmp_path):
    before = {name.name: name.read_bytes() for name in dataset.glob("*.txt*")}
    shares = {"train": 50, "gallery": 30, "query": 20}
    split = [f"CheckDataset.split.{name}_percent={share}" for name, share in shares.items()]
    with pytest.raises(OpenSetError, match=r"split\.open_set"):
        check("CheckDataset.split.enable=true", *split)
    (row,) = findings(tmp_path / "out")
    assert (row["code"], row["split"]) == ("split.open_set", "train+gallery")
    assert [Path(line["file"]).name for line in row["lines"]] == ["train.txt", "gallery.txt"]
    assert {name.name: name.read_bytes() for name in dataset.glob("*.txt*")} == before
    report = check("CheckDataset.split.enable=true", *split, "CheckDataset.split.force=true")
    assert "split.closed_set" in report.to_json()["findings"]["code"]


def test_train_can_ask_for_its_lists_alone(repository, dataset, tmp_path):
    (dataset / "gallery.txt").unlink()
    (dataset / "query.txt").unlink()
    settings = config(repository, dataset, tmp_path / "out")
    assert diagnose(settings, ["train"]).passed("warning")


class TestTrainAlone:
    """What training without evaluation accepts can be checked."""

    @pytest.fixture(autouse=True)
    def _alone(self, dataset):
        (dataset / "gallery.txt").unlink()
        (dataset / "query.txt").unlink()

    def test_it_is_checked_and_the_report_says_so(self, check, tmp_path):
        report = check("Train.eval_during_train=false")
        assert report.passed
        assert "train alone was checked" in report.summary()
        result = report.to_json()
        assert "train alone was checked" in result["notes"][0]
        attributes = result["attributes"]
        assert (attributes["train_samples"], attributes["gallery_samples"]) == (32, 0)
        assert attributes["query_sample_paths"] == []
        fixed = tmp_path / "out/check_dataset/fixed"
        assert [file.name for file in fixed.iterdir()] == ["train.txt"]
        assert (tmp_path / "out/check_dataset/report.html").is_file()

    def test_its_faults_are_found(self, check, dataset):
        add_row(dataset, "train", "images/gone.png 0")
        assert not check("Train.eval_during_train=false").passed

    def test_training_that_evaluates_needs_the_others(self, check):
        with pytest.raises(DatasetError, match=r"no query\.txt.*eval_during_train=false"):
            check()

    @pytest.mark.parametrize("name", ["gallery", "query"])
    def test_half_a_test_is_refused(self, check, dataset, name):
        add_row(dataset, name, "images/4_0.png 4")
        with pytest.raises(DatasetError, match="has no "):
            check("Train.eval_during_train=false")

    def test_a_list_that_is_named_has_to_be_there(self, check, dataset):
        with pytest.raises(DatasetError, match=r"elsewhere\.txt"):
            check(
                "Train.eval_during_train=false",
                f"Data.lists.query.file={dataset / 'elsewhere.txt'}",
            )

    @pytest.mark.parametrize("folder", ["images", "null"])
    def test_the_one_list_is_named(self, check, dataset, tmp_path, folder):
        """As for training, Global.dataset_dir may be null, or a folder without lists."""
        text = (dataset / "train.txt").read_text("utf-8")
        (tmp_path / "train.txt").write_text(text.replace("images/", ""), "utf-8")
        (dataset / "train.txt").unlink()
        report = check(
            "Train.eval_during_train=false",
            f"Global.dataset_dir={folder if folder == 'null' else dataset / folder}",
            f"Data.lists.train.file={tmp_path / 'train.txt'}",
            f"Data.lists.train.image_root={dataset / 'images'}",
        )
        assert report.passed
        assert report.to_json()["attributes"]["train_samples"] == 32

    def test_both_others_beside_the_one_that_is_named(self, check, dataset):
        for name in ("gallery", "query"):
            add_row(dataset, name, f"images/4_{len(name)}.png 4")
        (dataset / "train.txt").rename(dataset / "mine.txt")
        report = check(
            "Train.eval_during_train=false",
            f"Data.lists.train.file={dataset / 'mine.txt'}",
        )
        assert report.to_json()["attributes"]["query_samples"] == 1
        assert "train alone" not in report.summary()


def test_a_check_that_cannot_run(check, dataset, tmp_path, repository):
    (dataset / "gallery.txt").unlink()
    with pytest.raises(DatasetError, match=r"no gallery\.txt"):
        check()
    with pytest.raises(DatasetError, match="does not exist"):
        run(config(repository, tmp_path / "nowhere", tmp_path / "out"))
    with pytest.raises(ConfigError, match=r"Global\.dataset_dir is null"):
        run(config(repository, "null", tmp_path / "out"))


def test_split_comes_before_the_check(check, dataset):
    report = check(
        "CheckDataset.split={enable: true, train_percent: 30, gallery_percent: 45,"
        " query_percent: 25, by: class}"
    )
    samples = [
        report.to_json()["attributes"][f"{s}_samples"] for s in ("train", "gallery", "query")
    ]
    assert sum(samples) == 56
    assert samples != [32, 12, 12]
    assert (dataset / "train.txt.bak").is_file()


def test_conversion_comes_before_the_split(tmp_path, repository, drawn_dataset):
    folders = tmp_path / "folders"
    for path in (drawn_dataset / "images").iterdir():
        target = folders / path.name.split("_")[0] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    report = run(
        config(
            repository,
            folders,
            tmp_path / "out",
            "CheckDataset.convert={enable: true, src_dataset_type: ImageFolder}",
        )
    )
    assert sum(v for k, v in report.to_json()["attributes"].items() if k.endswith("samples")) == 56


@pytest.mark.e2e
def test_runs_where_paddle_cannot_be_imported(dataset, tmp_path, repository):
    add_row(dataset, "train", "images/gone.png 0")
    blocker = tmp_path / "blocked" / "paddle"
    blocker.mkdir(parents=True)
    (blocker / "__init__.py").write_text("raise ImportError('no Paddle here')", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable, "main.py", "-c", CONFIG,
            "-o", "Global.mode=check_dataset",
            "-o", f"Global.dataset_dir={dataset}",
            "-o", f"Global.output={tmp_path / 'out'}",
        ],
        cwd=repository,
        env={"PYTHONPATH": str(blocker.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "did not pass" in done.stdout
    result = json.loads((tmp_path / "out/check_dataset_result.json").read_text(encoding="utf-8"))
    assert (result["done_flag"], result["check_pass"]) == (True, False)
    assert result["findings"]["code"]["image.missing"] == 1

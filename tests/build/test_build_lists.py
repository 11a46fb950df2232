"""Lists that are not train.txt, gallery.txt and query.txt of one folder."""

import shutil
from pathlib import Path

import pytest

from toolkit.build.data import build_training_data, read_split
from toolkit.build.lists import dataset_name, list_files
from toolkit.errors import ConfigError, DatasetError
from toolkit.tasks.check_dataset import diagnose, run


@pytest.fixture
def scattered(drawn_dataset: Path, tmp_path: Path) -> list[str]:
    """The drawn dataset with lists of other names, each with a folder of pictures of its own."""
    overrides = ["Global.dataset_dir=null", "CheckDataset.num_workers=0"]
    for split in ("train", "gallery", "query"):
        folder = tmp_path / "pictures" / split
        shutil.copytree(drawn_dataset / "images", folder / "here")
        rows = (drawn_dataset / f"{split}.txt").read_text(encoding="utf-8").splitlines()
        file = tmp_path / f"list_of_{split}.lst"
        rows = [
            row.replace("images/", "here/") + ("" if split == "train" else " 7") for row in rows
        ]
        file.write_text("\n".join(rows), encoding="utf-8")
        overrides += [f"Data.lists.{split}.file={file}", f"Data.lists.{split}.image_root={folder}"]
        if split != "train":
            overrides.append(f"Data.lists.{split}.columns=[path, label, camera]")
    return overrides


def test_each_list_has_a_place_a_root_and_columns_of_its_own(configure, scattered, tmp_path):
    config = configure(*scattered)
    query = read_split(config, "query")
    assert query.file == tmp_path / "list_of_query.lst"
    assert query.resolve(query.samples[0]).is_file()
    assert query.resolve(query.samples[0]).is_relative_to(tmp_path / "pictures/query")
    assert {sample.camera for sample in query.samples} == {"7"}
    assert {sample.camera for sample in read_split(config, "train").samples} == {None}
    images, labels, *_ = next(iter(build_training_data(config).loader.epoch(1, 0)))
    assert len(images) == len(labels) == 8


def test_the_doctor_looks_at_them_where_they_are(configure, scattered, tmp_path):
    config = configure(*scattered)
    report = run(config)
    # The three copies of a picture are one picture to the doctor, but each file was opened.
    assert len(report.diagnosis.facts) == 32 + 12 + 12
    assert set(report.to_json()["attributes"]) >= {"train_samples", "gallery_samples"}
    assert report.to_json()["attributes"]["query_samples"] == 12
    assert "list_of_train.lst" in report.dataset_dir
    fixed = (tmp_path / "output/check_dataset/fixed/query.txt").read_text(encoding="utf-8")
    assert fixed.splitlines()[0].startswith("here/")
    assert any((tmp_path / "output/check_dataset/demo_img").iterdir())


def test_a_picture_that_is_missing_is_named_with_its_list(configure, scattered, tmp_path):
    config = configure(*scattered)
    gone = tmp_path / "pictures/gallery" / read_split(config, "gallery").samples[0].path
    gone.unlink()
    (finding,) = [f for f in diagnose(config).findings if f.code == "image.missing"]
    assert finding.split == "gallery"
    assert finding.lines[0].file.endswith("list_of_gallery.lst")
    assert diagnose(config).dataset.find("gallery", finding.files[0]) == gone


def test_what_is_not_named_is_in_the_folder(configure, drawn_dataset, tmp_path):
    other = tmp_path / "other.txt"
    shutil.copy(drawn_dataset / "query.txt", other)
    config = configure(f"Data.lists.query.file={other}")
    places = list_files(config, ["train", "query"])
    assert places["train"].file == drawn_dataset / "train.txt"
    assert (places["query"].file, places["query"].root) == (other, drawn_dataset)
    assert dataset_name(config) == str(drawn_dataset)
    alone = configure(f"Data.lists.query.file={other}", "Global.dataset_dir=null")
    assert list_files(alone, ["query"])["query"].root == tmp_path
    with pytest.raises(ConfigError, match=r"dataset_dir is null .* name every list in Data\.lists"):
        list_files(alone, ["train"])


def test_lists_that_are_not_there_are_all_named(configure, scattered, tmp_path):
    for split in ("gallery", "query"):
        (tmp_path / f"list_of_{split}.lst").unlink()
    expected = "no list_of_gallery.lst and no list_of_query.lst"
    with pytest.raises(DatasetError, match=expected):
        diagnose(configure(*scattered))


@pytest.mark.parametrize(
    "rewrite",
    [
        "CheckDataset.convert={enable: true, src_dataset_type: ImageFolder}",
        "CheckDataset.split={enable: true, train_percent: 50, gallery_percent: 30, "
        "query_percent: 20}",
    ],
)
def test_convert_and_split_do_not_touch_them(configure, scattered, rewrite):
    with pytest.raises(ConfigError, match=r"Data\.lists names others"):
        run(configure(*scattered, rewrite))

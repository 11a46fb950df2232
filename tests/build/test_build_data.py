"""From lists to batches: which label is which class, and what is refused before anything starts."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.build.data import build_training_data
from toolkit.errors import ConfigError, DatasetError


def rewrite(source: Path, target: Path, rename) -> Path:
    """A copy of a dataset whose train labels are renamed."""
    shutil.copytree(source, target)
    rows = [row.split(" ") for row in (target / "train.txt").read_text().splitlines()]
    lines = [f"{path} {rename(label)}\n" for path, label in rows]
    (target / "train.txt").write_text("".join(lines), encoding="utf-8")
    return target


def batches_of(loader, epoch):
    return list(loader.epoch(epoch, 0))


def batches(data, epoch=1):
    return batches_of(data.loader, epoch)


def test_string_labels_become_indices_in_their_order(configure, drawn_dataset, tmp_path):
    names = {"0": "shoe", "1": "包", "2": "hat", "3": "10"}
    root = rewrite(drawn_dataset, tmp_path / "named", names.__getitem__)
    data = build_training_data(configure(dataset=root))
    assert data.classes == ["10", "hat", "shoe", "包"]  # numbers first, then text
    rows = (root / "train.txt").read_text(encoding="utf-8").splitlines()
    expected = [data.classes.index(row.split(" ")[1]) for row in rows]
    for _, labels, indices, failures in batches(data):
        assert [expected[index] for index in indices] == list(labels)
        assert failures == []


def test_labels_with_gaps_need_no_more_classes_than_there_are(configure, drawn_dataset, tmp_path):
    root = rewrite(drawn_dataset, tmp_path / "gaps", lambda label: 3997 + 10 * int(label))
    data = build_training_data(configure(dataset=root))
    assert data.classes == ["3997", "4007", "4017", "4027"]
    assert data.num_outputs == 4


@pytest.mark.parametrize(("given", "outputs"), [("auto", 4), ("4", 4), ("9", 9)])
def test_the_head_has_as_many_rows_as_asked_for(configure, given, outputs):
    data = build_training_data(configure(f"Train.num_classes={given}"))
    assert data.num_outputs == outputs
    turned = ("Data.rotate_classes=true", f"Train.num_classes={given}")
    data = build_training_data(configure(*turned))
    assert data.num_outputs == 4 * outputs
    labels = np.concatenate([batch[1] for batch in batches(data)])
    assert sorted(set(labels.tolist())) == list(range(16))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["Train.num_classes=3"], "Train.num_classes is 3 .* 4 labels: set it to 4 or more"),
        (["Train.batch_size=33"], "batch_size is 33: the data has 32 pictures.* 32 or less"),
        (
            ["Data.sampler={name: PKSampler, sample_per_id: 4}", "Train.batch_size=10"],
            "batch_size is 10: it is not a multiple of sample_per_id, 4. Use 8.",
        ),
        (
            ["Data.sampler={name: PKSampler, sample_per_id: 4}", "Train.batch_size=20"],
            "needs 5 classes .* the data has 4. Use 16 or less",
        ),
        (["Data.train_transforms=[ResizeImage: {size: 32}]"], "must end with NormalizeImage"),
    ],
)
def test_what_does_not_go_with_the_data_is_refused(configure, overrides, message):
    with pytest.raises(ConfigError, match=message):
        build_training_data(configure(*overrides))


def test_a_list_without_a_usable_row_is_refused(configure, drawn_dataset, tmp_path):
    shutil.copytree(drawn_dataset, tmp_path / "empty")
    (tmp_path / "empty/train.txt").write_text("justonecolumn\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no usable row"):
        build_training_data(configure(dataset=tmp_path / "empty"))


def test_workers_change_no_pixel(configure):
    """Order and augmentation follow from the seed, wherever they are computed."""
    expected = batches(build_training_data(configure()), epoch=2)
    for workers in (1, 2):
        found = batches(build_training_data(configure(f"Data.num_workers={workers}")), epoch=2)
        assert len(found) == len(expected) == 4
        for one, other in zip(found, expected, strict=True):
            for left, right in zip(one[:3], other[:3], strict=True):
                np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_without_a_readable_picture_names_them_all(
    configure, drawn_dataset, tmp_path, workers
):
    root = tmp_path / "gone"
    shutil.copytree(drawn_dataset, root)
    for file in (root / "images").iterdir():
        file.write_bytes(b"not a picture")
    config = configure(f"Data.num_workers={workers}", dataset=root)
    found = batches(build_training_data(config))
    assert [(len(batch[0]), len(batch[1]), len(batch[3])) for batch in found] == [(0, 0, 8)] * 4


def test_workers_start_after_opencv_has_worked_here(configure):
    """An evaluation between two epochs starts OpenCV's threads, which a fork does not copy."""
    loader = build_training_data(configure("Data.num_workers=1")).loader
    for epoch in (1, 2, 3):
        cv2.setNumThreads(4)
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 5)
        assert len(batches_of(loader, epoch)) == 4


def test_an_epoch_that_ended_stays_ended(configure):
    """Paddle's own iterator breaks when it is asked again; accumulating steps asks again."""
    loader = build_training_data(configure()).loader
    iterator = loader.epoch(1, 2)
    assert len(list(iterator)) == 2
    assert next(iterator, None) is None
    assert list(loader.epoch(1, 4)) == []

import cv2
import numpy as np
import pytest

from dataset_tools.demo_products.bodies import Body, Pose
from dataset_tools.demo_products.design import BODIES, EMBLEMS, LAYOUTS, PATTERNS, draw_designs
from dataset_tools.demo_products.emblems import draw_emblem
from dataset_tools.make_demo_dataset import Sizes, main, make_demo_dataset
from toolkit.data.manifest import read_manifest

TINY = Sizes(
    train_classes=3, test_classes=2, train_images=2, gallery_images=2, query_images=1, side=48
)


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def labels(folder, split):
    manifest = read_manifest(folder / f"{split}.txt", root=folder, split=split)
    assert manifest.problems == []
    assert all(manifest.resolve(sample).is_file() for sample in manifest.samples)
    return manifest.labels


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_demo_dataset(tmp_path / name, TINY, seed=seed)
    first, again, other = (files(tmp_path / name) for name in "abc")
    assert first == again
    assert not set(first.values()) & set(other.values())
    assert len(set(first.values())) == len(first)


def test_lists_sizes_and_held_out_classes(tmp_path):
    make_demo_dataset(tmp_path, TINY, seed=0)
    train, gallery, query = (labels(tmp_path, split) for split in ("train", "gallery", "query"))
    assert (len(train), len(gallery), len(query)) == (6, 4, 2)
    assert (len(set(train)), len(set(gallery)), set(query)) == (3, 2, set(gallery))
    assert not set(train) & set(gallery)
    for file in tmp_path.glob("images/*/*.jpg"):
        image = cv2.imread(str(file))
        assert image.shape == (48, 48, 3)
        assert image.std() > 10


def test_products_differ_in_more_than_colour():
    designs = draw_designs(64, np.random.default_rng(1))
    assert len({design.name.split("_")[0] for design in designs}) == 64
    assert len({(design.body, design.emblem) for design in designs}) == 64
    assert {design.body for design in designs} == set(BODIES)
    assert {design.layout for design in designs} == set(LAYOUTS)
    assert len({design.pattern for design in designs}) > len(PATTERNS) // 2
    with pytest.raises(ValueError, match="at most 162 products"):
        draw_designs(163, np.random.default_rng(1))


@pytest.mark.parametrize("kind", BODIES)
def test_every_body_stands_whole_in_its_picture(kind):
    designs = draw_designs(60, np.random.default_rng(2))
    body = Body(next(design for design in designs if design.body == kind))
    for yaw in (-0.7, 0, 0.7, 3):
        colour, opacity = body.look(Pose(yaw, 0.2, 0.5))
        assert np.isfinite(colour).all()
        assert 0.1 < opacity.mean() < 0.75
        assert opacity[96, 96] == 1
        assert opacity[:, [0, -1]].max() == 0


def test_emblems_fill_a_part_of_their_square_and_are_all_different():
    drawn = []
    for emblem in EMBLEMS:
        image = np.zeros((64, 64, 3), np.uint8)
        draw_emblem(image, emblem, (32, 32), 30, (255, 255, 255))
        assert 0.1 < (image > 127).mean() < 0.85
        assert not image[0].any()
        drawn.append(image.astype(np.float32).ravel())
    differences = [np.abs(a - b).mean() for i, a in enumerate(drawn) for b in drawn[:i]]
    assert min(differences) > 5


def test_the_command(tmp_path, capsys):
    sizes = ["--train-classes", "2", "--test-classes", "1", "--side", "32"]
    images = ["--train-images", "1", "--gallery-images", "1", "--query-images", "1"]
    assert main([str(tmp_path / "demo"), *sizes, *images]) == 0
    assert "train        2 pictures of 2 products" in capsys.readouterr().out
    assert main([str(tmp_path / "demo"), *sizes, *images]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main([str(tmp_path / "demo"), *sizes, *images, "--force"]) == 0
    assert main([str(tmp_path / "other"), "--side", "0"]) == 2
    assert "--side must be 1 or more, got 0" in capsys.readouterr().err
    assert main([str(tmp_path / "other"), "--train-classes", "140"]) == 2
    assert "At most 146 products" in capsys.readouterr().err


@pytest.mark.slow
def test_colour_alone_finds_less_than_half(tmp_path):
    make_demo_dataset(tmp_path, Sizes(train_classes=32, train_images=1), seed=0)
    histograms, labels_of = {}, {}
    for split in ("gallery", "query"):
        manifest = read_manifest(tmp_path / f"{split}.txt", root=tmp_path, split=split)
        labels_of[split] = np.array(manifest.labels)
        histograms[split] = np.array(
            [_histogram(manifest.resolve(sample)) for sample in manifest.samples]
        )
    distance = np.abs(histograms["query"][:, None] - histograms["gallery"][None]).sum(-1)
    recall = (labels_of["gallery"][distance.argmin(1)] == labels_of["query"]).mean()
    # Chance is 1 / 16.
    assert 0.15 < recall < 0.45


def _histogram(file):
    hsv = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2HSV)
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [8, 8, 8], [0, 180, 0, 256, 0, 256])
    return (counts / counts.sum()).ravel()

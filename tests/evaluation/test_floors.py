import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.evaluation.floors import FLOORS, blurred_pixels, hsv_histogram
from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval
from toolkit.evaluation.trial import described_by


def test_the_histogram_is_opencvs():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 31, 3), dtype=np.uint8)
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    ranges = [0, 180, 0, 256, 0, 256]
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [12, 4, 4], ranges).ravel()
    assert np.allclose(hsv_histogram(pixels), np.sqrt(counts / counts.sum()), atol=1e-6)


def test_colour_moves_the_histogram_and_place_does_not():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.array_equal(hsv_histogram(pixels), hsv_histogram(pixels[::-1, ::-1]))
    assert hsv_histogram(pixels // 4) @ hsv_histogram(pixels) < 0.5


def test_blurred_pixels_forgive_a_small_shift_and_no_large_one():
    page = np.full((105, 105, 3), 255, np.uint8)
    near, far = page.copy(), page.copy()
    page[20:80, 40:44] = near[20:80, 43:47] = far[20:80, 80:84] = 0
    assert blurred_pixels(page) @ blurred_pixels(near) > 0.9
    assert blurred_pixels(page) @ blurred_pixels(far) < 0.1
    assert not blurred_pixels(np.full((9, 9, 3), 255, np.uint8)).any()


@pytest.mark.parametrize("name", FLOORS)
def test_floors_are_unit_vectors(name, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 200, (20, 30, 3), dtype=np.uint8)
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        Image.fromarray(pixels).save(path)
    vectors = described_by(FLOORS[name])(paths).vectors
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors[0], vectors[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "floor", "recall1", "mean_average_precision"),
    [("grocery", "hsv_histogram", 0.655, 0.444), ("omniglot", "blurred_pixels", 0.582, 0.226)],
)
def test_floors_on_real_pictures(grocery, dataset, floor, recall1, mean_average_precision):
    root = grocery.parent / dataset

    def embedded(split):
        rows = [line.rsplit(" ", 1) for line in (root / f"{split}.txt").read_text().splitlines()]
        paths = [root / name for name, _ in rows]
        labels = [label for _, label in rows]
        vectors = described_by(FLOORS[floor])(paths).vectors
        return Embeddings(vectors, labels, [str(p) for p in paths])

    result = evaluate_retrieval(
        embedded("query"), embedded("gallery"), rng=np.random.default_rng(0)
    )
    assert result.metrics["recall1"] == pytest.approx(recall1, abs=0.003)
    assert result.metrics["mAP"] == pytest.approx(mean_average_precision, abs=0.003)

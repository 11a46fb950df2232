"""Detectors that Paddle exported in three forms, opened by Paddle and by ONNX Runtime."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("paddle")

from tests.inference.tiny_detectors import REACH, SIDE, STRIDES, Form, export_detector
from toolkit.errors import ModelError
from toolkit.inference.detection.detector import Detection, open_detector
from toolkit.inference.detection.outputs import candidate_boxes, finished_rows

FORMS: tuple[Form, ...] = ("raw", "decoded", "finished")


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each form, with the files of both engines."""
    folder = tmp_path_factory.mktemp("detectors")
    for form in FORMS:
        export_detector(folder / form, form)
    return folder


def _picture() -> np.ndarray:
    """Twice as high as the network's input and one and a half as wide: the scales differ.

    No two cells are as bright: which of two equal ones is kept is nobody's business.
    """
    pixels = np.zeros((2 * SIDE, 3 * SIDE // 2, 3), np.uint8)
    pixels[32:48, 24:48, 0] = np.repeat([250, 240], 12)
    y, x = np.indices((64, 48))
    pixels[64:, 48:, 1] = 100 + y + x // 3
    return pixels


def _expected(pixels: np.ndarray, threshold: float) -> list[Detection]:
    """What the tiny detector finds, cell by cell and pair by pair."""
    height, width = pixels.shape[:2]
    found = []
    for kind, label in enumerate(("red", "green")):
        candidates = []
        for stride in STRIDES:
            for row in range(SIDE // stride):
                for column in range(SIDE // stride):
                    # The nearest pixel of the picture for each pixel of the cell.
                    ys = [(row * stride + y) * height // SIDE for y in range(stride)]
                    xs = [(column * stride + x) * width // SIDE for x in range(stride)]
                    score = pixels[np.ix_(ys, xs)][..., kind].mean() / 255
                    x, y = (column + 0.5) * stride, (row + 0.5) * stride
                    reach = REACH * stride
                    if score > 0.3:
                        candidates.append((score, [x - reach, y - reach, x + reach, y + reach]))
        candidates.sort(key=lambda one: -one[0])
        kept: list[tuple[float, list[float]]] = []
        for score, box in candidates:
            if all(_overlap(box, other) <= 0.5 for _, other in kept):
                kept.append((score, box))
        found += [(score, label, box) for score, box in kept if score > threshold]
    found.sort(key=lambda one: -one[0])
    scale = [width / SIDE, height / SIDE] * 2
    most = [width, height] * 2
    return [
        Detection(
            label,
            score,
            tuple(min(max(c * s, 0), m) for c, s, m in zip(box, scale, most, strict=True)),  # type: ignore[arg-type]
        )
        for score, label, box in found
    ]


def _overlap(one: list[float], other: list[float]) -> float:
    wide = max(min(one[2], other[2]) - max(one[0], other[0]), 0)
    high = max(min(one[3], other[3]) - max(one[1], other[1]), 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * high / (sum(areas) - wide * high)


def _check(found: list[Detection], expected: list[Detection]) -> None:
    assert [one.label for one in found] == [one.label for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.corners == pytest.approx(other.corners, abs=1e-3)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_bright_is_found(exports: Path, form: Form, threshold: float) -> None:
    detector = open_detector(exports / form, device="cpu")
    found = detector.detect(_picture(), threshold)
    _check(found, _expected(_picture(), threshold))
    assert {one.label for one in found} == {"red", "green"} if threshold < 0.9 else found
    assert all(one.score >= other.score for one, other in pairwise(found))
    assert detector.detect(np.zeros_like(_picture()), threshold) == []


@pytest.mark.parametrize("form", FORMS)
def test_onnx_runtime_finds_the_same(exports: Path, form: Form, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    paddle2onnx = pytest.importorskip("paddle2onnx")
    shutil.copy(exports / form / "inference.yml", tmp_path)
    paddle2onnx.export(
        str(exports / form / "inference.json"),
        str(exports / form / "inference.pdiparams"),
        str(tmp_path / "inference.onnx"),
        enable_optimize=False,
    )
    found = open_detector(tmp_path, device="cpu").detect(_picture(), 0.5)
    _check(found, _expected(_picture(), 0.5))


def _changed(exports: Path, folder: Path, old: str, new: str) -> Path:
    shutil.copytree(exports / "raw", folder)
    file = folder / "inference.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("label_list", "names", "not that of a detector"),
        ("Preprocess", "Steps", "not that of a detector"),
        ("type: Resize", "type: LetterBox", "not known"),
        ("keep_ratio: false", "keep_ratio: true", "keep_ratio"),
        ("interp: 0", "interp: 9", "interp"),
        ("nms_top_k: 1000", "nms_top_k: many", "many"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(
    exports: Path, tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(ModelError, match=told):
        open_detector(_changed(exports, tmp_path / "changed", old, new), device="cpu")


def test_a_graph_that_does_not_fit_its_file_is_told(exports: Path, tmp_path: Path) -> None:
    strides = _changed(exports, tmp_path / "strides", "- 8\n- 16", "- 8\n- 32")
    with pytest.raises(ModelError, match="expected rows of 6"):
        open_detector(strides, device="cpu").detect(_picture(), 0.5)
    labels = _changed(exports, tmp_path / "labels", "- green\n", "")
    with pytest.raises(ModelError, match="label_list"):
        open_detector(labels, device="cpu").detect(_picture(), 0.5)
    (tmp_path / "labels" / "inference.pdiparams").unlink()
    with pytest.raises(ModelError, match="not a complete"):
        open_detector(tmp_path / "labels", device="cpu")


@pytest.mark.parametrize(
    ("shape", "count", "rows"), [((3, 6), 2, 2), ((1, 1), 0, 0), ((0, 6), 0, 0)]
)
def test_finished_rows(shape: tuple[int, int], count: int, rows: int) -> None:
    found = finished_rows([np.zeros(shape, np.float32), np.array([count])])
    assert found is not None
    assert found.shape == (rows, 6)


def test_a_distance_is_the_mean_of_its_distribution() -> None:
    """One cell of 8 pixels: its centre is (4, 4), and sides are 0, 1, 0.5 and 2 strides away."""
    distribution = np.full((4, 3), -100, np.float32)
    distribution[0, 0] = distribution[1, 1] = distribution[3, 2] = 0
    distribution[2, :2] = 0
    outputs = [np.ones((1, 1, 1), np.float32), distribution.reshape(1, 1, 12)]
    boxes, _ = candidate_boxes(outputs, [8], 8, 8)
    assert boxes.tolist() == [pytest.approx([4, -4, 8, 20])]


def test_many_threads_may_share_one(exports: Path) -> None:
    detector, expected = open_detector(exports / "raw", device="cpu"), _expected(_picture(), 0.5)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: detector.detect(_picture(), 0.5), range(8)):
            _check(found, expected)

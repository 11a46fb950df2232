"""Suppression beside a slow loop over pairs."""

import numpy as np
import pytest

from toolkit.inference.detection.suppression import Suppression, overlaps, suppress


def _overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union, side by side."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = wide * high if wide > 0 and high > 0 else 0.0
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return shared / union if union else 0.0


def _kept(boxes: list[list[float]], overlap: float) -> list[int]:
    kept: list[int] = []
    for at, box in enumerate(boxes):
        if all(_overlap(box, boxes[other]) <= overlap for other in kept):
            kept.append(at)
    return kept


def _drawn(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes on a coarse grid: many overlap, touch, are equal, or are inside another."""
    left_top = rng.integers(0, 12, (count, 2))
    return np.concatenate([left_top, left_top + rng.integers(1, 8, (count, 2))], 1).astype("f4")


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_what_is_kept_is_what_a_loop_keeps(overlap: float, count: int) -> None:
    for seed in range(10):
        boxes = _drawn(np.random.default_rng(seed), count)
        assert suppress(boxes, overlap).tolist() == _kept(boxes.tolist(), overlap)


def test_overlaps_that_can_be_said_by_hand() -> None:
    box = np.array([0, 0, 2, 2], np.float32)
    others = np.array(
        [[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2], [0, 0, 1, 1], [5, 5, 5, 5]], np.float32
    )
    assert overlaps(box, others).tolist() == pytest.approx([1, 1 / 3, 0, 1 / 4, 0])
    assert overlaps(others[4], others[4:]).tolist() == [0]


@pytest.mark.parametrize("seed", range(10))
def test_classes_are_thinned_out_apart_and_sorted_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = _drawn(rng, 30)
    # Few different scores: many are equal.
    scores = (rng.integers(0, 6, (30, 3)) / 5).astype(np.float32)
    expected = []
    for kind in range(3):
        candidates = sorted(
            (at for at in range(30) if scores[at, kind] > 0.3), key=lambda at: -scores[at, kind]
        )[:10]
        kept = _kept([boxes[at].tolist() for at in candidates], 0.5)
        expected += [(candidates[at], kind) for at in kept]
    expected = sorted(expected, key=lambda pair: -scores[pair])[:7]
    rows, kinds = Suppression(0.3, 0.5, most_candidates=10, most_kept=7)(boxes, scores)
    assert list(zip(rows.tolist(), kinds.tolist(), strict=True)) == expected

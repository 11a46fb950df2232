"""Many boxes around one thing -> the surest of them: non-maximum suppression."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Suppression:
    """How boxes are thinned out; the defaults are those of PicoDet's exports.

    Attributes:
        score_threshold: boxes of lower scores are no candidates, 0 to 1.
        overlap: a box that overlaps a surer one of its class by more is left out; intersection
            over union, 0 to 1.
        most_candidates: of each class.
        most_kept: of all classes.
    """

    score_threshold: float = 0.3
    overlap: float = 0.5
    most_candidates: int = 1000
    most_kept: int = 100

    def __call__(self, boxes: Floats, scores: Floats) -> tuple[Indices, Indices]:
        """Chooses boxes, the surest first; equal ones in the order of classes, then of boxes.

        Args:
            boxes: [n, 4]: left, top, right, bottom.
            scores: [n, c], a column a class.

        Returns:
            Rows and classes of what is kept.
        """
        rows, classes = list[Indices](), list[Indices]()
        for number, column in enumerate(scores.T):
            candidates = np.flatnonzero(column > self.score_threshold)
            surest = _by_score(column[candidates])[: self.most_candidates]
            candidates = candidates[surest]
            kept = candidates[suppress(boxes[candidates], self.overlap)]
            rows.append(kept)
            classes.append(np.full(len(kept), number, np.intp))
        row, kind = np.concatenate(rows), np.concatenate(classes)
        order = _by_score(scores[row, kind])[: self.most_kept]
        return row[order], kind[order]


def suppress(boxes: Floats, overlap: float) -> Indices:
    """Goes through boxes and leaves out each that overlaps one that was kept before it.

    Args:
        boxes: [n, 4], the surest first.
        overlap: the largest intersection over union that is allowed.

    Returns:
        Which boxes are kept, in order.

    Source:
        Girshick et al. 2014, "Rich feature hierarchies", section 2.2: greedy suppression.
    """
    waiting, kept = np.arange(len(boxes)), list[int]()
    while len(waiting):
        first, others = waiting[0], waiting[1:]
        kept.append(int(first))
        waiting = others[overlaps(boxes[first], boxes[others]) <= overlap]
    return np.array(kept, np.intp)


def overlaps(box: Floats, others: Floats) -> Floats:
    """Returns intersection over union of a box [4] with others [n, 4]; 0 where both are empty."""
    left_top = np.maximum(box[:2], others[:, :2])
    right_bottom = np.minimum(box[2:], others[:, 2:])
    shared = np.maximum(right_bottom - left_top, 0).prod(axis=1)
    union = _area(box) + _area(others) - shared
    result: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result


def _area(boxes: Floats) -> Floats:
    area: Floats = np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(axis=-1)
    return area


def _by_score(scores: Floats) -> Indices:
    return np.argsort(-scores, kind="stable")

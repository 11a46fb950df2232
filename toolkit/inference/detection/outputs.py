"""The three forms in which detectors of PaddleDetection are exported, as boxes and scores.

``finished``: rows of (class, score, left, top, right, bottom), in pixels of the picture, and how
many a picture has; the graph has suppressed (``export.nms: true``, as PP-ShiTuV2_det comes).
``decoded``: boxes [1, n, 4] in pixels of the network's input, and scores [1, c, n]
(``export.nms: false``).
``raw``: for each stride scores [1, n, c], then for each stride distributions of distances
[1, n, 4 (m + 1)] (``export.post_process: false``).

Source: Yu et al. 2021, "PP-PicoDet"; Li et al. 2020, "Generalized Focal Loss", equation 6, for the
distributions: a side's distance from the centre is the mean of 0 to m strides.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError
from toolkit.inference.detection.suppression import Floats

Arrays = Sequence[NDArray[Any]]
_FINISHED_COLUMNS = 6


def finished_rows(outputs: Arrays) -> Floats | None:
    """Returns the rows [n, 6] of a graph that suppresses; None where it does not."""
    if len(outputs) != 2 or outputs[0].ndim != 2 or outputs[1].size != 1:
        return None
    rows, count = outputs[0], int(outputs[1].reshape(()))
    # A graph that finds nothing gives a row of minus ones, or one of another width.
    if rows.shape[1] != _FINISHED_COLUMNS:
        return np.zeros((0, _FINISHED_COLUMNS), np.float32) if count == 0 else None
    return rows[:count].astype(np.float32)


def candidate_boxes(
    outputs: Arrays, strides: Sequence[int], height: int, width: int
) -> tuple[Floats, Floats]:
    """Returns all boxes of a graph that does not suppress.

    Args:
        outputs: of the graph, in its order, for one picture.
        strides: of the levels, in pixels.
        height: of the network's input.
        width: of the network's input.

    Returns:
        Boxes [n, 4] in pixels of the network's input, and their scores [n, c].

    Raises:
        ModelError: the outputs are of none of the known forms.
    """
    shapes = [output.shape for output in outputs]
    if len(outputs) == 2 and all(len(shape) == 3 and shape[0] == 1 for shape in shapes):
        boxes, scores = outputs[0][0], outputs[1][0].T
        if boxes.shape[1] == 4 and len(boxes) == len(scores):
            return boxes.astype(np.float32), scores.astype(np.float32)
    sizes = [(-(-height // stride), -(-width // stride)) for stride in strides]
    expected = [rows * columns for rows, columns in sizes]
    if [shape[1] for shape in shapes if len(shape) == 3 and shape[0] == 1] != [*expected] * 2:
        raise _unknown(shapes, expected)
    levels = [output[0].astype(np.float32) for output in outputs]
    distributions = levels[len(strides) :]
    if len({level.shape[1] for level in distributions}) > 1 or distributions[0].shape[1] % 4:
        raise _unknown(shapes, expected)
    boxes = [
        _around_centres(_distances(level) * stride, size, stride)
        for level, size, stride in zip(distributions, sizes, strides, strict=True)
    ]
    return np.concatenate(boxes), np.concatenate(levels[: len(strides)])


def _distances(distributions: Floats) -> Floats:
    """Maps logits [n, 4 (m + 1)] to the means [n, 4] of what they distribute, 0 to m."""
    logits = distributions.reshape(len(distributions), 4, -1)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    means: Floats = weights @ np.arange(weights.shape[2], dtype=np.float32) / weights.sum(axis=2)
    return means


def _around_centres(distances: Floats, size: tuple[int, int], stride: int) -> Floats:
    """Maps distances [n, 4] of the sides from the centres of a grid's cells to boxes [n, 4]."""
    rows, columns = np.indices(size, dtype=np.float32)
    centres = (np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5) * stride
    return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)


def _unknown(shapes: Sequence[tuple[int, ...]], expected: Sequence[int]) -> ModelError:
    return ModelError(
        f"The detector's graph gives {list(shapes)}; expected rows of 6 and their number, boxes "
        f"[1, n, 4] and scores [1, c, n], or PicoDet's own outputs of {list(expected)} places. "
        "Export it again with PaddleDetection."
    )

"""A picture -> boxes around what is in it, by an exported detector such as PP-ShiTuV2_det."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ModelError
from toolkit.inference.detection.outputs import candidate_boxes, finished_rows
from toolkit.inference.detection.settings import DetectorSettings, read_detector_settings
from toolkit.inference.detection.suppression import Floats
from toolkit.inference.engines.named_graph import NamedGraph, open_graph

_KNOWN_INPUTS = {"image", "im_shape", "scale_factor"}


@dataclass(frozen=True)
class Detection:
    """A thing in a picture.

    Attributes:
        label: what it is.
        score: how sure that is, 0 to 1.
        corners: left, top, right and bottom, in pixels, within the picture.
    """

    label: str
    score: float
    corners: tuple[float, float, float, float]


class Detector:
    """A detector that is ready to run; threads may share it.

    Args:
        graph: the network.
        settings: what its ``inference.yml`` says.

    Raises:
        ModelError: the graph takes something that no detector of this kind does.
    """

    def __init__(self, graph: NamedGraph, settings: DetectorSettings) -> None:
        if "image" not in graph.inputs or not _KNOWN_INPUTS.issuperset(graph.inputs):
            raise ModelError(
                f"The detector {settings.model_name} takes {', '.join(graph.inputs)}; expected "
                "image, and perhaps scale_factor and im_shape. Export it with PaddleDetection."
            )
        self.model_name = settings.model_name
        self._graph, self._settings = graph, settings

    def detect(self, pixels: NDArray[np.uint8], threshold: float) -> list[Detection]:
        """Finds what is in a picture, the surest first.

        Args:
            pixels: uint8 RGB [h, w, 3].
            threshold: what has no higher score is left out, 0 to 1.

        Raises:
            ModelError: the graph gives what no detector of this kind does.
        """
        # Nothing in these steps draws; the generator is what steps are called with.
        image = self._settings.steps(pixels, np.random.default_rng(0))
        inner, outer = image.shape[1:], pixels.shape[:2]
        # Of height, of width.
        scale: Floats = np.divide(inner, outer, dtype=np.float32)
        given: dict[str, NDArray[Any]] = {
            "image": image[np.newaxis],
            "im_shape": np.array([inner], np.float32),
            "scale_factor": scale[np.newaxis],
        }
        outputs = self._graph.run({name: given[name] for name in self._graph.inputs})
        rows = finished_rows(outputs)
        if rows is None:
            rows = self._suppressed(outputs, (inner[0], inner[1]), scale)
        rows = rows[(rows[:, 1] > threshold) & (rows[:, 0] >= 0)]
        surest_first = rows[np.argsort(-rows[:, 1], kind="stable")]
        return list(self._detections(surest_first, outer[0], outer[1]))

    def _suppressed(
        self, outputs: list[NDArray[Any]], inner: tuple[int, int], scale: Floats
    ) -> Floats:
        """Returns rows of (class, score, left, top, right, bottom), in pixels of the picture."""
        boxes, scores = candidate_boxes(outputs, self._settings.strides, *inner)
        row, kind = self._settings.suppression(boxes, scores)
        corners = boxes[row] / np.tile(scale[::-1], 2)
        return np.column_stack([kind, scores[row, kind], corners]).astype(np.float32)

    def _detections(self, rows: Floats, height: int, width: int) -> Iterator[Detection]:
        for kind, score, *corners in rows.tolist():
            if not 0 <= int(kind) < len(self._settings.labels):
                raise ModelError(
                    f"The detector {self.model_name} gives the class {int(kind)}; its label_list "
                    f"has {len(self._settings.labels)}."
                )
            left, right = (min(max(corners[at], 0.0), float(width)) for at in (0, 2))
            top, bottom = (min(max(corners[at], 0.0), float(height)) for at in (1, 3))
            if left < right and top < bottom:
                label = self._settings.labels[int(kind)]
                yield Detection(label, score, (left, top, right, bottom))


def open_detector(directory: Path, *, device: str = "auto", threads: int = 1) -> Detector:
    """Opens an exported detector.

    Args:
        directory: folder with ``inference.yml`` and ``inference.onnx``, or ``inference.json`` (or
            ``inference.pdmodel``) with ``inference.pdiparams``.
        device: ``auto | cpu | gpu | gpu:0``; a GPU that is not there means the CPU.
        threads: CPU threads.

    Raises:
        ModelError: it is not there, not complete, or no detector.
        DeviceError: the device is malformed.
        ExtraError: Paddle is needed, and not installed.
    """
    settings = read_detector_settings(directory)
    return Detector(open_graph(directory, device, threads), settings)

"""Detectors with PicoDet's inputs and outputs, which find what is bright, exported by Paddle.

A cell of 8 or 16 pixels is a thing if it is bright; its box reaches a stride and a half from its
centre to every side. What they find can be said without them.
"""

from pathlib import Path
from typing import Any, Literal

import paddle
import yaml
from paddle import nn

SIDE, STRIDES, REACH = 64, (8, 16), 1.5
Form = Literal["raw", "decoded", "finished"]


class BrightnessDetector(nn.Layer):
    """Scores are brightness, 0 to 1; class 0 looks at red, class 1 at green."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.gain = self.create_parameter([1], default_initializer=nn.initializer.Constant(1.0))

    def forward(self, image: Any, scale_factor: Any = None) -> Any:
        scores, distances, centres = [], [], []
        for stride in STRIDES:
            cells = nn.functional.avg_pool2d(image * self.gain, stride, stride)[:, :2]
            scores.append(paddle.transpose(paddle.flatten(cells, 2), [0, 2, 1]))
            count = (SIDE // stride) ** 2
            # Of 0, 1, 2 and 3 strides, 1 and 2 are as likely; whatever else is nearly impossible.
            row = paddle.to_tensor([-40.0, 0.0, 0.0, -40.0] * 4)
            distances.append(row.expand([1, count, 16]) + 0 * scores[-1][:, :, :1])
            line = (paddle.arange(SIDE // stride, dtype="float32") + 0.5) * stride
            y, x = paddle.meshgrid(line, line)
            centres.append(
                paddle.stack([x.flatten(), y.flatten(), paddle.full([count], stride * REACH)], 1)
            )
        if self.form == "raw":
            return (*scores, *distances)
        grid = paddle.concat(centres)
        reach = grid[:, 2:].expand([-1, 2])
        boxes = paddle.concat([grid[:, :2] - reach, grid[:, :2] + reach], 1).unsqueeze(0)
        columns = paddle.transpose(paddle.concat(scores, 1), [0, 2, 1])
        if self.form == "decoded":
            return boxes, columns
        high, wide = paddle.split(scale_factor, 2, axis=1)
        boxes = boxes / paddle.concat([wide, high, wide, high], 1).unsqueeze(1)
        rows, _, count = paddle._C_ops.multiclass_nms3(
            boxes, columns, None, 0.3, 1000, 100, 0.5, True, 1.0, -1
        )
        return rows, count


def export_detector(folder: Path, form: Form, **changes: object) -> Path:
    """Writes the files as PaddleX has them."""
    layer = BrightnessDetector(form)
    layer.eval()
    spec = [
        paddle.static.InputSpec([1, 3, SIDE, SIDE], "float32", "image"),
        paddle.static.InputSpec([1, 2], "float32", "scale_factor"),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    # What the graph does not use is no input of it.
    spec = spec[: 2 if form == "finished" else 1]
    paddle.jit.save(layer, str(folder / "inference"), input_spec=spec)
    document = {
        "mode": "paddle",
        "draw_threshold": 0.5,
        "arch": "PicoDet",
        "Global": {"model_name": "PP-ShiTuV2_det"},
        "Preprocess": [
            {"type": "Resize", "interp": 0, "keep_ratio": False, "target_size": [SIDE, SIDE]},
            {"type": "NormalizeImage", "is_scale": True, "mean": [0.0] * 3, "std": [1.0] * 3},
            {"type": "Permute"},
        ],
        "label_list": ["red", "green"],
        "fpn_stride": list(STRIDES),
        "NMS": {"score_threshold": 0.3, "nms_threshold": 0.5, "nms_top_k": 1000, "keep_top_k": 100},
    }
    (folder / "inference.yml").write_text(yaml.safe_dump({**document, **changes}), encoding="utf-8")
    return folder

"""Inference directories as PaddleClas and PaddleX write them, from PaddleClas's own networks.

Runs in an environment with PaddleClas, for `paddlex.py`:

    python -m benchmarks.conformance.paddleclas_exports --inside MODEL FOLDER

The graph is what the environment's Paddle writes: ``inference.json`` since Paddle 3,
``inference.pdmodel`` before. ``inference.yml`` is as PaddleX 3 writes it.
"""

import argparse
from pathlib import Path
from typing import Any

import yaml

from benchmarks.conformance.seeded import fill

_SIDE = 224
MODELS: dict[str, dict[str, Any]] = {
    "PP-ShiTuV2_rec": {
        "Backbone": {"name": "PPLCNetV2_base_ShiTu", "class_expand": 512},
        "BackboneStopLayer": {"name": "flatten"},
        "Neck": {"name": "BNNeck", "num_features": 512},
        "Head": {"name": "FC", "embedding_size": 512, "class_num": 10, "bias_attr": False},
    },
    "PP-ShiTuV2_rec_CLIP_vit_base": {
        "Backbone": {
            "name": "CLIP_vit_base_patch16_224",
            "return_embed": True,
            "return_mean_embed": True,
        },
        "Neck": {"name": "FC", "embedding_size": 512, "class_num": 512},
        "Head": {"name": "ArcMargin", "embedding_size": 512, "class_num": 10},
    },
}
_INTERPOLATION = {"PP-ShiTuV2_rec": "bilinear", "PP-ShiTuV2_rec_CLIP_vit_base": "bicubic"}
# Scores of attention at the full gain are so large that a softmax of them picks one token.
GAINS = {"PP-ShiTuV2_rec": 1.0, "PP-ShiTuV2_rec_CLIP_vit_base": 0.5}


def main() -> int:
    """Writes one directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    write_export(arguments.model, arguments.folder)
    return 0


def write_export(model: str, folder: Path) -> None:
    """Builds the network, takes its head away and writes it, as PaddleClas's export does."""
    import paddle

    from benchmarks.conformance.paddleclas import import_arch

    network = import_arch().RecModel(**MODELS[model])
    fill(network, GAINS[model])
    network.head = None
    network.eval()
    for layer in network.sublayers():
        if hasattr(layer, "re_parameterize"):
            layer.re_parameterize()

    spec = paddle.static.InputSpec([None, 3, _SIDE, _SIDE], "float32", name="x")
    paddle.jit.save(_features_of(network), str(folder / "inference"), input_spec=[spec])
    resize = {
        "size": [_SIDE, _SIDE],
        "return_numpy": False,
        "interpolation": _INTERPOLATION[model],
        "backend": "cv2",
    }
    normalise = {
        "scale": 1 / 255,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "order": "hwc",
        "channel_num": 3,
    }
    document = {
        "Global": {"model_name": model},
        "PreProcess": {
            "transform_ops": [
                {"ResizeImage": resize},
                {"NormalizeImage": normalise},
                {"ToCHWImage": None},
            ]
        },
        "PostProcess": {"NormalizeFeatures": None},
    }
    text = yaml.safe_dump(document, sort_keys=False)
    (folder / "inference.yml").write_text(text, encoding="utf-8")


def _features_of(network: Any) -> Any:
    """Wraps a network whose output is a dictionary: an inference model gives the features alone."""
    import paddle

    class Features(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.base_model = network

        def forward(self, x: Any) -> Any:
            return self.base_model(x)["features"]

    features = Features()
    features.eval()
    return features


if __name__ == "__main__":
    raise SystemExit(main())

"""Single steps of PaddleClas's transform_ops, as PaddleClas and Paddle define them."""

from typing import Any

import pytest
from paddleclas_reading import V1, translated, value


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("ResizeImage: {resize_short: 72}", {"ResizeImage": {"resize_short": 72}}),
        ("ResizeImage: {resize_short: 72, size: 64}", {"ResizeImage": {"resize_short": 72}}),
        (
            "ResizeImage: {resize_short: null, size: [32, 64], interpolation: AREA}",
            {"ResizeImage": {"size": [32, 64], "interpolation": "area"}},
        ),
        # Paddle's own Resize: a number is the shorter side, a list [height, width].
        ("Resize: {size: 72}", {"ResizeImage": {"resize_short": 72}}),
        ("Resize: {size: [64, 32]}", {"ResizeImage": {"size": [32, 64]}}),
        (
            "RandomResizedCrop: {size: 64, scale: [0.2, 1]}",
            {"RandCropImage": {"size": 64, "scale": [0.2, 1]}},
        ),
        ("RandomHorizontalFlip: {prob: 0.3}", {"RandFlipImage": {"prob": 0.3}}),
        ("RandomCropImage: {size: 64}", {"PadRandomCrop": {"size": 64, "pad": 0}}),
        (
            "RandomRotation: {degrees: 30}",
            {"RandomRotation": {"degrees": 30, "prob": 0.5, "interpolation": "nearest"}},
        ),
        ("ColorJitter: {prob: 2, hue: 0.1}", {"ColorJitter": {"hue": 0.1, "prob": 1.0}}),
        (
            "TimmAutoAugment: {config_str: rand-m9-n3-mstd0.5}",
            {
                "RandAugment": {
                    "num_layers": 3,
                    "magnitude": 9.0,
                    "prob": 0.5,
                    "interpolation": "bicubic",
                }
            },
        ),
    ],
)
def test_single_steps(theirs: str, ours: dict[str, Any]) -> None:
    place = "DataLoader.Train.dataset.transform_ops.1"
    data = translated(V1, f"{place}={{{theirs}}}")
    assert value(data, "Data.train_transforms.0") == ours

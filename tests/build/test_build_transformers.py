"""Files of transformers on their way into a network: other names for a classifier, masks, CLIP."""

import numpy as np
import paddle
import pytest

from toolkit.build.model import build_recognizer, load_pretrained
from toolkit.cards.weights import write_state
from toolkit.errors import WeightsError
from toolkit.training.learner import state_arrays


def network(configure, backbone, seed):
    paddle.seed(seed)
    neck = "Arch.Neck={name: FC, embedding_size: 16}"
    return build_recognizer(configure(f"Arch.Backbone={backbone}", neck).Arch, num_classes=5)


@pytest.mark.parametrize(
    ("backbone", "more"),
    [
        # ViT, DeiT and Swin call their classifier "head", as recognition models call theirs.
        ("{name: TinyViT}", {"head.weight": [32, 1000], "head.bias": [1000]}),
        (
            "{name: TinySwin}",
            {"head.weight": [64, 1000], "layers.0.blocks.1.attn_mask": [64, 49, 49]},
        ),
        ("{name: TinyCLIPViT}", {}),
    ],
)
def test_a_file_of_the_backbone_alone_fits(configure, tmp_path, backbone, more):
    source, target = network(configure, backbone, 1), network(configure, backbone, 2)
    weights = state_arrays(source.backbone)
    extra = {name: np.zeros(shape, "float32") for name, shape in more.items()}
    write_state(tmp_path / "w.pdparams", {**weights, **extra})
    head = state_arrays(target.head)
    report = load_pretrained(target, tmp_path / "w.pdparams")
    assert sorted(report.ignored) == sorted(f"backbone.{name}" for name in more)
    for name, array in state_arrays(target.backbone).items():
        np.testing.assert_array_equal(array, weights[name], err_msg=name)
    for name, array in state_arrays(target.head).items():
        np.testing.assert_array_equal(array, head[name])


def test_a_projection_of_another_width_is_named(configure, tmp_path):
    # OpenAI's ViT-L/14 projects to 768 values, PP-ShiTuV2's to 512.
    target = network(configure, "{name: TinyCLIPViT}", 1)
    weights = state_arrays(target.backbone) | {"proj": np.ones((32, 48), "float32")}
    write_state(tmp_path / "w.pdparams", weights)
    shapes = r"backbone\.proj \(file \[32, 48\], network \[32, 24\]\)"
    with pytest.raises(WeightsError, match=shapes):
        load_pretrained(target, tmp_path / "w.pdparams")

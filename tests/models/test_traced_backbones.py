"""Every backbone can be traced, as an export does it: no plain Python that the tracer misreads."""

import numpy as np
import paddle
import pytest

from toolkit.registry import BACKBONES

TINY = [name for name in BACKBONES.names() if name.startswith("Tiny") or name == "SmallResNet"]


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_a_traced_backbone_gives_the_same_features(name, tmp_path):
    paddle.seed(0)
    backbone = BACKBONES.build(name)
    backbone.eval()
    side = 2 * max(32, backbone.smallest_side)
    images = paddle.randn([2, 3, side, side])
    with paddle.no_grad():
        expected = backbone(images).numpy()
    # Any number of images, of one size.
    spec = paddle.static.InputSpec([None, 3, side, side], "float32")
    paddle.jit.save(
        paddle.jit.to_static(backbone, input_spec=[spec], full_graph=True), str(tmp_path / "traced")
    )
    traced = paddle.jit.load(str(tmp_path / "traced"))
    traced.eval()
    given = traced(images).numpy()
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())

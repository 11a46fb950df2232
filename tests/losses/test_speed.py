"""No loss may cost more than the network that it trains."""

import time

import numpy as np
import paddle
import pytest

from toolkit.models.backbones.small_resnet import SmallResNet
from toolkit.registry import LOSSES

ROWS, WIDTH, CLASSES = 256, 512, 1000
OPTIONS = {
    "ContrastiveLoss_XBM": [{"start_iter": 0, "xbm_size": 4096}],
    "TripletAngularMarginLoss_XBM": [{"start_iter": 0, "xbm_size": 4096}],
    "TripletLossV2": [{}, {"mining": "semi_hard"}],
}
CASES = [
    pytest.param(name, options, id=f"{name}{index or ''}")
    for name in LOSSES.names()
    for index, options in enumerate(OPTIONS.get(name, [{}]))
]


def seconds(step):
    """The processor's, not the clock's: other processes do not count. The first is warm-up."""
    step()
    taken = []
    for _ in range(2):
        began = time.process_time()
        step()
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.fixture(scope="module")
def network_seconds():
    """A step of a small network on small pictures."""
    network = SmallResNet(widths=[32, 64, 128, 256], stem_stride=2, stage_strides=[2, 2, 2, 2])
    images = paddle.ones([ROWS, 3, 64, 64])
    return seconds(lambda: network(images).sum().backward())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_step_is_faster_than_the_network_s(name, options, network_seconds):
    rng = np.random.default_rng(0)
    labels = paddle.to_tensor(np.repeat(np.arange(ROWS // 4), 4))
    outputs = {
        f"{who}{output}": paddle.to_tensor(
            rng.normal(size=(ROWS, width)).astype("float32"), stop_gradient=False
        )
        for who in ("", "teacher_")
        for output, width in (("features", WIDTH), ("backbone", WIDTH), ("logits", CLASSES))
    }
    derived = {"num_classes": CLASSES, "in_features": WIDTH}
    asked = {o.name: derived[o.name] for o in LOSSES.options(name) if o.handed_in}
    loss = LOSSES.build(name, **asked, **options)
    memory = getattr(loss, "memory", None)
    while memory is not None and int(memory.written) < memory.size:  # as it is in a long run
        loss(outputs, labels)
    assert seconds(lambda: loss(outputs, labels).backward()) < network_seconds

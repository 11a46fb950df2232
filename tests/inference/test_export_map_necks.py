"""Necks that read the backbone's maps, on their way to an inference model."""

import numpy as np
import paddle
import pytest

from toolkit.inference.directory import open_predictor
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.engines.paddle import PaddleEngine
from toolkit.inference.export import export_inference
from toolkit.models.necks import FPN, GeM
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES
from toolkit.runtime import Device
from toolkit.training.ema import AveragedWeights


def build(backbone_name, neck):
    paddle.seed(0)
    backbone = BACKBONES.build(backbone_name)
    channels = backbone.map_channels
    made = {
        "GeM": lambda: GeM(channels[-1]),
        "GeM to 12": lambda: GeM(channels[-1], embedding_size=12),
        "FPN": lambda: FPN([*channels], out_channels=8, embedding_size=12),
    }
    return Recognizer(backbone, made[neck]())


@pytest.mark.parametrize(
    ("backbone", "neck"),
    # TinyPPLCNetV2 is fused on the way.
    [("SmallResNet", "GeM"), ("SmallResNet", "FPN"), ("TinyPPLCNetV2", "GeM to 12")],
)
def test_an_export_computes_what_the_network_does(backbone, neck, steps, tmp_path, capfd):
    network = build(backbone, neck)
    report = export_inference(
        network, tmp_path, model_name="mapped", image_size=(40, 56), transform_ops=steps
    )
    assert report.dimension == network.out_features
    # Two sizes of batch other than the one that was traced; the sides are no powers of two.
    for number in (1, 4):
        images = np.random.default_rng(number).normal(size=(number, 3, 40, 56)).astype(np.float32)
        exported = PaddleEngine(tmp_path, Device("cpu"), 1).run(images)
        expected = NetworkEngine(network).run(images)
        assert exported.shape == (number, network.out_features)
        np.testing.assert_allclose(exported, expected, rtol=1e-4, atol=1e-5)
    assert capfd.readouterr().out == ""  # Paddle's engine prints something for a plain mean


def test_an_exported_pyramid_predicts_pictures(steps, side, pictures, tmp_path):
    network = build("SmallResNet", "FPN")
    export_inference(
        network, tmp_path, model_name="mapped", image_size=(side, side), transform_ops=steps
    )
    predictor = open_predictor(tmp_path, device="cpu")
    for result in predictor.predict([str(picture) for picture in pictures[:2]]):
        assert result["feature"].shape == (12,)
        assert np.linalg.norm(result["feature"]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("neck", ["GeM", "FPN"])
def test_weights_of_map_necks_are_averaged(neck):
    network = build("SmallResNet", neck)
    average = AveragedWeights(network, 0.5, warm_up=False)
    images = paddle.randn([2, 3, 32, 32])
    name = "neck.p" if neck == "GeM" else "neck.fc.weight"
    before = network.state_dict()[name].numpy().copy()
    optimizer = paddle.optimizer.SGD(0.1, parameters=network.parameters())
    network(images)["features"].square().sum().backward()
    optimizer.step()
    average.update()
    after = network.state_dict()[name].numpy()
    assert not np.array_equal(before, after)
    np.testing.assert_allclose(average.weights()[name], (before + after) / 2, rtol=1e-5)

"""Models by their names: backbones become exports of their published weights, once."""

import io
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
from file_server import Served, serving

from toolkit.build.card_network import card_config, embedding_network
from toolkit.build.official import model_folder
from toolkit.cards.catalog import CARDS
from toolkit.errors import FetchError, ModelError, WeightsError
from toolkit.fetch.options import FetchOptions
from toolkit.inference.directory import open_predictor
from toolkit.registry import BACKBONES

NAME = "PPLCNet_x0_25"
CARD = CARDS[NAME]
PATH = "/dygraph/legendary_models/PPLCNet_x0_25_pretrained.pdparams"


def weight_file(network):
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    buffer = io.BytesIO()
    pickle.dump(state, buffer, protocol=4)
    return buffer.getvalue()


@pytest.fixture
def server():
    with serving() as running:
        yield running


def test_a_backbone_is_exported_from_its_published_weights_once(server, tmp_path: Path):
    paddle.seed(0)
    published = BACKBONES.build(NAME, class_num=7)  # with the classifier, as published files are
    server.files[PATH] = Served(weight_file(published))
    options = FetchOptions(tmp_path, mirror=server.url)
    folder = model_folder(CARD, options)
    assert folder == tmp_path / "official_models" / NAME
    asked = len(server.asked)
    assert model_folder(CARD, options) == folder
    assert len(server.asked) == asked  # the second time from this machine

    model = open_predictor(folder, model_name=NAME, device="cpu")
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    (result,) = model.predict(picture)
    published.fc = paddle.nn.Identity()
    published.eval()
    prepared = model.pipeline(picture[..., ::-1], np.random.default_rng(0))
    expected = published(paddle.to_tensor(prepared[np.newaxis])).numpy()[0]
    assert prepared.shape == (3, 224, 224)
    cosine = result.feature @ expected / np.linalg.norm(expected)
    assert cosine == pytest.approx(1, abs=1e-6)


def test_weights_of_another_network_are_refused(server, tmp_path: Path):
    server.files[PATH] = Served(weight_file(BACKBONES.build("PPLCNet_x0_35")))
    with pytest.raises(WeightsError, match="of another shape"):
        model_folder(CARD, FetchOptions(tmp_path, mirror=server.url))
    assert not (tmp_path / "official_models" / NAME).exists()


def test_what_cannot_be_had_says_so(server, tmp_path: Path):
    options = FetchOptions(tmp_path, mirror=server.url)
    with pytest.raises(FetchError, match="404") as caught:
        model_folder(CARD, options)
    message = str(caught.value)
    assert message.count("Ways out") == 1
    assert f"(looked for {str(tmp_path / 'weights')!r}"[:-1] in message
    assert "(1) open a folder of your own, create_model(model_dir=...)" in message
    assert f"(2) put the file from {CARD.pretrained_url}" in message
    assert "(3) name a mirror" in message
    with pytest.raises(ModelError, match=r"No weights of 'InceptionV1'.*Export\.weight_path=FILE"):
        model_folder(CARDS["InceptionV1"], options)


def test_a_change_of_the_export_or_of_its_weights_is_noticed(server, tmp_path: Path):
    server.files[PATH] = Served(weight_file(BACKBONES.build(NAME)))
    options = FetchOptions(tmp_path, mirror=server.url)
    folder = model_folder(CARD, options)
    parameters = folder / "inference.pdiparams"
    before, status = parameters.read_bytes(), parameters.stat()
    parameters.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    os.utime(parameters, ns=(status.st_atime_ns, status.st_mtime_ns))  # nothing hints at it
    assert model_folder(CARD, options) == folder
    with pytest.raises(FetchError, match="not the file that was first used from https://paddle"):
        model_folder(CARD, replace(options, verify=True))
    shutil.rmtree(folder)
    (weights,) = tmp_path.glob("weights/*/*.pdparams")
    weights.write_bytes(b"")
    with pytest.raises(FetchError, match="not the file that was first used") as caught:
        model_folder(CARD, options)
    assert "cannot be downloaded" not in str(caught.value)


def test_the_neck_of_a_backbone_s_recipe_is_for_training():
    config = card_config(CARD)
    assert config.Arch.Neck is not None
    assert embedding_network(CARD, config).out_features == CARD.dimension
    small = CARDS["SmallResNet_rec"]
    assert embedding_network(small, card_config(small)).neck is not None

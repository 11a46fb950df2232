"""Weights on their way into a network: pretrained, trained, averaged, backbone alone."""

import numpy as np
import paddle
import pytest

from toolkit.build import model as build_model
from toolkit.build.model import (
    build_recognizer,
    checkpoint_weights,
    load_pretrained,
    load_trained,
    local_weights,
)
from toolkit.cards.weights import write_state
from toolkit.errors import WeightsError
from toolkit.training.learner import state_arrays

PPLCNET = "Arch.Backbone={name: PPLCNet_x0_25}"


def network(config, num_classes=None, seed=0):
    paddle.seed(seed)
    return build_recognizer(config.Arch, num_classes)


def test_backbone_weights_with_their_classifier_fit(configure, tmp_path, caplog):
    """As ImageNet files are: the backbone's own names, and fc.* of 1000 classes."""
    config = configure(PPLCNET, "Arch.Neck={name: FC, embedding_size: 16}")
    source, target = network(config, seed=1), network(config, num_classes=5, seed=2)
    weights = state_arrays(source.backbone)
    classifier = {"fc.weight": np.zeros((8, 1000), "float32"), "fc.bias": np.zeros(1000, "float32")}
    write_state(tmp_path / "imagenet.pdparams", {**weights, **classifier})
    before = state_arrays(target.neck)
    report = load_pretrained(target, tmp_path / "imagenet")
    assert len(report.loaded) == len(weights)
    assert sorted(report.ignored) == ["backbone.fc.bias", "backbone.fc.weight"]
    for name, array in state_arrays(target.backbone).items():
        np.testing.assert_array_equal(array, weights[name], err_msg=name)
    for name, array in state_arrays(target.neck).items():
        np.testing.assert_array_equal(array, before[name])
    assert "Not in the weights and left as initialised: neck." in caplog.text


def test_a_backbone_of_another_scale_is_refused(configure, tmp_path):
    small, large = configure(PPLCNET), configure("Arch.Backbone={name: PPLCNet_x0_5}")
    write_state(tmp_path / "w.pdparams", state_arrays(network(small).backbone))
    with pytest.raises(WeightsError, match="of another shape: backbone"):
        load_pretrained(network(large), tmp_path / "w.pdparams")


def test_a_head_of_other_classes_is_left_as_it_was(configure, tmp_path, caplog):
    config = configure()
    source = network(config, num_classes=7, seed=1)
    write_state(tmp_path / "w.pdparams", state_arrays(source))
    target = network(config, num_classes=5, seed=2)
    head = state_arrays(target.head)
    report = load_pretrained(target, tmp_path / "w.pdparams")
    assert list(report.mismatched) == ["head.fc.weight"]
    assert "Of another shape in the weights and left as initialised: head.fc.weight" in caplog.text
    for name, array in state_arrays(target.head).items():
        np.testing.assert_array_equal(array, head[name])
    for name, array in state_arrays(target.backbone).items():
        np.testing.assert_array_equal(array, state_arrays(source.backbone)[name])


def test_a_neck_of_another_kind_is_refused_when_the_file_has_one(configure, tmp_path):
    write_state(tmp_path / "w.pdparams", state_arrays(network(configure())))
    other = network(configure("Arch.Neck={name: FC, embedding_size: 16}"))
    with pytest.raises(WeightsError, match="missing in the file: neck"):
        load_pretrained(other, tmp_path / "w.pdparams")


def test_trained_weights_need_no_head(configure, tmp_path):
    config = configure()
    source = network(config, num_classes=7, seed=1)
    write_state(tmp_path / "w.pdparams", state_arrays(source))
    target = network(config, seed=2)
    assert load_trained(target, tmp_path / "w.pdparams").missing == []
    for name, array in state_arrays(target).items():
        np.testing.assert_array_equal(array, state_arrays(source)[name])


def test_auto_is_best_model_and_averaged_weights_go_before_raw_ones(tmp_path):
    with pytest.raises(WeightsError, match=r"has no best_model.*train first"):
        checkpoint_weights("auto", tmp_path)
    raw = tmp_path / "best_model" / "best_model.pdparams"
    write_state(raw, {"w": np.zeros(1)})
    assert checkpoint_weights("auto", tmp_path) == raw
    assert checkpoint_weights(str(raw.with_suffix("")), tmp_path) == raw
    averaged = raw.with_suffix(".pdema")
    write_state(averaged, {"w": np.ones(1)})
    for given in ("auto", str(raw), str(raw.parent), str(averaged)):
        assert checkpoint_weights(given, tmp_path) == averaged


def test_two_addresses_with_one_file_name_are_two_files(tmp_path, monkeypatch):
    fetched = []

    def download(url, file, *, timeout):
        assert timeout > 0
        fetched.append(url)
        write_state(file, {"w": np.full(1, len(fetched))})

    monkeypatch.setattr(build_model, "download", download)
    monkeypatch.setattr(build_model, "cache_folder", lambda: tmp_path)
    addresses = ["https://a.example/x/w.pdparams?v=1", "https://b.example/y/w.pdparams"]
    first, second = (local_weights(url) for url in addresses)
    assert first != second
    assert {first.name, second.name} == {"w.pdparams"}
    assert local_weights(addresses[0]) == first
    assert fetched == addresses

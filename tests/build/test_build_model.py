"""Weights on their way into a network: pretrained, trained, averaged, backbone alone."""

import tarfile

import numpy as np
import paddle
import pytest
from file_server import Served, serving

from toolkit.build.embedding import build_exporter
from toolkit.build.model import (
    build_recognizer,
    checkpoint_weights,
    load_pretrained,
    load_trained,
    local_weights,
)
from toolkit.cards.weights import read_weights, write_state
from toolkit.errors import WeightsError
from toolkit.fetch.options import FetchOptions
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


def test_imagenet_weights_start_the_retrieval_form_of_a_network(configure, tmp_path, caplog):
    """As PaddleClas starts PP-ShiTuV2: all but the branch it gains and the last convolution."""
    tiny = "Arch.Backbone={name: TinyPPLCNetV2, retrieval: %s}"
    source = network(configure(tiny % "false"), seed=1)
    target = network(configure(tiny % "true"), num_classes=5, seed=2)
    weights = state_arrays(source.backbone)
    weights["last_conv.weight"] = np.zeros((7, *weights["last_conv.weight"].shape[1:]), "float32")
    write_state(tmp_path / "imagenet.pdparams", weights)
    before = state_arrays(target.backbone)
    load_pretrained(target, tmp_path / "imagenet")
    kept = []
    for name, array in state_arrays(target.backbone).items():
        own = name.startswith("last_conv.") or name not in weights
        kept += [name] if own else []
        np.testing.assert_array_equal(array, (before if own else weights)[name], err_msg=name)
    branch = "stages.3.0.dw_conv_list.2."
    statistics = ("conv.weight", *(f"bn.{x}" for x in ("weight", "bias", "_mean", "_variance")))
    assert sorted(kept) == sorted(
        ["last_conv.weight", "last_conv.bias", *(f"{branch}{name}" for name in statistics)]
    )
    assert "left as initialised: backbone." in caplog.text


def test_imagenet_weights_start_a_network_that_keeps_a_classifier_for_other_classes(
    configure, tmp_path
):
    """As PaddleClas's hashing networks: class_num is then the number of bits."""
    source = network(configure("Arch.Backbone={name: PPLCNet_x0_25, class_num: 10}"), seed=1)
    target = network(configure("Arch.Backbone={name: PPLCNet_x0_25, class_num: 4}"), seed=2)
    write_state(tmp_path / "imagenet.pdparams", state_arrays(source.backbone))
    report = load_pretrained(target, tmp_path / "imagenet")
    assert sorted(report.mismatched) == ["backbone.fc.bias", "backbone.fc.weight"]
    np.testing.assert_array_equal(
        target.backbone.last_conv.weight.numpy(), source.backbone.last_conv.weight.numpy()
    )


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
    assert "the weights are for 7 classes, this network for 5 (head.fc.weight is" in caplog.text
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


@pytest.fixture
def options(tmp_path):
    return FetchOptions(tmp_path / "cache")


def test_auto_is_best_model_and_averaged_weights_go_before_raw_ones(tmp_path, options):
    with pytest.raises(WeightsError, match=r"has no best_model.*train first"):
        checkpoint_weights("auto", tmp_path, options)
    raw = tmp_path / "best_model" / "best_model.pdparams"
    write_state(raw, {"w": np.zeros(1)})
    assert checkpoint_weights("auto", tmp_path, options) == raw
    assert checkpoint_weights(str(raw.with_suffix("")), tmp_path, options) == raw
    averaged = raw.with_suffix(".pdema")
    write_state(averaged, {"w": np.ones(1)})
    for given in ("auto", str(raw), str(raw.parent), str(averaged)):
        assert checkpoint_weights(given, tmp_path, options) == averaged


def test_two_addresses_with_one_file_name_are_two_files(tmp_path, monkeypatch, options):
    monkeypatch.setenv("no_proxy", "*")
    for name in ("x", "y"):
        write_state(tmp_path / name, {name: np.ones(1)})
    with serving() as server:
        server.files["/x/w.pdparams?v=1"] = Served((tmp_path / "x").read_bytes())
        server.files["/y/w.pdparams"] = Served((tmp_path / "y").read_bytes())
        addresses = [f"{server.url}{path}" for path in server.files]
        first, second = (local_weights(url, options) for url in addresses)
        assert local_weights(addresses[0], options) == first
        assert len(server.asked) == 2
    assert {first.name, second.name} == {"w.pdparams"}
    assert [list(read_weights(file)) for file in (first, second)] == [["x"], ["y"]]


def archive_of(folder, file, compress=""):
    with tarfile.open(file, f"w{compress}") as tar:
        tar.add(folder, arcname=folder.name)
    return file


@pytest.mark.parametrize("compress", ["", ":gz"])
def test_an_archive_of_a_training_output_is_a_source_of_weights(tmp_path, options, compress):
    write_state(tmp_path / "output/best_model/best_model.pdparams", {"w": np.ones(1)})
    file = archive_of(
        tmp_path / "output", tmp_path / f"a.tar{compress.replace(':', '.')}", compress
    )
    found = local_weights(str(file), options)
    assert found.is_relative_to(options.cache)
    assert found.name == "best_model.pdparams"
    assert list(read_weights(found)) == ["w"]


def test_an_archive_behind_an_address_is_fetched_and_unpacked(tmp_path, monkeypatch, options):
    monkeypatch.setenv("no_proxy", "*")
    write_state(tmp_path / "output/latest.pdparams", {"w": np.ones(1)})
    file = archive_of(tmp_path / "output", tmp_path / "a.tar")
    with serving() as server:
        server.files["/a.tar"] = Served(file.read_bytes())
        for _ in range(2):
            assert list(read_weights(local_weights(f"{server.url}/a.tar", options))) == ["w"]
        assert len(server.asked) == 1


class TestInferenceModelsAsWeights:
    def test_our_export_gives_its_weights_back_to_train_from(self, configure, tmp_path, options):
        config = configure()
        source = network(config, num_classes=7, seed=1)
        source.eval()
        build_exporter(config, source)(tmp_path / "export")
        file = local_weights(str(tmp_path / "export"), options)
        assert file.name == "inference.pdiparams"
        target = network(config, num_classes=5, seed=2)
        load_pretrained(target, file)
        expected = state_arrays(source)
        for name, array in state_arrays(target).items():
            if not name.startswith("head."):
                np.testing.assert_array_equal(array, expected[name], err_msg=name)

    def test_a_fused_export_names_what_to_give_instead(self, configure, tmp_path):
        config = configure("Arch.Backbone={name: TinyPPLCNetV2}")
        model = network(config)
        model.eval()
        build_exporter(config, model)(tmp_path / "export")
        with pytest.raises(WeightsError, match=r"missing in the file.*Give the \.pdparams file"):
            load_pretrained(network(config, num_classes=3), tmp_path / "export/inference.pdiparams")

    def test_an_export_without_names_says_so(self, configure, tmp_path):
        config = configure()
        model = network(config)
        model.eval()
        build_exporter(config, model)(tmp_path / "export")
        (tmp_path / "export/inference.yml").unlink()
        with pytest.raises(WeightsError, match=r"nothing beside it says.*evaluated.*\.pdparams"):
            load_pretrained(network(config, 3), tmp_path / "export/inference.pdiparams")

"""A frozen backbone: stored features give what the network would, and nothing of it changes."""

import copy
import logging

import numpy as np
import paddle
import pytest
from PIL import Image

import toolkit.training.backbone_reader as reader_module
from toolkit.data.samplers import PKSampler, UniformSampler
from toolkit.data.transforms.geometry import ResizeImage
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.tensor import NormalizeImage, ToCHWImage
from toolkit.errors import ModelError, StorageError
from toolkit.inference.engines.network import NetworkEngine
from toolkit.models.heads import fc as heads
from toolkit.models.necks.bn_neck import BNNeck
from toolkit.models.necks.gem import GeM
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES
from toolkit.runtime import Device
from toolkit.training.backbone_reader import backbone_reader
from toolkit.training.ema import AveragedWeights
from toolkit.training.feature_store import BackboneFeatures, FeatureStore
from toolkit.training.frozen import FeatureLoader, FrozenRecognizer, PhasedLoader, Phases
from toolkit.training.learner import state_arrays
from toolkit.training.schedule import Cosine

STEPS = Pipeline([ResizeImage(16), NormalizeImage(), ToCHWImage()])
SIZE = (16, 16)
CPU = Device("cpu")


def network(neck=None) -> Recognizer:
    paddle.seed(3)
    backbone = BACKBONES.build("SmallResNet", widths=[4, 8], stage_strides=[2, 2])
    neck = neck or BNNeck(backbone.out_features)
    model = Recognizer(backbone, neck, heads.FC(neck.out_features, 3, bias=False))
    # Statistics that are not those of an untrained network, so that they count.
    model.train()
    model(paddle.randn([8, 3, *SIZE]))
    model.eval()
    return model


@pytest.fixture
def paths(tmp_path):
    """Nine PNGs; the fifth is no picture and the last is not there."""
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{number}.png" for number in range(9)]
    for path in files[:8]:
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    files[4].write_bytes(b"no picture")
    return files


def read_plainly(model: Recognizer, path, turns: int = 0) -> np.ndarray:
    """What the neck reads of one picture, by the network alone."""
    pixels = np.ascontiguousarray(np.rot90(np.asarray(Image.open(path)), turns))
    image = STEPS(pixels, np.random.default_rng(0))
    with paddle.no_grad():
        return model.read(paddle.to_tensor(image[np.newaxis])).numpy()[0]


def store(model, folder, *, opened=None, limit=1 << 30) -> FeatureStore:
    def open_reader():
        if opened is not None:
            opened.append(1)
        return backbone_reader(model, SIZE, CPU, 1)

    return FeatureStore(folder / "a.features", STEPS, open_reader, workers=2, limit=limit)


@pytest.mark.parametrize("neck", [None, GeM(8)])
def test_an_engine_reads_what_the_network_does(neck, caplog):
    caplog.set_level(logging.INFO)
    model = network(neck)
    images = np.random.default_rng(1).standard_normal((5, 3, *SIZE), dtype=np.float32)
    before = state_arrays(model)
    with paddle.no_grad():
        expected = model.read(paddle.to_tensor(images)).numpy()
    with backbone_reader(model, SIZE, CPU, 1) as read:
        np.testing.assert_allclose(read(images), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(read(images[:1]), expected[:1], rtol=0, atol=1e-5)
    assert "Engine: onnxruntime" in caplog.text
    for name, array in state_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("fault", ["cannot be opened", "differs"])
def test_the_network_itself_reads_where_no_engine_does(monkeypatch, caplog, fault):
    def broken(*_):
        if fault == "differs":
            return lambda images: np.zeros((len(images), 8), np.float32)
        raise ModelError(fault)

    monkeypatch.setattr(reader_module, "_open", broken)
    model = network()
    images = np.random.default_rng(1).standard_normal((2, 3, *SIZE), dtype=np.float32)
    with backbone_reader(model, SIZE, CPU, 1) as read, paddle.no_grad():
        expected = model.read(paddle.to_tensor(images)).numpy()
        np.testing.assert_array_equal(read(images), expected)
    assert "network itself" in caplog.text


@pytest.mark.parametrize("turned", [False, True])
def test_features_are_those_of_the_pictures(paths, tmp_path, turned):
    model = network()
    found = store(model, tmp_path).features(paths, turned=turned)
    turns = 4 if turned else 1
    assert len(found.rows) == turns * len(paths)
    for index, row in enumerate(found.rows):
        number, quarter = divmod(index, turns)
        if number in (4, 8):
            assert row is None
            assert found.failures[index].startswith(f"{paths[number]}: ")
        else:
            expected = read_plainly(model, paths[number], quarter)
            np.testing.assert_allclose(row, expected, rtol=0, atol=1e-5)
    assert set(found.failures) == {turns * n + k for n in (4, 8) for k in range(turns)}


def test_they_are_computed_once(paths, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    model, opened = network(), []
    first = store(model, tmp_path, opened=opened).features(paths)
    again = store(model, tmp_path, opened=opened).features(paths[::-1])
    assert opened == [1]  # though two pictures can still not be read
    for row, other in zip(first.rows, again.rows[::-1], strict=True):
        assert (row is None) == (other is None)
        if row is not None:
            np.testing.assert_array_equal(row, other)


def test_only_what_is_new_or_changed_is_computed(paths, tmp_path):
    model, seen = network(), []
    good = paths[:4]
    store(model, tmp_path).features(good)
    paths[0].write_bytes(paths[5].read_bytes())
    paths[1].rename(tmp_path / "renamed.png")
    kept = store(model, tmp_path)
    original = kept._prepared
    kept._prepared = lambda data, missing: seen.extend(missing.values()) or original(data, missing)
    found = kept.features([paths[0], tmp_path / "renamed.png", paths[2], paths[6]])
    assert seen == [0, 3]
    opened = []
    store(model, tmp_path, opened=opened).features([paths[2], paths[3]])
    assert opened == []  # what the new list does not have stays
    np.testing.assert_allclose(found.rows[0], read_plainly(model, paths[5]), rtol=0, atol=1e-5)


def test_a_disk_that_is_too_small_is_said_before_it_is_full(paths, tmp_path, monkeypatch):
    class Usage:
        free = 100

    monkeypatch.setattr("toolkit.training.feature_store.shutil.disk_usage", lambda _: Usage)
    with pytest.raises(StorageError, match=r"need 0 MiB.*GeM"):
        store(network(), tmp_path).features(paths)
    assert not list(tmp_path.glob("*.features"))


def test_a_folder_that_cannot_be_written_is_named(paths, tmp_path):
    (tmp_path / "way").write_bytes(b"")
    with pytest.raises(StorageError, match=r"Global.cache_dir"):
        store(network(), tmp_path / "way").features(paths)


def test_outputs_of_stored_features_are_those_of_the_images():
    model = FrozenRecognizer(network())
    images = paddle.randn([4, 3, *SIZE])
    model.eval()
    given = model(model.read(images))
    model.frozen = False
    for name, tensor in model(images).items():
        np.testing.assert_allclose(given[name].numpy(), tensor.numpy(), atol=1e-6)
    features = NetworkEngine(model).run(images.numpy())
    np.testing.assert_allclose(features, given["features"].numpy(), atol=1e-6)


def test_the_state_has_the_names_of_the_whole_network():
    plain = network()
    assert list(FrozenRecognizer(plain).state_dict()) == list(plain.state_dict())


def test_the_rate_has_the_factor_from_the_thaw_on():
    plain = Cosine(base_lr=0.1, total_steps=50, warmup_steps=5, steps_per_epoch=10)
    rate = Phases(4, 0.25).schedule(plain, 10)
    for step in range(50):
        assert rate(step) == plain(step) * (1 if step < 30 else 0.25)
    never = Phases(None, 0.25).schedule(plain, 10)
    assert [never(step) for step in range(50)] == [plain(step) for step in range(50)]


def test_the_log_says_when_the_phase_changes(caplog):
    caplog.set_level(logging.INFO)
    model = FrozenRecognizer(network())
    average = AveragedWeights(model, 0.9)
    before_epoch = Phases(3, 0.1).switch(model, average)
    states = []
    for epoch in (1, 2, 3, 4):
        before_epoch(epoch)
        states.append((model.frozen, average.held))
    assert states == [(True, "backbone."), (True, "backbone."), (False, None), (False, None)]
    assert [record.message for record in caplog.records] == [
        "From epoch 1 on the backbone is frozen until epoch 3: neck and head are trained on its "
        "stored features, without augmentation.",
        "From epoch 3 on the backbone is trained too, on augmented pictures, and the learning rate "
        "is multiplied by 0.1.",
    ]


def test_held_weights_are_not_averaged_and_the_others_are():
    model = network()
    average, plain = AveragedWeights(model, 0.5), AveragedWeights(copy.deepcopy(model), 0.5)
    average.held = "backbone."
    before = average.weights()
    for tensor in model.state_dict().values():
        tensor.set_value(tensor + 1)
    average.update()
    for name, array in average.weights().items():
        same = np.array_equal(array, before[name])
        assert same is name.startswith("backbone.")
    assert average.num_updates == plain.num_updates + 1


@pytest.mark.parametrize("sampler", ["uniform", "pk"])
def test_batches_of_features_have_the_order_of_pictures(sampler):
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    rows = [np.full(4, number, np.float32) for number in range(9)]
    rows[3] = None
    features = BackboneFeatures(rows, {3: "3.png: truncated"})
    made = {
        "uniform": UniformSampler(labels, 4, 5, drop_last=False),
        "pk": PKSampler(labels, 4, 5, sample_per_id=2),
    }[sampler]
    loader = FeatureLoader(features, labels, made)
    for epoch in (1, 2):
        batches = list(loader.epoch(epoch, 1))
        made.set_epoch(epoch - 1)
        expected = [[index for _, index in keys] for keys in made][1:]
        assert len(batches) == len(loader) - 1
        for (read, classes, indices, failures), wanted in zip(batches, expected, strict=True):
            good = [index for index in wanted if index != 3]
            assert indices.tolist() == good
            assert read.dtype == np.float32
            assert read.tolist() == [[float(index)] * 4 for index in good]
            assert classes.tolist() == labels[good].tolist()
            assert failures == ["3.png: truncated"] * (len(wanted) - len(good))


def test_a_batch_of_failures_alone_is_empty():
    labels = np.zeros(2, np.int64)
    features = BackboneFeatures([None, None], {0: "a: gone", 1: "b: gone"})
    (batch,) = FeatureLoader(features, labels, UniformSampler(labels, 2, 0)).epoch(1, 0)
    assert [len(part) for part in batch] == [0, 0, 0, 2]


def test_pictures_come_from_the_thaw_on():
    class Fixed:
        def __init__(self, name):
            self.name = name

        def __len__(self):
            return 7

        def epoch(self, epoch, skip_batches):
            return iter([(self.name, epoch, skip_batches)])

    loader = PhasedLoader(Phases(3), Fixed("features"), Fixed("pictures"))
    assert len(loader) == 7
    found = [next(loader.epoch(epoch, 2)) for epoch in (1, 2, 3, 9)]
    assert found == [
        ("features", 1, 2), ("features", 2, 2), ("pictures", 3, 2), ("pictures", 9, 2)
    ]  # fmt: skip

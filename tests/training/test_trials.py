"""A learning rate and a batch size from a few steps that leave nothing behind."""

import numpy as np
import pytest
from paddle import nn
from tiny_training import ArrayLoader, assert_identical, make_learner, make_loader, snapshot

from toolkit.errors import DatasetError, DeviceError, DivergedError
from toolkit.training.batch_memory import HostMemory, suggest_batch_size
from toolkit.training.learner import Learner
from toolkit.training.named_optimizer import named_parameters
from toolkit.training.optimizers import Momentum
from toolkit.training.precision import LossScaler, Precision
from toolkit.training.rate_finder import find_learning_rate


class Bowl(nn.Layer):
    """curvature / 2 |w|^2, whatever the images: plain descent diverges above 2 / curvature."""

    def __init__(self, curvature):
        super().__init__()
        self.curvature = curvature
        self.weight = self.create_parameter([4], default_initializer=nn.initializer.Constant(3.0))

    def forward(self, images, labels=None):
        del images, labels
        return {"value": self.curvature / 2 * (self.weight * self.weight).sum()}


class Value(nn.Layer):
    def forward(self, outputs, labels):
        del labels
        return outputs["value"], {}


def bowl(curvature):
    model = Bowl(curvature)
    optimizer = Momentum(named_parameters(model), 0.1, momentum=0.0, weight_decay=0.0)
    return Learner(model, Value(), optimizer, lambda _: 0.1)


@pytest.mark.parametrize("curvature", [2.0, 20.0, 200.0])
def test_the_suggested_rate_follows_the_curvature_and_is_stable(curvature):
    """On a bowl, the loss falls fastest below the limit of 2 / curvature, by a factor at most."""
    found = find_learning_rate(bowl(curvature), make_loader(), 0)
    assert 0.01 / curvature < found.suggestion < 2 / curvature
    assert found.rates == sorted(found.rates)
    assert found.smoothed[-1] > 4 * min(found.smoothed)  # it went on until the loss ran away
    assert len(found.rates) == len(found.losses) == len(found.smoothed) < 100


def test_a_range_test_leaves_everything_as_it_was():
    learner = make_learner()
    learner.precision = Precision("O1", "float16", casts=False, scaler=LossScaler(64.0, 3))
    before, rate = snapshot(learner), learner.optimizer.learning_rate
    find_learning_rate(learner, make_loader(), 0, num_steps=60)
    assert_identical(before, snapshot(learner))
    assert learner.precision.scaler == LossScaler(64.0, 3)
    assert (learner.optimizer.learning_rate, learner.average.num_updates) == (rate, 0)


def test_a_loss_that_never_falls_gives_no_suggestion():
    learner = bowl(0.0)
    with pytest.raises(DivergedError, match="fell at no rate"):
        find_learning_rate(learner, make_loader(), 0)


def test_pictures_that_cannot_be_read_end_a_trial():
    loader = make_loader()
    loader.failing = set(range(24))
    with pytest.raises(DatasetError, match="No training picture"):
        find_learning_rate(make_learner(), loader, 0)


class LinearMemory:
    """A step takes `base` bytes and `each` for every picture."""

    def __init__(self, learner, base, each, free):
        self.base, self.each, self.left, self.sizes = base, each, free, []
        forward = learner.model.forward

        def counted(images, labels=None):
            self.sizes.append(images.shape[0])
            return forward(images, labels)

        learner.model.forward = counted

    def forget_peak(self):
        self.sizes.clear()

    def peak(self):
        return self.base + self.each * max(self.sizes)

    def free(self):
        return self.left


@pytest.mark.parametrize(
    ("each", "free", "multiple", "largest", "expected"),
    [
        (2**24, 2**30, 1, 10**6, 4 + 51),  # 0.8 GiB / 16 MiB more than 4
        (2**24, 2**30, 4, 10**6, 52),
        (2**24, 2**30, 4, 30, 28),
        (2**24, 0, 8, 10**6, 8),
        (0, 2**30, 1, 500, 500),
    ],
)
def test_a_batch_size_from_two_steps(each, free, multiple, largest, expected):
    learner = make_learner()
    memory = LinearMemory(learner, 10**8, each, free)
    batch = next(iter(make_loader(4).epoch(1, 0)))
    before = snapshot(learner)
    found = suggest_batch_size(learner, batch, memory, multiple=multiple, largest=largest)
    assert found.batch_size == expected
    assert found.bytes_a_picture == max(1, each)
    assert_identical(before, snapshot(learner))


def test_the_memory_of_a_step_on_this_machine():
    """A layer that keeps 4 MiB a picture for its gradient."""

    class Wide(nn.Layer):
        def __init__(self):
            super().__init__()
            self.weight = self.create_parameter([1])

        def forward(self, images, labels=None):
            del labels
            wide = images.flatten(1)[:, :1].expand([images.shape[0], 2**20]) * self.weight
            return {"value": (wide * wide).mean()}

    model = Wide()
    learner = Learner(model, Value(), Momentum(named_parameters(model), 0.1), lambda _: 0.1)
    images = np.ones((4, 3, 2, 2), "float32")
    loader = ArrayLoader(images, np.zeros(4, "int64"), 4)
    try:
        found = suggest_batch_size(learner, next(iter(loader.epoch(1, 0))), HostMemory())
    except DeviceError as error:
        pytest.skip(str(error))
    assert 4 * 2**20 <= found.bytes_a_picture <= 40 * 2**20


def test_free_memory_is_cut_by_the_container(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    5000 kB\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert HostMemory(tmp_path, tmp_path).free() == 2000000
    (tmp_path / "memory.max").write_text("max\n")
    assert HostMemory(tmp_path, tmp_path).free() == 5000 * 1024
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text("VmRSS: 3 kB\nVmHWM:\t 77 kB\n")
    assert HostMemory(tmp_path, tmp_path).peak() == 77 * 1024
    with pytest.raises(DeviceError, match="suggest_batch_size"):
        HostMemory(tmp_path / "nothing", tmp_path).forget_peak()

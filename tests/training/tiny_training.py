"""Tiny learners and in-memory loaders."""

import numpy as np
import paddle
from paddle import nn

from toolkit.training.ema import AveragedWeights
from toolkit.training.learner import Learner, state_arrays
from toolkit.training.named_optimizer import named_parameters
from toolkit.training.optimizers import AdamW, Momentum
from toolkit.training.schedule import Cosine


class Net(nn.Layer):
    """Linear layers with whatever a test wants in between."""

    def __init__(self, *, norm: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = nn.Linear(12, 8)
        self.norm = nn.BatchNorm1D(8) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, 3)

    def forward(self, images, labels=None):
        del labels
        features = self.norm(self.backbone(images.flatten(1)))
        return {"features": features, "logits": self.head(self.dropout(features).tanh())}


class Loss(nn.Layer):
    """Cross entropy with a learnt scale, so that the loss has a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = self.create_parameter([1], default_initializer=nn.initializer.Constant(2.0))

    def forward(self, outputs, labels):
        total = nn.functional.cross_entropy(outputs["logits"] * self.scale, labels)
        return total, {"entropy": total.detach()}


class ArrayLoader:
    """Batches of one array, shuffled by (seed, epoch)."""

    def __init__(self, images, labels, batch_size, *, seed=0, shuffle=True):
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.seed, self.shuffle = seed, shuffle
        self.failing: set[int] = set()

    def __len__(self):
        return len(self.images) // self.batch_size

    def epoch(self, epoch, skip_batches):
        order = np.arange(len(self.images))
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(order)
        for number in range(skip_batches, len(self)):
            chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
            good = np.array([i for i in chosen if i not in self.failing], dtype="int64")
            failures = [f"{i}.jpg: truncated" for i in chosen if i in self.failing]
            yield self.images[good], self.labels[good], good, failures


def make_loader(batch_size=4, count=24, **options):
    rng = np.random.default_rng(5)
    images = rng.normal(size=(count, 3, 2, 2)).astype("float32")
    return ArrayLoader(images, rng.integers(3, size=count), batch_size, **options)


def make_learner(
    rule="Momentum", *, ema=True, norm=True, dropout=0.2, seed=1, total_steps=30, make_loss=Loss
):
    paddle.seed(seed)
    model, loss = Net(norm=norm, dropout=dropout), make_loss()
    parameters = named_parameters(model) + named_parameters(loss, "loss.")
    optimizer = {"Momentum": Momentum, "AdamW": AdamW}[rule](parameters, 0.1)
    schedule = Cosine(base_lr=0.1, total_steps=total_steps, warmup_steps=3, steps_per_epoch=6)
    average = AveragedWeights(model, 0.9) if ema else None
    return Learner(model, loss, optimizer, schedule, average)


def snapshot(learner):
    """All numbers of a learner, by name."""
    found = {**state_arrays(learner.model)}
    found |= {f"loss.{name}": array for name, array in state_arrays(learner.loss).items()}
    for kind, entries in learner.optimizer.state()["accumulators"].items():
        found |= {f"{kind} of {name}": array for name, array in entries.items()}
    if learner.average is not None:
        found |= {f"average {name}": a for name, a in learner.average.weights().items()}
    return {name: array.copy() for name, array in found.items()}


def assert_identical(left, right):
    assert list(left) == list(right)
    for name, array in left.items():
        np.testing.assert_array_equal(array, right[name], err_msg=name)

"""What is trained, and how far it has come."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from paddle import nn

from toolkit.training.ema import AveragedWeights
from toolkit.training.named_optimizer import NamedOptimizer
from toolkit.training.precision import Precision

Batch = tuple[Any, Any, Any, list[str]]


@dataclass(frozen=True)
class Position:
    """Where a run stands; all that the order of the data and the learning rate depend on.

    Attributes:
        epoch: the epoch under way, from 1.
        batch: batches of it that are done.
        step: updates done since the start of the run.
    """

    epoch: int = 1
    batch: int = 0
    step: int = 0


@dataclass
class Learner:
    """The objects that a step of training changes or asks.

    Attributes:
        model: called as ``model(images, labels)``, gives the outputs that the loss takes.
        loss: called as ``loss(outputs, labels)``, gives (total, {name: value}).
        optimizer: over the parameters of both.
        schedule: step -> learning rate.
        average: averaged weights; None when there are none.
        precision: in how many bits the network computes.
        before_epoch: told the number of every epoch, from 1, before it begins or goes on; what is
            trained may depend on it.
        before_step: told before every update how many were done.
    """

    model: nn.Layer
    loss: nn.Layer
    optimizer: NamedOptimizer
    schedule: Callable[[int], float]
    average: AveragedWeights | None = None
    precision: Precision = field(default_factory=Precision)
    before_epoch: Callable[[int], None] = lambda _: None
    before_step: Callable[[int], None] = lambda _: None

    def best_weights(self) -> Any:
        """Context in which the model has the weights to judge and export: the averages if any."""
        return nullcontext() if self.average is None else self.average.swapped_in()


class Loader(Protocol):
    """Where batches come from.

    A batch is (images float32 [b, 3, h, w], labels int64 [b], indices int64 [b], failures): what
    could not be read is named in `failures` and left out of the arrays, so b may be 0. Several
    views of each picture are a tuple of arrays [b, views, 3, h, w], one a size.
    """

    def __len__(self) -> int:
        """Batches of an epoch."""

    def epoch(self, epoch: int, skip_batches: int) -> Iterator[Batch]:
        """Yields the batches of an epoch (from 1), leaving out the first ones."""


@dataclass(frozen=True)
class StepRecord:
    """What one update did.

    Attributes:
        position: where the run stands after it.
        epoch: the epoch it belongs to.
        learning_rate: its rate.
        loss: the total; None when no image of its batches could be read.
        parts: the loss by name, before weighting.
        images: images in it.
        failures: what could not be read, ``path: reason`` each.
        seconds: how long it took.
        reader_seconds: the part of them spent waiting for the loader.
    """

    position: Position
    epoch: int
    learning_rate: float
    loss: float | None
    parts: dict[str, float]
    images: int
    failures: list[str]
    seconds: float
    reader_seconds: float


@dataclass(frozen=True)
class EpochRecord:
    """The end of an epoch, or of the run within one.

    Attributes:
        epoch: which one.
        position: where the run stands after it.
        complete: False when the run ends before the last batch of the epoch.
        last: True when the run ends here.
        mean_loss: mean of the losses of its updates in this process.
        images: images in them.
    """

    epoch: int
    position: Position
    complete: bool
    last: bool
    mean_loss: float
    images: int


class Listener:
    """Something that is told of every step and epoch; the methods do nothing here."""

    def on_step(self, record: StepRecord) -> None:
        """Is called after every update."""

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Is called after the last update of an epoch, and where the run ends."""

    def on_stop(self, position: Position) -> None:
        """Is called where a run ends before its time: what is done here must be quick."""


@dataclass
class FitResult:
    """How a run ended.

    Attributes:
        position: where it stands.
        reached: ``epochs`` when all epochs are done, ``max_steps`` when that came first, else why
            it was stopped.
        images: images trained on in this process.
        failures: each thing that could not be read, once: ``path: reason``.
        failure_count: how often something could not be read.
        seconds: wall clock time of this process, callbacks included.
        step_seconds: the part of them spent in updates, waiting for the loader included.
        waiting_seconds: the part of those spent waiting for the loader.
    """

    position: Position
    reached: str
    images: int = 0
    failures: list[str] = field(default_factory=list)
    failure_count: int = 0
    seconds: float = 0.0
    step_seconds: float = 0.0
    waiting_seconds: float = 0.0

    @property
    def waiting_share(self) -> float:
        """The share of the updates' time in which the loader was waited for, from 0 to 1."""
        return self.waiting_seconds / self.step_seconds if self.step_seconds else 0.0


def state_arrays(layer: nn.Layer) -> dict[str, np.ndarray[Any, Any]]:
    """Returns the parameters and buffers of a layer: structured name -> array."""
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}

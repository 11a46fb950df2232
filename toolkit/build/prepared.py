"""A training run that is ready to begin, whatever it learns from."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.build.recipe.finding import RecipeFinding
from toolkit.config.schema import Config
from toolkit.evaluation.before_after import BeforeAfter
from toolkit.inference.export import ExportReport
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import Device
from toolkit.training.ema import AveragedWeights
from toolkit.training.fit import TrainingPlan
from toolkit.training.learner import Learner, Listener, Loader, Position
from toolkit.training.precision import LossScaler, Precision

_LOG = logging.getLogger(__name__)

Measure = Callable[[], Mapping[str, float]]
"""Evaluates the network as it stands when it is called: metric -> value."""


@dataclass(frozen=True)
class Prepared:
    """The ready objects of one run.

    Attributes:
        model: the network that is kept.
        learner: what is trained.
        plan: how long.
        export: folder -> exported model, of the network as it stands.
        feed: where the run begins or goes on -> its batches, and how it is evaluated (None: not).
        about: what it is trained on, for the log: "2589 pictures of 40 classes".
        classes: the labels in the order of their numbers; None without labels.
        listeners: told of every step and epoch before anything is saved.
        give_up_waiting: ends waiting for pictures that are gone.
        findings: what of the recipe is unlikely to go with the data.
        measure_classes: gives recall@1 of ``old`` and ``new`` classes where classes are added.
        fitted: nothing is left to train: the network is judged and saved as it is.
        compare: weights of an adapter -> the model without it and with it; None without one, and
            where nothing is evaluated.
    """

    model: Recognizer
    learner: Learner
    plan: TrainingPlan
    export: Callable[[Path], ExportReport]
    feed: Callable[[Position], tuple[Loader, Measure | None]]
    about: str
    classes: list[str] | None = None
    listeners: tuple[Listener, ...] = ()
    give_up_waiting: Callable[[], None] = lambda: None
    findings: tuple[RecipeFinding, ...] = ()
    measure_classes: Callable[[], dict[str, float | None]] | None = None
    fitted: bool = False
    compare: Callable[[Path], BeforeAfter] | None = None


def training_plan(config: Config) -> TrainingPlan:
    """Returns how long a configuration trains."""
    train = config.Train
    return TrainingPlan(
        epochs=train.epochs_iters,
        seed=config.Global.seed,
        max_steps=train.max_steps,
        accumulate_steps=train.accumulate_steps,
        log_interval=train.log_interval,
    )


def averaged_weights(config: Config, model: Recognizer) -> AveragedWeights | None:
    """Returns the averages that a configuration asks for."""
    decay = config.Train.ema_decay
    return None if decay is None else AveragedWeights(model, decay)


def build_precision(config: Config, device: Device) -> Precision:
    """Returns in how many bits a configuration trains."""
    amp = config.Train.amp
    if amp is None:
        return Precision()
    casts = device.kind != "cpu"
    if not casts:
        _LOG.warning(
            "Train.amp is %s %s and the device is a CPU, on which Paddle computes in float32: "
            "nothing becomes faster or smaller.",
            *(amp.level, amp.dtype),
        )
    scaler = LossScaler(amp.scale_loss) if amp.dtype == "float16" else None
    return Precision(amp.level, amp.dtype, casts=casts, scaler=scaler)


def epochs_left(plan: TrainingPlan, loader: Loader, start: Position) -> int:
    """Returns how often each picture is still going to be read."""
    last = plan.epochs
    if plan.max_steps is not None:
        last = min(last, math.ceil(plan.max_steps / plan.steps_per_epoch(loader)))
    return last - start.epoch + 1

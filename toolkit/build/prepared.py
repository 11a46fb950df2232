"""A training run that is ready to begin, whatever it learns from."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.build.recipe.finding import RecipeFinding
from toolkit.config.schema import Config
from toolkit.inference.export import ExportReport
from toolkit.models.recognizer import Recognizer
from toolkit.training.ema import AveragedWeights
from toolkit.training.fit import TrainingPlan
from toolkit.training.learner import Learner, Listener, Loader, Position

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


def epochs_left(plan: TrainingPlan, loader: Loader, start: Position) -> int:
    """Returns how often each picture is still going to be read."""
    last = plan.epochs
    if plan.max_steps is not None:
        last = min(last, math.ceil(plan.max_steps / plan.steps_per_epoch(loader)))
    return last - start.epoch + 1

"""From a configuration with labels to a run that is ready to begin."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from paddle import nn

from toolkit.build.adapter import (
    adapter_weights,
    build_comparison,
    fit_adapter,
    load_adapted,
)
from toolkit.build.class_table import check_class_table
from toolkit.build.data import TrainingData, build_training_data
from toolkit.build.embedding import build_exporter
from toolkit.build.evaluation import build_trial
from toolkit.build.extended_classes import extend, extended_classes, recall_measure
from toolkit.build.feed import build_feed
from toolkit.build.fetching import fetch_options
from toolkit.build.frozen import build_feature_store, build_phases, freeze, phase_in
from toolkit.build.kernels import install_kernels
from toolkit.build.loss import build_loss
from toolkit.build.model import build_network, load_pretrained, local_weights
from toolkit.build.optimizer import build_optimizer, build_schedule
from toolkit.build.prepared import (
    Measure,
    Prepared,
    averaged_weights,
    build_precision,
    training_plan,
)
from toolkit.build.teacher import teacher_weights, with_teacher
from toolkit.config.schema import Config
from toolkit.distributed.group import told_by_first
from toolkit.distributed.norm import synchronise_norms
from toolkit.errors import ConfigError
from toolkit.evaluation.before_after import BeforeAfter
from toolkit.evaluation.together import embedded_together
from toolkit.evaluation.trial import Embed, RetrievalTrial
from toolkit.models.recognizer import Recognizer
from toolkit.runtime import resolve_device, seed_framework, use_device
from toolkit.training.frozen import FrozenRecognizer, Phases
from toolkit.training.learner import Learner, Loader, Position

_CLOSED_FORMS = ("whitening", "pca")


@dataclass(frozen=True)
class SupervisedStart:
    """What a run begins with, known before its data are looked at.

    Attributes:
        weights: of the network; None for random ones, and for a run that goes on.
        teacher: of its teacher; likewise.
        phases: which epochs have a frozen backbone; None: none has.
    """

    weights: Path | None
    teacher: Path | None
    phases: Phases | None


def supervised_start(config: Config) -> SupervisedStart:
    """Finds, and fetches where they are addresses, the weights that a run begins with.

    Raises:
        ToolkitError: they cannot be had, or the phases cannot be.
    """
    given, adapter = config.Train.pretrain_weight_path, config.Train.adapter
    weights = None
    if adapter is not None:
        _check_adapter(config)
        weights = adapter_weights(config)
    elif given is not None and config.Train.resume_path is None:
        weights = local_weights(given, fetch_options(config))
    frozen = config.Train.freeze_backbone or adapter is not None
    phases = build_phases(config) if frozen else None
    return SupervisedStart(weights, teacher_weights(config), phases)


def prepare_supervised(config: Config, start: SupervisedStart) -> Prepared:
    """Builds everything that a run with labels needs.

    Raises:
        ToolkitError: anything of the input that cannot be used.
    """
    data = build_training_data(config)
    test = build_trial(config) if config.Train.eval_during_train else None
    model = _network(config, data, start)
    if start.phases is not None:
        model = freeze(config, model)
    is_fitted = config.Train.adapter in _CLOSED_FORMS
    compare = _adapted(config, model, data, test)
    loss: nn.Layer = nn.Layer()
    if not is_fitted:
        loss = build_loss(config.Loss, data.num_outputs, model.output_sizes, model.outputs)
        check_class_table(config, model, loss)
    export, plan = build_exporter(config, model), training_plan(config)
    learner = Learner(
        model,
        loss,
        build_optimizer(config.Optimizer, config.Train.learning_rate, model, loss),
        build_schedule(config.Optimizer, config.Train, plan.steps_per_epoch(data.loader)),
        averaged_weights(config, model),
        build_precision(config, resolve_device(config.Global.device)),
    )
    known = extended_classes(config, data)
    if known is not None and config.Train.resume_path is None:
        extend(config, learner, model, known)
    if start.phases is not None:
        phase_in(start.phases, learner, plan.steps_per_epoch(data.loader))

    def feed(position: Position) -> tuple[Loader, Measure | None]:
        loader, embed = build_feed(config, data, model, plan, position)
        together = embedded_together(embed, config.Evaluate.batch_size)
        return loader, None if test is None else lambda: _metrics(test, together)

    about = f"{data.num_images} pictures of {len(data.classes)} classes"
    return Prepared(
        *(model, learner, plan, export, feed, about, data.classes),
        give_up_waiting=data.dataset.give_up_waiting,
        findings=tuple(data.findings),
        measure_classes=None if known is None else recall_measure(config, learner, model, known),
        fitted=is_fitted,
        compare=compare,
    )


def _check_adapter(config: Config) -> None:
    """Refuses what does not go with an adapter.

    Raises:
        ConfigError: it is given.
    """
    if config.Train.adapter in _CLOSED_FORMS and config.Train.resume_path is not None:
        raise ConfigError(
            f"Train.resume_path is given and Train.adapter is {config.Train.adapter}, which is "
            "fitted at once: there is nothing to go on with. Leave Train.resume_path out."
        )


def _adapted(
    config: Config, model: Recognizer, data: TrainingData, test: RetrievalTrial | None
) -> Callable[[Path], BeforeAfter] | None:
    """Fits an adapter where there is one, and returns how it is compared with nothing."""
    if config.Train.adapter is None or not isinstance(model, FrozenRecognizer):
        return None
    features = build_feature_store(config, model)
    fit_adapter(config, model, data, features)
    return None if test is None else build_comparison(config, model, features, test)


def _metrics(test: RetrievalTrial, embed: Embed) -> dict[str, float]:
    embedded = test.embedded(embed)
    metrics: dict[str, float] = told_by_first(
        lambda: test.outcome(embedded, bootstrap=False).result.metrics
    )
    return metrics


def _network(config: Config, data: TrainingData, start: SupervisedStart) -> Recognizer:
    device = use_device(config.Global.device)
    seed_framework(config.Global.seed)
    is_fitted = config.Train.adapter in _CLOSED_FORMS
    model = build_network(config, None if is_fitted else data.num_outputs)
    if start.weights is not None and config.Train.adapter is not None:
        load_adapted(config, model, start.weights)
    elif start.weights is not None:
        load_pretrained(model, start.weights)
    if config.Arch.Teacher is not None:
        model = with_teacher(model, config.Arch.Teacher, data.num_outputs, start.teacher)
    if config.Train.sync_batch_norm:
        synchronise_norms(model)
    install_kernels(model, config.Train.kernels, device)
    return model

"""From a configuration with `SelfSup` to a run that is ready to begin."""

import logging
from functools import partial
from pathlib import Path

from toolkit.build.data import keep_pictures
from toolkit.build.embedding import build_embedder, build_exporter
from toolkit.build.evaluation import build_trial
from toolkit.build.fetching import fetch_options
from toolkit.build.kernels import install_kernels
from toolkit.build.lists import can_be_judged
from toolkit.build.model import build_recognizer, load_pretrained, local_weights
from toolkit.build.optimizer import build_optimizer, build_schedule
from toolkit.build.prepared import (
    Measure,
    Prepared,
    averaged_weights,
    build_precision,
    epochs_left,
    training_plan,
)
from toolkit.build.transforms import image_size
from toolkit.build.unlabelled import UnlabelledData, build_unlabelled_data
from toolkit.cards.catalog import CARDS
from toolkit.config.schema import Config
from toolkit.config.selfsup_section import SelfSupSection
from toolkit.data.picture_files import PictureFiles
from toolkit.distributed.group import told_by_first
from toolkit.distributed.norm import synchronise_norms
from toolkit.errors import ConfigError, ToolkitError, WeightsError
from toolkit.evaluation.together import embedded_together
from toolkit.inference.view_geometry import view_geometry
from toolkit.registry import METHODS
from toolkit.runtime import resolve_device, seed_framework, use_device
from toolkit.selfsup.method import Method, ViewRecognizer
from toolkit.training.collapse import CollapseWatch
from toolkit.training.fit import TrainingPlan
from toolkit.training.learner import Learner, Loader, Position

_LOG = logging.getLogger(__name__)


def pretrained_weights(config: Config) -> Path | None:
    """Returns the weights that a run begins with, fetched if need be; None for random ones.

    Raises:
        ConfigError: Train.pretrain_weight_path is given and is not to be used.
        WeightsError: there are none, or they cannot be had.
    """
    section, given = _section(config), config.Train.pretrain_weight_path
    if not section.use_pretrained:
        if given is not None:
            raise ConfigError(
                f"Train.pretrain_weight_path is {given} and SelfSup.use_pretrained is false: set "
                "it to true to start from these weights, or leave the path out."
            )
        return None
    if config.Train.resume_path is not None:
        return None
    backbone = config.Arch.Backbone.name
    card = CARDS.get(backbone)
    source = given or (None if card is None else card.pretrained_url)
    instead = "or set SelfSup.use_pretrained to false to start from random weights."
    if source is None:
        raise WeightsError(
            f"SelfSup.use_pretrained is true, and no weights of {backbone} are published for "
            f"Paddle: give a file as Train.pretrain_weight_path, {instead}"
        )
    try:
        return local_weights(source, fetch_options(config))
    except ToolkitError as error:
        raise WeightsError(
            f"{error} SelfSup.use_pretrained is true, so training starts from these weights: give "
            f"a file that can be reached as Train.pretrain_weight_path, {instead}"
        ) from error


def prepare_selfsup(config: Config, weights: Path | None) -> Prepared:
    """Builds everything that a run without labels needs.

    Args:
        config: with the section SelfSup.
        weights: as `pretrained_weights` gives them.

    Raises:
        ToolkitError: anything of the input that cannot be used.
    """
    section = _section(config)
    _refuse_labels(config)
    data, plan = build_unlabelled_data(config), training_plan(config)
    device = use_device(config.Global.device)
    seed_framework(config.Global.seed)
    network = build_recognizer(config.Arch, num_classes=None)
    if weights is not None:
        load_pretrained(network, weights)
    method: Method = METHODS.build(
        section.method.name,
        network=network,
        total_steps=plan.total_steps(data.loader),
        **section.method.options,
    )
    _check_views(method, section)
    model = ViewRecognizer(network, method)
    for part in (model, method):
        if config.Train.sync_batch_norm:
            synchronise_norms(part)
        install_kernels(part, config.Train.kernels, device)
    watch = CollapseWatch(section.collapse_spread, section.collapse_steps, section.on_collapse)
    return Prepared(
        model,
        _learner(config, model, method, plan.steps_per_epoch(data.loader)),
        plan,
        build_exporter(config, model),
        partial(_feed, config, data, model, plan),
        f"{data.num_images} pictures without labels, {section.method.name}",
        listeners=(watch,),
        give_up_waiting=data.give_up_waiting,
        findings=tuple(data.findings),
    )


def _section(config: Config) -> SelfSupSection:
    if config.SelfSup is None:
        raise ConfigError("SelfSup is null; training without labels needs this section.")
    return config.SelfSup


def _learner(
    config: Config, model: ViewRecognizer, method: Method, steps_per_epoch: int
) -> Learner:
    return Learner(
        model,
        method,
        build_optimizer(config.Optimizer, config.Train.learning_rate, model, method),
        build_schedule(config.Optimizer, config.Train, steps_per_epoch),
        averaged_weights(config, model),
        build_precision(config, resolve_device(config.Global.device)),
        before_epoch=method.before_epoch,
        before_step=partial(method.before_step, model),
    )


def _feed(
    config: Config,
    data: UnlabelledData,
    model: ViewRecognizer,
    plan: TrainingPlan,
    start: Position,
) -> tuple[Loader, Measure]:
    """Returns the batches of a run, and how the network is judged."""
    source = data.dataset.source
    if isinstance(source, PictureFiles):
        keep_pictures(config, source, epochs=epochs_left(plan, data.loader, start))
    test = build_trial(config) if can_be_judged(config) else None
    if test is None:
        _LOG.info(
            "No retrieval is measured during training: there is no gallery and query list, or "
            "Train.eval_during_train is false. best_model will be the last epoch."
        )
    embed = embedded_together(build_embedder(config, model), config.Evaluate.batch_size)
    images = _section(config).judge_images

    def measure() -> dict[str, float]:
        embedded = None if test is None else test.embedded(embed)

        def metrics() -> dict[str, float]:
            seen = view_geometry(model, data.dataset, images, config.Train.batch_size)
            if test is None or embedded is None:
                return seen
            return dict(test.outcome(embedded, bootstrap=False).result.metrics) | seen

        told: dict[str, float] = told_by_first(metrics)
        return told

    return data.loader, measure


def _refuse_labels(config: Config) -> None:
    """Refuses what only training with labels has.

    Raises:
        ConfigError: all of it.
    """
    given = {
        "Arch.Head": config.Arch.Head is not None,
        "Arch.Teacher": config.Arch.Teacher is not None,
        "Train.extend_from": config.Train.extend_from is not None,
        "Train.adapter": config.Train.adapter is not None,
        "Train.freeze_backbone": config.Train.freeze_backbone,
        "Data.rotate_classes": config.Data.rotate_classes,
        f"Data.sampler {config.Data.sampler.name}": config.Data.sampler.name != "UniformSampler",
    }
    wrong = [name for name, is_given in given.items() if is_given]
    if wrong:
        raise ConfigError(
            f"{', '.join(wrong)} cannot be used without labels: leave it out (the sampler is "
            "UniformSampler), or train with Loss in place of SelfSup."
        )


def _check_views(method: Method, section: SelfSupSection) -> None:
    """Refuses views that a method cannot use.

    Raises:
        ConfigError: there are too few, too many, or too few of the first size.
    """
    sizes = [image_size(view.transforms) for view in section.views for _ in range(view.count)]
    needed = "exactly 2 views of one size" if method.pair_only else "2 views or more of one size"
    if sizes.count(sizes[0]) < 2 or (method.pair_only and len(sizes) != 2):
        given = ", ".join(f"{width} x {height}" for height, width in sizes)
        raise ConfigError(
            f"{section.method.name} compares {needed} first; SelfSup.views draws {given} pixels. "
            "Change count or size."
        )

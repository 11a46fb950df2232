"""Mode train: check the lists, train, and leave a model that predict can use at once."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.data import TrainingData, build_training_data
from toolkit.build.embedding import build_exporter
from toolkit.build.evaluation import build_trial
from toolkit.build.feed import build_feed
from toolkit.build.fetching import fetch_options
from toolkit.build.frozen import build_phases, freeze, phase_in
from toolkit.build.kernels import install_kernels
from toolkit.build.loss import build_loss
from toolkit.build.model import build_recognizer, load_pretrained, local_weights
from toolkit.build.optimizer import build_optimizer, build_schedule
from toolkit.build.teacher import teacher_weights, with_teacher
from toolkit.config.schema import Config
from toolkit.errors import ToolkitError
from toolkit.evaluation.trial import Embed, RetrievalTrial
from toolkit.models.recognizer import Recognizer
from toolkit.reports.curves import write_curves
from toolkit.runtime import seed_framework, use_device
from toolkit.storage import write_json
from toolkit.tasks.checked_data import require_checked_data
from toolkit.training.checkpoint import RunState, load_checkpoint
from toolkit.training.earlier_run import clear_for_run
from toolkit.training.ema import AveragedWeights
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.keeper import CheckpointKeeper, KeepPlan, KeepResult, Saved
from toolkit.training.learner import FitResult, Learner, Position
from toolkit.training.run_log import FILE_NAME, RunLog, read_rows

_LOG = logging.getLogger(__name__)
_LISTED = 5  # last_1 to last_5, as in PaddleX


@dataclass(frozen=True)
class TrainReport:
    """The outcome of a training run."""

    model_name: str
    output: Path
    fit: FitResult
    kept: KeepResult
    num_classes: int
    checked: bool
    curves: list[str]
    visualdl_log: str

    @property
    def passed(self) -> bool:
        """A run that ended has passed."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns PaddleX's train_result.json and what this run adds; paths start from output."""
        models: dict[str, Any] = {f"last_{number}": {} for number in range(1, _LISTED + 1)}
        for number, saved in enumerate(self.kept.saved[:_LISTED], start=1):
            models[f"last_{number}"] = _entry(self.output, saved)
        models["best"] = _entry(self.output, self.kept.best) if self.kept.best else {}
        return {
            "model_name": self.model_name,
            "label_dict": "label_order.json",
            "train_log": "train.log",
            "visualdl_log": self.visualdl_log,
            "config": "config.yaml",
            "models": models,
            "best_by": self.kept.best_by,
            "best_metrics": self.kept.best_metrics,
            "num_classes": self.num_classes,
            "dataset_checked": self.checked,
            "stopped_by": self.fit.reached,
            "steps": self.fit.position.step,
            "images": self.fit.images,
            "seconds": round(self.fit.seconds, 1),
            "waiting_for_data": round(self.fit.waiting_share, 4),
            "skipped_images": self.fit.failures,
            "skipped_count": self.fit.failure_count,
            "metrics_log": FILE_NAME,
            "curves": self.curves,
        }

    def summary(self) -> str:
        """Returns how long it took, how good it became, and where everything is."""
        rate = self.fit.images / max(self.fit.seconds, 1e-9)
        lines = [
            f"Trained {self.model_name} for {self.fit.position.step} steps in "
            f"{self.fit.seconds:.0f} s ({rate:.1f} images/s, evaluation included), "
            f"{100 * self.fit.waiting_share:.1f}% of the steps' time waiting for data; "
            f"the end was reached by {self.fit.reached}."
        ]
        if self.fit.failure_count:
            lines.append(
                f"{len(self.fit.failures)} pictures could not be read and were skipped "
                f"{self.fit.failure_count} times; train_result.json names them."
            )
        if self.kept.best is not None and self.kept.best_by == "metric":
            numbers = ", ".join(f"{k} {v:.4f}" for k, v in self.kept.best_metrics.items())
            lines.append(f"Best: epoch {self.kept.best.epoch}, {numbers}")
        elif self.kept.best is not None:
            lines.append(f"best_model is the last epoch ({self.kept.best.epoch}); not evaluated.")
        named = ["best_model", "latest", FILE_NAME, "train.log", *self.curves]
        return "\n".join([*lines, *(f"  {self.output / name}" for name in named)])


def run(config: Config) -> TrainReport:
    """Trains as a configuration says.

    Raises:
        CheckFailedError: the dataset does not pass its check.
        DivergedError: the loss is no longer a number.
        ToolkitError: anything of the input that cannot be used.
    """
    output = Path(config.Global.output)
    # First what fails in seconds: a large folder is not checked for weights that cannot be had.
    weights, teacher = _starting_weights(config), teacher_weights(config)
    phases = build_phases(config) if config.Train.freeze_backbone else None
    require_checked_data(config)
    data = build_training_data(config)
    test = build_trial(config) if config.Train.eval_during_train else None
    model = _network(config, data, weights, teacher)
    if phases is not None:
        model = freeze(config, model)
    loss = build_loss(config.Loss, data.num_outputs, model.output_sizes, model.outputs)
    export, plan = build_exporter(config, model), _plan(config)
    learner = Learner(
        model,
        loss,
        build_optimizer(config.Optimizer, config.Train.learning_rate, model, loss),
        build_schedule(config.Optimizer, config.Train, plan.steps_per_epoch(data.loader)),
        _average(config, model),
    )
    if phases is not None:
        phase_in(phases, learner, plan.steps_per_epoch(data.loader))
    state = None
    if config.Train.resume_path is not None:
        state = load_checkpoint(config.Train.resume_path, learner)
        _LOG.info("Going on after step %d of %s.", state.position.step, config.Train.resume_path)
    # Not before everything is known to fit: a run that cannot start disturbs nothing.
    resume = config.Train.resume_path
    clear_for_run(output, resumed_from=None if resume is None else Path(resume))
    write_json(output / "label_order.json", data.classes)
    _LOG.info(_headline(config, data, plan))
    return _train(config, data, _Run(model, learner, plan, export, state), test)


@dataclass(frozen=True)
class _Run:
    """The ready objects of one run; `state` is where a resumed one goes on."""

    model: Recognizer
    learner: Learner
    plan: TrainingPlan
    export: Callable[[Path], object]
    state: RunState | None

    @property
    def start(self) -> Position:
        """Where the run begins or goes on."""
        return Position() if self.state is None else self.state.position


def _train(
    config: Config, data: TrainingData, run: _Run, test: RetrievalTrial | None
) -> TrainReport:
    output, train, state = Path(config.Global.output), config.Train, run.state
    loader, embed = build_feed(config, data, run.model, run.plan, run.start)
    log = RunLog(
        output / FILE_NAME,
        resumed_step=None if state is None else state.position.step,
        visualdl=output if train.visualdl else None,
    )
    keeper = CheckpointKeeper(
        output,
        run.learner,
        KeepPlan(train.eval_interval, train.save_interval, train.keep_last),
        seed=config.Global.seed,
        evaluate=None if test is None else _measure(embed, test),
        export=lambda folder: _discard(run.export(folder)),
        log=log,
    )
    if state is not None:
        keeper.resume(state)
    try:
        result = fit(
            run.learner,
            loader,
            run.plan,
            listeners=[log, keeper],
            start=run.start,
        )
    except ToolkitError:
        # The best model so far is of use to someone even if the run came to grief.
        _export_what_there_is(keeper)
        raise
    finally:
        log.close()
    kept = keeper.finish()
    curves = write_curves(read_rows(output / FILE_NAME), output)
    return TrainReport(
        config.Global.model,
        output,
        result,
        kept,
        num_classes=len(data.classes),
        checked=not train.skip_check,
        curves=[str(file.relative_to(output)) for file in curves],
        visualdl_log=max((file.name for file in output.glob("vdlrecords.*.log")), default=""),
    )


def _export_what_there_is(keeper: CheckpointKeeper) -> None:
    """Exports what a failed run has saved; the failure is the news, not what comes of this."""
    try:
        keeper.export()
    except ToolkitError as error:
        _LOG.warning("What was saved is not exported: %s", error)


def _headline(config: Config, data: TrainingData, plan: TrainingPlan) -> str:
    """Says what is about to happen; train.log may hold several runs, and this begins each."""
    return (
        f"Training {config.Global.model}: {data.num_images} pictures of {len(data.classes)} "
        f"classes, {len(data.loader)} batches of {config.Train.batch_size} an epoch, "
        f"{plan.epochs} epochs, seed {plan.seed}."
    )


def _starting_weights(config: Config) -> Path | None:
    """The pretrained weights, fetched where they are an address; a resumed run has its own."""
    given = config.Train.pretrain_weight_path
    if given is None or config.Train.resume_path is not None:
        return None
    return local_weights(given, fetch_options(config))


def _network(
    config: Config, data: TrainingData, weights: Path | None, teacher: Path | None
) -> Recognizer:
    device = use_device(config.Global.device)
    seed_framework(config.Global.seed)
    model = build_recognizer(config.Arch, data.num_outputs)
    if weights is not None:
        load_pretrained(model, weights)
    if config.Arch.Teacher is not None:
        model = with_teacher(model, config.Arch.Teacher, data.num_outputs, teacher)
    install_kernels(model, config.Train.kernels, device)
    return model


def _measure(embed: Embed, test: RetrievalTrial) -> Callable[[], dict[str, float]]:
    return lambda: test.run(embed, bootstrap=False).result.metrics


def _discard(_: object) -> None:
    """The report of an export inside a checkpoint says nothing that the files do not."""


def _plan(config: Config) -> TrainingPlan:
    train = config.Train
    return TrainingPlan(
        epochs=train.epochs_iters,
        seed=config.Global.seed,
        max_steps=train.max_steps,
        accumulate_steps=train.accumulate_steps,
        log_interval=train.log_interval,
    )


def _average(config: Config, model: Recognizer) -> AveragedWeights | None:
    decay = config.Train.ema_decay
    return None if decay is None else AveragedWeights(model, decay)


def _entry(output: Path, saved: Saved) -> dict[str, Any]:
    """PaddleX's description of one checkpoint; the files that are not there are left out."""
    folder, prefix = output / saved.prefix, saved.prefix
    files = {
        "pdparams": f"{prefix}/{prefix}.pdparams",
        "pdopt": f"{prefix}/{prefix}.pdopt",
        "pdstates": f"{prefix}/{prefix}.pdstates",
        "pdema": f"{prefix}/{prefix}.pdema",
        "inference_config": f"{prefix}/inference/inference.yml",
        "pdmodel": f"{prefix}/inference/inference.json",
        "pdiparams": f"{prefix}/inference/inference.pdiparams",
    }
    there = {key: name for key, name in files.items() if (folder.parent / name).is_file()}
    return {"score": saved.metric, "epoch": saved.epoch, **there}

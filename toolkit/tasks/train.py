"""Mode train: check the lists, train, and leave a model that predict can use at once."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.prepared import Prepared
from toolkit.build.recipe.finding import RecipeFinding
from toolkit.build.selfsup import prepare_selfsup, pretrained_weights
from toolkit.build.supervised import prepare_supervised, supervised_start
from toolkit.config.schema import Config
from toolkit.errors import StorageError, ToolkitError
from toolkit.reports.curves import write_curves
from toolkit.storage import write_json
from toolkit.tasks.checked_data import require_checked_data
from toolkit.tasks.class_recalls import ClassRecalls
from toolkit.tasks.train_trial import TrialReport, run_trial
from toolkit.training.checkpoint import RunState, load_checkpoint
from toolkit.training.earlier_run import clear_for_run
from toolkit.training.early_stopping import EarlyStopping
from toolkit.training.fit import fit
from toolkit.training.interruption import InterruptedRunError, StopRequest, stop_on_signals
from toolkit.training.keeper import LATEST, CheckpointKeeper, KeepPlan, KeepResult, Saved
from toolkit.training.learner import FitResult, Loader, Position
from toolkit.training.newest_checkpoint import newest_checkpoint
from toolkit.training.run_log import FILE_NAME, RunLog, read_rows

_LOG = logging.getLogger(__name__)
_LISTED = 5  # last_1 to last_5, as in PaddleX
AUTO = "auto"


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
    interrupted_by: str | None = None
    findings: tuple[RecipeFinding, ...] = ()
    classes: ClassRecalls | None = None

    @property
    def passed(self) -> bool:
        """A run that ended, or was asked to, has passed."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns PaddleX's train_result.json and what this run adds; paths start from output."""
        models: dict[str, Any] = {f"last_{number}": {} for number in range(1, _LISTED + 1)}
        for number, saved in enumerate(self.kept.saved[:_LISTED], start=1):
            models[f"last_{number}"] = _entry(self.output, saved)
        models["best"] = _entry(self.output, self.kept.best) if self.kept.best else {}
        return {
            "done_flag": self.interrupted_by is None,
            "interrupted_by": self.interrupted_by,
            "model_name": self.model_name,
            "label_dict": "label_order.json" if self.num_classes else None,
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
            "extended_classes": None if self.classes is None else self.classes.to_json(),
            "recipe_findings": [finding.row() for finding in self.findings],
            "waiting_for_data": round(self.fit.waiting_share, 4),
            "skipped_images": self.fit.failures,
            "skipped_count": self.fit.failure_count,
            "metrics_log": FILE_NAME,
            "curves": self.curves,
        }

    def summary(self) -> str:
        """Returns how long it took, how good it became, and where everything is."""
        if self.interrupted_by is not None:
            return (
                f"Interrupted by {self.interrupted_by} after step {self.fit.position.step}; "
                f"{self.output / LATEST} is saved. Go on with Train.resume_path=auto."
            )
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
        if self.classes is not None:
            lines.append(self.classes.summary())
        named = ["best_model", "latest", FILE_NAME, "train.log", *self.curves]
        return "\n".join([*lines, *(f"  {self.output / name}" for name in named)])


def run(config: Config) -> TrainReport | TrialReport:
    """Trains as a configuration says: with labels, or without them where it has SelfSup.

    Asked for a learning rate or a batch size, it measures that and trains nothing.

    Raises:
        CheckFailedError: the dataset does not pass its check.
        DivergedError: the loss is no longer a number.
        ToolkitError: anything of the input that cannot be used.
        InterruptedRunError: Ctrl-C; what was trained is saved.
    """
    config = _with_checkpoint(config)
    prepared = _prepared(config)
    if config.Train.find_learning_rate or config.Train.suggest_batch_size:
        return run_trial(config, prepared)
    resume, state = config.Train.resume_path, None
    if resume is not None:
        state = load_checkpoint(resume, prepared.learner)
        _LOG.info("Going on after step %d of %s.", state.position.step, resume)
    # Not before everything is known to fit: a run that cannot start disturbs nothing.
    output = Path(config.Global.output)
    clear_for_run(output, resumed_from=None if resume is None else Path(resume))
    if prepared.classes is not None:
        write_json(output / "label_order.json", prepared.classes)
    report = _train(config, prepared, state)
    if report.interrupted_by == "SIGINT":
        raise InterruptedRunError(report.summary(), report.to_json())
    return report


def _with_checkpoint(config: Config) -> Config:
    """Puts the checkpoint that Train.resume_path=auto means in its place."""
    if config.Train.resume_path != AUTO:
        return config
    found = newest_checkpoint(Path(config.Global.output))
    if found is None:
        _LOG.info("%s holds no whole checkpoint: the run begins anew.", config.Global.output)
    path = None if found is None else str(found)
    return config.model_copy(
        update={"Train": config.Train.model_copy(update={"resume_path": path})}
    )


def _prepared(config: Config) -> Prepared:
    """Builds a run; first what fails in seconds.

    A large folder is not checked for weights that cannot be had.
    """
    if config.SelfSup is not None:
        weights = pretrained_weights(config)
        require_checked_data(config)
        return prepare_selfsup(config, weights)
    start = supervised_start(config)
    require_checked_data(config)
    return prepare_supervised(config, start)


def _train(config: Config, prepared: Prepared, state: RunState | None) -> TrainReport:
    output, train, plan = Path(config.Global.output), config.Train, prepared.plan
    start = Position() if state is None else state.position
    loader, measure = prepared.feed(start)
    _LOG.info(_headline(config, prepared, loader))
    log = RunLog(
        output / FILE_NAME,
        resumed_step=None if state is None else state.position.step,
        visualdl=output if train.visualdl else None,
    )
    keeper = CheckpointKeeper(
        output,
        prepared.learner,
        KeepPlan(
            train.eval_interval,
            train.save_interval,
            train.save_steps,
            train.keep_last,
            export_numbered=config.SelfSup is not None,
        ),
        seed=config.Global.seed,
        evaluate=measure,
        export=lambda folder: _discard(prepared.export(folder)),
        log=log,
        early_stopping=_early_stopping(config),
    )
    classes = None
    if prepared.measure_classes is not None:
        classes = ClassRecalls(output, prepared.measure_classes)
        classes.begin(goes_on=state is not None)
    if state is not None:
        keeper.resume(state)
    listeners = [log, *prepared.listeners, keeper]
    try:
        with stop_on_signals(prepared.give_up_waiting) as request:
            result = fit(
                prepared.learner,
                loader,
                plan,
                listeners=listeners,
                start=start,
                stop=lambda: _why_stop(request, keeper),
            )
    except StorageError:  # no room for an export either
        raise
    except ToolkitError:
        # The best model so far is of use to someone even if the run came to grief.
        _export_what_there_is(keeper)
        raise
    finally:
        log.close()
    interrupted = result.reached == "interrupted"
    kept = keeper.so_far() if interrupted else keeper.finish()
    if classes is not None and not interrupted:
        classes.end()
    curves = write_curves(read_rows(output / FILE_NAME), output)
    return TrainReport(
        config.Global.model,
        output,
        result,
        kept,
        num_classes=len(prepared.classes or []),
        checked=not train.skip_check,
        curves=[str(file.relative_to(output)) for file in curves],
        visualdl_log=max((file.name for file in output.glob("vdlrecords.*.log")), default=""),
        interrupted_by=request.signal if interrupted else None,
        findings=prepared.findings,
        classes=classes,
    )


def _early_stopping(config: Config) -> EarlyStopping | None:
    section = config.Train.early_stopping
    return None if section is None else EarlyStopping(**section.model_dump())


def _why_stop(request: StopRequest, keeper: CheckpointKeeper) -> str:
    if request():
        return "interrupted"
    return "early_stopping" if keeper.is_done else ""


def _export_what_there_is(keeper: CheckpointKeeper) -> None:
    """Exports what a failed run has saved; the failure is the news, not what comes of this."""
    try:
        keeper.export()
    except ToolkitError as error:
        _LOG.warning("What was saved is not exported: %s", error)


def _headline(config: Config, prepared: Prepared, loader: Loader) -> str:
    """Says what is about to happen; train.log may hold several runs, and this begins each."""
    return (
        f"Training {config.Global.model}: {prepared.about}, {len(loader)} batches of "
        f"{config.Train.batch_size} an epoch, {prepared.plan.epochs} epochs, seed "
        f"{prepared.plan.seed}."
    )


def _discard(_: object) -> None:
    """The report of an export inside a checkpoint says nothing that the files do not."""


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

"""Mode train: check the lists, train, and leave a model that predict can use at once."""

import logging
from pathlib import Path

from toolkit.build.prepared import Measure, Prepared
from toolkit.build.selfsup import prepare_selfsup, pretrained_weights
from toolkit.build.supervised import prepare_supervised, supervised_start
from toolkit.config.schema import Config
from toolkit.errors import StorageError, ToolkitError
from toolkit.reports.curves import write_curves
from toolkit.storage import write_json
from toolkit.tasks.checked_data import require_checked_data
from toolkit.tasks.class_recalls import ClassRecalls
from toolkit.tasks.train_report import TrainReport
from toolkit.tasks.train_trial import TrialReport, run_trial
from toolkit.training.checkpoint import RunState, load_checkpoint
from toolkit.training.earlier_run import clear_for_run
from toolkit.training.early_stopping import EarlyStopping
from toolkit.training.fit import fit
from toolkit.training.interruption import InterruptedRunError, StopRequest, stop_on_signals
from toolkit.training.keeper import CheckpointKeeper, KeepPlan, KeepResult
from toolkit.training.learner import FitResult, Loader, Position
from toolkit.training.newest_checkpoint import newest_checkpoint
from toolkit.training.run_log import FILE_NAME, RunLog, read_rows

_LOG = logging.getLogger(__name__)
AUTO, INTERRUPTED = "auto", "interrupted"


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
    output, start = Path(config.Global.output), Position() if state is None else state.position
    loader, measure = prepared.feed(start)
    _LOG.info(_headline(config, prepared, loader))
    log = RunLog(
        output / FILE_NAME,
        resumed_step=None if state is None else state.position.step,
        visualdl=output if config.Train.visualdl else None,
    )
    keeper = _keeper(config, prepared, measure, log)
    classes = None
    if prepared.measure_classes is not None:
        classes = ClassRecalls(output, prepared.measure_classes)
        classes.begin(goes_on=state is not None)
    if state is not None:
        keeper.resume(state)
    try:
        with stop_on_signals(prepared.give_up_waiting) as request:
            result = fit(
                prepared.learner,
                loader,
                prepared.plan,
                listeners=[log, *prepared.listeners, keeper],
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
    if result.reached == INTERRUPTED:
        return _report(config, prepared, result, keeper.so_far(), classes, request.signal)
    kept = keeper.finish()
    if classes is not None:
        classes.end()
    return _report(config, prepared, result, kept, classes)


def _keeper(
    config: Config, prepared: Prepared, measure: Measure | None, log: RunLog
) -> CheckpointKeeper:
    train, watch = config.Train, config.Train.early_stopping
    return CheckpointKeeper(
        Path(config.Global.output),
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
        early_stopping=None if watch is None else EarlyStopping(**watch.model_dump()),
    )


def _report(
    config: Config,
    prepared: Prepared,
    result: FitResult,
    kept: KeepResult,
    classes: ClassRecalls | None,
    interrupted_by: str | None = None,
) -> TrainReport:
    output = Path(config.Global.output)
    curves = write_curves(read_rows(output / FILE_NAME), output)
    return TrainReport(
        config.Global.model,
        output,
        result,
        kept,
        num_classes=len(prepared.classes or []),
        checked=not config.Train.skip_check,
        curves=[str(file.relative_to(output)) for file in curves],
        visualdl_log=max((file.name for file in output.glob("vdlrecords.*.log")), default=""),
        interrupted_by=interrupted_by,
        findings=prepared.findings,
        classes=classes,
    )


def _why_stop(request: StopRequest, keeper: CheckpointKeeper) -> str:
    if request():
        return INTERRUPTED
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

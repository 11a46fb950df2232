"""Mode train: check the lists, train, and leave a model that predict can use at once."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from paddle import nn

from toolkit.build.prepared import Measure, Prepared
from toolkit.build.selfsup import prepare_selfsup, pretrained_weights
from toolkit.build.supervised import prepare_supervised, supervised_start
from toolkit.build.tracking import open_trackers, require_trackers
from toolkit.config.schema import Config
from toolkit.distributed.gradients import copy_first
from toolkit.distributed.group import (
    first_alone,
    is_first,
    meet,
    process_count,
    told_by_first,
)
from toolkit.errors import GateError, StorageError, ToolkitError
from toolkit.models.heads.class_table import common_state, share_tables, whole_tables
from toolkit.reports.curves import write_curves
from toolkit.reports.run_rows import FILE_NAME, read_rows
from toolkit.storage import write_json
from toolkit.tasks.checked_data import require_checked_data
from toolkit.tasks.class_recalls import ClassRecalls
from toolkit.tasks.report import HelperReport
from toolkit.tasks.train_report import FITTED, TrainReport
from toolkit.tasks.train_trial import TrialReport, run_trial
from toolkit.training.checkpoint import RunState, find_checkpoint, load_checkpoint
from toolkit.training.earlier_run import clear_for_run
from toolkit.training.early_stopping import EarlyStopping
from toolkit.training.fit import fit
from toolkit.training.interruption import InterruptedRunError, stop_on_signals
from toolkit.training.keeper import BEST, CheckpointKeeper, KeepPlan
from toolkit.training.learner import EpochRecord, FitResult, Listener, Loader, Position
from toolkit.training.newest_checkpoint import newest_checkpoint
from toolkit.training.partner import EvaluationPartner, WholeAtSaves
from toolkit.training.run_log import RunLog

_LOG = logging.getLogger(__name__)
_EARLY = "early_stopping"
AUTO = "auto"


def run(config: Config) -> TrainReport | TrialReport | HelperReport:
    """Trains as a configuration says: with labels, or without them where it has SelfSup.

    Asked for a learning rate or a batch size, it measures that and trains nothing. In a group of
    processes all train, and the first one alone writes.

    Raises:
        CheckFailedError: the dataset does not pass its check.
        DivergedError: the loss is no longer a number.
        ToolkitError: anything of the input that cannot be used.
        InterruptedRunError: Ctrl-C; what was trained is saved.
    """
    config = _with_checkpoint(config)
    require_trackers(config)
    prepared = _prepared(config)
    if config.Train.find_learning_rate or config.Train.suggest_batch_size:
        return run_trial(config, prepared)
    learner = prepared.learner
    resume, state = config.Train.resume_path, None
    if resume is not None:
        # What a killed process left aside is put back once, and read by all.
        first_alone(lambda: _discard(find_checkpoint(resume)))
        with whole_tables(learner.model):
            state = load_checkpoint(resume, learner)
        _LOG.info("Going on after step %d of %s.", state.position.step, resume)
    copy_first([*common_state(learner.model), *learner.loss.state_dict().values()])
    # Not before everything is known to fit: a run that cannot start disturbs nothing.
    first_alone(lambda: _begin(config, prepared))
    if not is_first():
        return _help(config, prepared, state)
    report = _train(config, prepared, state)
    if report.interrupted_by == "SIGINT":
        raise InterruptedRunError(report.summary(), report.to_json())
    return report


def _begin(config: Config, prepared: Prepared) -> None:
    """Makes the output folder ready."""
    output, resume = Path(config.Global.output), config.Train.resume_path
    clear_for_run(output, resumed_from=None if resume is None else Path(resume))
    if prepared.classes is not None:
        write_json(output / "label_order.json", prepared.classes)


def _with_checkpoint(config: Config) -> Config:
    """Puts the checkpoint that Train.resume_path=auto means in its place."""
    if config.Train.resume_path != AUTO:
        return config
    path = told_by_first(lambda: _newest(Path(config.Global.output)))
    return config.model_copy(
        update={"Train": config.Train.model_copy(update={"resume_path": path})}
    )


def _newest(output: Path) -> str | None:
    found = newest_checkpoint(output)
    if found is None:
        _LOG.info("%s holds no whole checkpoint: the run begins anew.", output)
    return None if found is None else str(found)


def _prepared(config: Config) -> Prepared:
    """Builds a run; first what fails in seconds.

    A large folder is not checked for weights that cannot be had.
    """
    if config.SelfSup is not None:
        weights = pretrained_weights(config)
        first_alone(lambda: require_checked_data(config))
        return prepare_selfsup(config, weights)
    start = supervised_start(config)
    first_alone(lambda: require_checked_data(config))
    return prepare_supervised(config, start)


def _train(config: Config, prepared: Prepared, state: RunState | None) -> TrainReport:
    output, start = Path(config.Global.output), Position() if state is None else state.position
    loader, measure = prepared.feed(start)
    _LOG.info(_headline(config, prepared, loader))
    resumed_step = None if state is None else state.position.step
    trackers = open_trackers(config, resumed_step)
    log = RunLog(output / FILE_NAME, resumed_step=resumed_step, trackers=trackers)
    keeper = _keeper(config, prepared, measure, log)
    classes = _class_recalls(output, prepared, goes_on=state is not None)
    model = prepared.learner.model
    if state is not None:
        with whole_tables(model):
            keeper.resume(state)
    saving = WholeAtSaves(model, _keep_plan(config), keeper)
    finished = False
    try:
        result, signal = _fit(
            prepared, loader, [log, *prepared.listeners, saving], start, lambda: keeper.is_done
        )
        finished = signal is None
    except StorageError:  # no room for an export either
        raise
    except ToolkitError as error:
        # The best model so far is of use to someone even if the run came to grief.
        _end_together(error, model, lambda: _export_what_there_is(keeper))
        raise
    finally:
        log.close(finished=finished)
    with whole_tables(model):
        kept = keeper.finish() if finished else keeper.so_far()
    compared = None
    if finished and prepared.compare is not None:
        compared = prepared.compare(_best_weights(output))
    if finished and classes is not None:
        classes.end()
    return TrainReport(
        config.Global.model,
        output,
        result,
        kept,
        num_classes=len(prepared.classes or []),
        checked=not config.Train.skip_check,
        curves=_curves(output),
        adapter=compared,
        visualdl_log=max((file.name for file in output.glob("vdlrecords.*.log")), default=""),
        interrupted_by=signal,
        findings=prepared.findings,
        classes=classes,
    )


def _keeper(
    config: Config, prepared: Prepared, measure: Measure | None, log: RunLog
) -> CheckpointKeeper:
    watch = config.Train.early_stopping
    return CheckpointKeeper(
        Path(config.Global.output),
        prepared.learner,
        _keep_plan(config),
        seed=config.Global.seed,
        evaluate=measure,
        export=lambda folder: _discard(prepared.export(folder)),
        log=log,
        early_stopping=None if watch is None else EarlyStopping(**watch.model_dump()),
    )


def _class_recalls(output: Path, prepared: Prepared, *, goes_on: bool) -> ClassRecalls | None:
    """Measures old and new classes where classes are added; None where none are."""
    if prepared.measure_classes is None:
        return None
    classes = ClassRecalls(output, prepared.measure_classes)
    classes.begin(goes_on=goes_on)
    return classes


def _curves(output: Path) -> list[str]:
    curves = write_curves(read_rows(output / FILE_NAME), output)
    return [str(file.relative_to(output)) for file in curves]


def _help(config: Config, prepared: Prepared, state: RunState | None) -> HelperReport:
    """Trains along in a process that writes nothing."""
    start = Position() if state is None else state.position
    loader, measure = prepared.feed(start)
    model, plan = prepared.learner.model, _keep_plan(config)
    partner = EvaluationPartner(prepared.learner, plan, measure)
    if state is not None:
        share_tables(model)
    try:
        _fit(prepared, loader, [*prepared.listeners, WholeAtSaves(model, plan, partner)], start)
    except ToolkitError as error:
        _end_together(error, model, lambda: None)
        raise
    share_tables(model)
    return HelperReport()


def _fit(
    prepared: Prepared,
    loader: Loader,
    listeners: Sequence[Listener],
    start: Position,
    is_done: Callable[[], bool] = lambda: False,
) -> tuple[FitResult, str | None]:
    """Trains until the end, or until a signal to any process of the group asks all to end.

    `is_done` says that nothing gets better any more, which ends it too.

    Returns:
        How it ended, and the name of the signal; None where there was none.
    """
    if prepared.fitted:
        listeners[-1].on_epoch_end(_end_of_fitted())  # that which judges and saves
        return FitResult(start, reached=FITTED), None
    with stop_on_signals(prepared.give_up_waiting) as request:
        result = fit(
            prepared.learner,
            loader,
            prepared.plan,
            listeners=listeners,
            start=start,
            stop=lambda: request.signal or (_EARLY if is_done() else ""),
        )
    asked = result.reached not in ("epochs", "max_steps", _EARLY)
    return result, result.reached if asked else None


def _end_together(error: ToolkitError, model: nn.Layer, act: Callable[[], None]) -> None:
    """Does something about a failure, where no process goes on that would wait for this one."""
    if isinstance(error, GateError) or process_count() == 1:
        with whole_tables(model):
            act()
        meet()


def _keep_plan(config: Config) -> KeepPlan:
    train = config.Train
    return KeepPlan(
        train.eval_interval,
        train.save_interval,
        train.save_steps,
        train.keep_last,
        export_numbered=config.SelfSup is not None,
    )


def _export_what_there_is(keeper: CheckpointKeeper) -> None:
    """Exports what a failed run has saved; the failure is the news, not what comes of this."""
    try:
        keeper.export()
    except ToolkitError as error:
        _LOG.warning("What was saved is not exported: %s", error)


def _headline(config: Config, prepared: Prepared, loader: Loader) -> str:
    """Says what is about to happen; train.log may hold several runs, and this begins each."""
    if prepared.fitted:
        return f"Fitted the adapter of {config.Global.model}: {prepared.about}."
    size = str(config.Train.batch_size)
    if process_count() > 1:
        size = f"{process_count()} x {size}, one share a process,"
    return (
        f"Training {config.Global.model}: {prepared.about}, {len(loader)} batches of "
        f"{size} an epoch, {prepared.plan.epochs} epochs, seed {prepared.plan.seed}."
    )


def _end_of_fitted() -> EpochRecord:
    """What is saved and judged where nothing is trained; it is no epoch that could be gone on."""
    return EpochRecord(0, Position(), complete=False, last=True, mean_loss=0.0, images=0)


def _best_weights(output: Path) -> Path:
    stem = output / BEST / BEST
    averaged = stem.with_suffix(".pdema")
    return averaged if averaged.is_file() else stem.with_suffix(".pdparams")


def _discard(_: object) -> None:
    """The report of an export inside a checkpoint says nothing that the files do not."""

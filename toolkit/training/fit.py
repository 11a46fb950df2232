"""The training loop, in acts: get ready, read, learn, report, and close the epoch.

Two runs that stand at the same position with the same state do the same from there on, bit for bit
on a CPU: the order of the data follows from (seed, epoch), and Paddle's own generator, which
dropout draws from, is seeded anew for every batch from (seed, epoch, batch).

Of several processes each runs this loop on its share of every batch. The loss is the sum over the
processes of theirs, each weighted by its share of the images, and so is the gradient: what one
process would have made of the whole batch. After every update all hold the same weights.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from toolkit.distributed.group import told_by_all
from toolkit.errors import DatasetError, PicturesGoneError
from toolkit.training.gradients import find_gradients, take_step
from toolkit.training.joint_batches import Group, agreed
from toolkit.training.learner import (
    EpochRecord,
    FitResult,
    Learner,
    Listener,
    Loader,
    Position,
    StepRecord,
)

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPlan:
    """How long to train.

    Attributes:
        epochs: passes over the data.
        seed: of all randomness in a step.
        max_steps: updates after which the run ends whatever the epoch; None for no such limit.
        accumulate_steps: batches whose gradients make one update. The update is that of one big
            batch when the loss is a mean over images and nothing normalises over a batch.
        log_interval: updates between two log lines.
    """

    epochs: int
    seed: int = 0
    max_steps: int | None = None
    accumulate_steps: int = 1
    log_interval: int = 10

    def steps_per_epoch(self, loader: Loader) -> int:
        """Returns the updates of an epoch; the last one may be of fewer batches."""
        return math.ceil(len(loader) / self.accumulate_steps)

    def total_steps(self, loader: Loader) -> int:
        """Returns the updates of the whole run, not cut by `max_steps`."""
        return self.epochs * self.steps_per_epoch(loader)


def fit(
    learner: Learner,
    loader: Loader,
    plan: TrainingPlan,
    *,
    listeners: Sequence[Listener] = (),
    start: Position | None = None,
    stop: Callable[[], str] = lambda: "",
) -> FitResult:
    """Trains from `start` to the end of the plan, or to where it is stopped.

    Args:
        learner: what is trained; changed in place.
        loader: where batches come from.
        plan: how long.
        listeners: told of every step and epoch, in order: the log first, then what saves.
        start: where a checkpoint stood; None for the beginning.
        stop: asked before every update why to end there, without closing the epoch; "" goes on.

    Raises:
        DivergedError: the loss is no longer a finite number; the weights are those before the step.
        DatasetError: not one image of a whole epoch could be read.
        PicturesGoneError: all images are gone; the listeners are told first, so nothing is lost.
    """
    # Act 1: get ready.
    _check_start(start or Position(), loader, plan)
    run = _Run(learner, loader, plan, listeners, start or Position())
    run.stop = stop
    try:
        while not run.ended():
            run.epoch()
    except PicturesGoneError:
        run.tell_of_stop()
        raise
    result = run.result
    if result.reached not in ("epochs", "max_steps"):
        run.tell_of_stop()
    result.position = run.position
    result.seconds = time.monotonic() - run.started
    return result


class _Run:
    """The state of one call of `fit`."""

    def __init__(
        self,
        learner: Learner,
        loader: Loader,
        plan: TrainingPlan,
        listeners: Sequence[Listener],
        start: Position,
    ) -> None:
        self.learner, self.loader, self.plan, self.listeners = learner, loader, plan, listeners
        self.position = start
        self.result = FitResult(start, reached="epochs")
        self.started = time.monotonic()
        self.steps_at_start = start.step
        self.failures_seen: set[str] = set()
        self.stop: Callable[[], str] = lambda: ""

    def ended(self) -> bool:
        """Says, and notes, whether the run ends where it stands, and why."""
        if self.position.epoch > self.plan.epochs:
            self.result.reached = "epochs"
        else:
            self.result.reached = "max_steps" if self.out_of_steps else told_by_all(self.stop())
        return bool(self.result.reached)

    def tell_of_stop(self) -> None:
        """Tells the listeners that the run ends here, in the middle of an epoch or between two."""
        for listener in self.listeners:
            listener.on_stop(self.position)

    @property
    def out_of_steps(self) -> bool:
        return self.plan.max_steps is not None and self.position.step >= self.plan.max_steps

    def epoch(self) -> None:
        """Trains one epoch, or what is left of it."""
        epoch, whole = self.position.epoch, self.position.batch == 0
        self.learner.before_epoch(epoch)
        self.learner.model.train()
        self.learner.loss.train()
        losses, images, failed = list[float](), 0, 0
        batches, exhausted = self.loader.epoch(epoch, self.position.batch), False
        while not self.out_of_steps:
            # Act 2: read the batches of one update.
            began = time.monotonic()
            group = list(islice(batches, self.plan.accumulate_steps))
            reader_seconds = time.monotonic() - began
            joint = agreed(group, self.stop())
            if joint.stop:  # what was read now is read again by the run that goes on
                return
            if not group:
                exhausted = True
                break
            # Act 3: learn, and report.
            record = self.update(joint, began, reader_seconds)
            images += record.images
            failed += len(record.failures)
            losses += [] if record.loss is None else [record.loss]
        # Act 4: close the epoch.
        complete = exhausted or self.position.batch >= len(self.loader)
        if complete and whole and failed and not images:
            raise DatasetError(
                f"Not one image of epoch {epoch} could be read ({failed} failures). The first: "
                f"{self.result.failures[0]}. Run check_dataset to see all of them."
            )
        if losses and not any(losses):
            _LOGGER.warning(
                "The loss was 0 in every step of epoch %d: there was nothing to learn from. Losses "
                "on pairs need several pictures of a class in a batch (Data.sampler: PKSampler).",
                epoch,
            )
        self.close(epoch, float(np.mean(losses)) if losses else math.nan, images, complete=complete)

    def update(self, joint: Group, began: float, reader_seconds: float) -> StepRecord:
        """Makes one update from a few batches and tells the listeners."""
        learner, before = self.learner, self.position
        rate = learner.schedule(before.step)
        learner.optimizer.set_learning_rate(rate)
        learner.optimizer.set_progress(before.step / self.plan.total_steps(self.loader))
        loss, parts = None, dict[str, float]()
        if joint.images:
            learner.before_step(before.step)
            loss, parts = find_gradients(learner, joint, before, self.plan.seed)
            take_step(learner)
        self.position = Position(before.epoch, before.batch + joint.length, before.step + 1)
        record = StepRecord(
            self.position,
            before.epoch,
            rate,
            loss,
            parts,
            joint.images,
            joint.failures,
            time.monotonic() - began,
            reader_seconds,
        )
        self.count(record)
        for listener in self.listeners:
            listener.on_step(record)
        return record

    def count(self, record: StepRecord) -> None:
        """Keeps the totals, names each failure once, and writes a log line now and then."""
        self.result.images += record.images
        self.result.failure_count += len(record.failures)
        self.result.step_seconds += record.seconds
        self.result.waiting_seconds += record.reader_seconds
        for failure in record.failures:
            if failure not in self.failures_seen:
                self.failures_seen.add(failure)
                self.result.failures.append(failure)
                _LOGGER.warning("Image skipped: %s", failure)
        steps = record.position.step
        if steps % self.plan.log_interval == 0 or steps - self.steps_at_start == 1:
            self.log(record)

    def log(self, record: StepRecord) -> None:
        """Writes one line: where, how well, how fast, how long still."""
        total = self.plan.total_steps(self.loader)
        if self.plan.max_steps is not None:
            total = min(total, self.plan.max_steps)
        done = record.position.step - self.steps_at_start
        left = (total - record.position.step) * (time.monotonic() - self.started) / done
        _LOGGER.info(
            "epoch %d/%d step %d/%d lr %.3g loss %s %.1f images/s, %.0f%% waiting for data, ETA %s",
            record.epoch,
            self.plan.epochs,
            record.position.step,
            total,
            record.learning_rate,
            "-" if record.loss is None else f"{record.loss:.4f}",
            record.images / max(record.seconds, 1e-9),
            100 * record.reader_seconds / max(record.seconds, 1e-9),
            time.strftime("%H:%M:%S", time.gmtime(max(left, 0))),
        )

    def close(self, epoch: int, mean_loss: float, images: int, *, complete: bool) -> None:
        """Moves to the next epoch if this one is done, and tells the listeners."""
        if complete:
            self.position = Position(epoch + 1, 0, self.position.step)
        last = self.position.epoch > self.plan.epochs or self.out_of_steps
        record = EpochRecord(epoch, self.position, complete, last, mean_loss, images)
        for listener in self.listeners:
            listener.on_epoch_end(record)


def _check_start(start: Position, loader: Loader, plan: TrainingPlan) -> None:
    if len(loader) == 0:
        raise DatasetError(
            "The training data gives no batch at all: fewer images than one batch. Lower "
            "Train.batch_size."
        )
    if start.batch > len(loader):
        raise DatasetError(
            f"The checkpoint stands after batch {start.batch} of epoch {start.epoch}, and an epoch "
            f"of the data now has {len(loader)} batches. Resume with the list and batch size that "
            f"the run began with."
        )
    if start.epoch > plan.epochs:
        _LOGGER.warning(
            "Nothing is left to train: the checkpoint stands behind epoch %d of %d.",
            *(start.epoch - 1, plan.epochs),
        )
    done = math.ceil(start.batch / plan.accumulate_steps)
    expected = (start.epoch - 1) * plan.steps_per_epoch(loader) + done
    if start.step != expected:
        _LOGGER.warning(
            "The checkpoint has made %d steps where this configuration would have made %d: the "
            "list, the batch size or Train.accumulate_steps is another one, and so are the order "
            "of the data and the learning rate from here on.",
            *(start.step, expected),
        )

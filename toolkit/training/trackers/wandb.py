"""Weights & Biases: a run of a project, sent while it goes on or kept for ``wandb sync``."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from toolkit.errors import import_optional
from toolkit.training.trackers.tracker import TrackedRun


class WandB:
    """A run of Weights & Biases with the configuration and all scalars.

    A run that goes on goes on there too: under the same id, from the step after the last that the
    service has.

    Args:
        run: what is tracked.
        project: of the service.
        entity: user or team; null is the account's own.
        name: of the run; null is the model's.
        mode: ``offline`` sends nothing, and keeps all in the folder ``wandb`` of the output; null
            is what the service's own settings (``WANDB_MODE``) say.
    """

    package: ClassVar[str] = "wandb"
    replays: ClassVar[bool] = False

    def __init__(
        self,
        run: TrackedRun,
        project: str = "image-retrieval",
        entity: str | None = None,
        name: str | None = None,
        mode: Literal["online", "offline"] | None = None,
    ) -> None:
        module = import_optional("wandb", purpose="The tracker wandb")
        earlier = run.earlier_id("wandb")
        self._run = module.init(
            project=project,
            entity=entity,
            name=name or run.name,
            mode=mode,
            dir=str(run.folder),
            config=dict(run.settings),
            id=earlier,
            resume=None if earlier is None else "allow",
            # Our own log is on the console and in train.log.
            settings=module.Settings(console="off", silent=True),
        )
        run.keep_id("wandb", self._run.id)
        self._first_step = int(self._run.step)

    def write(self, step: int, values: Mapping[str, float], at: float) -> None:  # noqa: ARG002
        """Sends scalars; the service takes the time itself."""
        if step >= self._first_step:
            self._run.log(dict(values), step=step)

    def close(self, *, finished: bool) -> None:
        """Waits until everything is sent, and marks the run as finished or failed."""
        self._run.finish(exit_code=0 if finished else 1)

"""MLflow: a run of an experiment, on a server or in a local database."""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from toolkit.errors import import_optional
from toolkit.training.trackers.tracker import TrackedRun

# A request takes up to 1,000 numbers; one an update would wait for the server every time.
_AT_ONCE = 500
_SECONDS = 10.0
_LONGEST_SETTING = 6000
_SETTINGS_AT_ONCE = 100


class MLflow:
    """A run of MLflow with the configuration and all scalars.

    A run that goes on goes on there too, from the step after the last that the server has.

    Args:
        run: what is tracked.
        uri: of the server, or of a database such as ``sqlite:///mlflow.db``; null is what MLflow's
            own settings (``MLFLOW_TRACKING_URI``) say.
        experiment: that the run belongs to; made if it is not there.
        name: of the run; null is the model's.
    """

    package: ClassVar[str] = "mlflow"
    replays: ClassVar[bool] = False

    def __init__(
        self,
        run: TrackedRun,
        uri: str | None = None,
        experiment: str = "image-retrieval",
        name: str | None = None,
    ) -> None:
        module = import_optional("mlflow", purpose="The tracker mlflow")
        self._entities = module.entities
        self._client = module.MlflowClient(tracking_uri=uri)
        self._waiting: list[Any] = []
        self._sent_at = time.monotonic()
        earlier = run.earlier_id("mlflow")
        self._goes_on = earlier is not None
        self._last_steps: dict[str, int] = {}
        if earlier is not None:
            self._id = earlier
            self._client.update_run(earlier, status="RUNNING")
            return
        made = self._client.create_run(self._experiment(experiment), run_name=name or run.name)
        self._id = str(made.info.run_id)
        run.keep_id("mlflow", self._id)
        self._send_settings(run.settings)

    def write(self, step: int, values: Mapping[str, float], at: float) -> None:
        """Keeps numbers, and sends them a few hundred at a time or after some seconds."""
        for tag, value in values.items():
            if step > self._last_step(tag):
                self._waiting.append(self._entities.Metric(tag, value, round(at * 1000), step))
        if len(self._waiting) >= _AT_ONCE or time.monotonic() - self._sent_at > _SECONDS:
            self._send()

    def close(self, *, finished: bool) -> None:
        """Sends the rest, and marks the run as finished or failed."""
        self._send()
        self._client.set_terminated(self._id, status="FINISHED" if finished else "FAILED")

    def _last_step(self, tag: str) -> int:
        """The last update that the server has a number of, from before the run went on."""
        if not self._goes_on:
            return 0
        if tag not in self._last_steps:
            history = self._client.get_metric_history(self._id, tag)
            self._last_steps[tag] = max((metric.step for metric in history), default=0)
        return self._last_steps[tag]

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        made = self._client.create_experiment(name) if found is None else found.experiment_id
        return str(made)

    def _send_settings(self, settings: Mapping[str, Any]) -> None:
        entries = [
            self._entities.Param(key, str(value)[:_LONGEST_SETTING])
            for key, value in settings.items()
        ]
        for start in range(0, len(entries), _SETTINGS_AT_ONCE):
            self._client.log_batch(self._id, params=entries[start : start + _SETTINGS_AT_ONCE])

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._sent_at = time.monotonic()
        if waiting:
            self._client.log_batch(self._id, metrics=waiting)

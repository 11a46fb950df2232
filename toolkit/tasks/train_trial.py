"""Mode train, asked for a learning rate or a batch size: a few steps, and nothing is changed."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.prepared import Prepared
from toolkit.config.schema import Config
from toolkit.distributed.group import process_count
from toolkit.errors import ConfigError, DatasetError
from toolkit.reports.curves import draw_rate_curve
from toolkit.runtime import resolve_device
from toolkit.training.batch_memory import (
    BatchSuggestion,
    GpuMemory,
    HostMemory,
    suggest_batch_size,
)
from toolkit.training.learner import Loader, Position
from toolkit.training.rate_finder import RateCurve, find_learning_rate

_LOG = logging.getLogger(__name__)
CURVE = "learning_rate.png"
_MIB = 2**20


@dataclass(frozen=True)
class TrialReport:
    """What a few steps told.

    Attributes:
        output: folder of the picture.
        rates: of the range test; None when it was not asked for.
        batch: likewise, the batch size.
    """

    output: Path
    rates: RateCurve | None
    batch: BatchSuggestion | None

    @property
    def passed(self) -> bool:
        """A trial that ended has passed."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns the suggestions and what they stand on."""
        content: dict[str, Any] = {"trained": False}
        if self.rates is not None:
            content["learning_rate"] = {
                "suggestion": self.rates.suggestion,
                "rates": self.rates.rates,
                "losses": self.rates.losses,
                "curve": CURVE,
            }
        if self.batch is not None:
            content["batch_size"] = {
                "suggestion": self.batch.batch_size,
                "bytes_a_picture": round(self.batch.bytes_a_picture),
                "free_bytes": self.batch.free,
                "peak_bytes": {str(size): peak for size, peak in self.batch.measured.items()},
            }
        return content

    def summary(self) -> str:
        """Returns the suggestions as what may be typed."""
        lines = ["Nothing was trained."]
        if self.rates is not None:
            lines.append(
                f"Learning rate: Train.learning_rate={self.rates.suggestion:.2g}, where the loss "
                f"falls fastest ({len(self.rates.rates)} steps).\n  {self.output / CURVE}"
            )
        if self.batch is not None:
            lines.append(
                f"Batch size: up to Train.batch_size={self.batch.batch_size}; a picture takes "
                f"{self.batch.bytes_a_picture / _MIB:.2f} MiB in a step, and "
                f"{self.batch.free / _MIB:.0f} MiB are free."
            )
        return "\n".join(lines)


def run_trial(config: Config, prepared: Prepared) -> TrialReport:
    """Measures what a configuration asks for; the network and the folder's run stay as they are.

    Raises:
        ToolkitError: it cannot be measured.
    """
    if process_count() > 1:
        raise ConfigError(
            "Train.find_learning_rate and Train.suggest_batch_size are for one process: set "
            "Train.num_processes to 1 and Global.device to one device."
        )
    output, seed = Path(config.Global.output), config.Global.seed
    loader, _ = prepared.feed(Position())
    rates = batch = None
    if config.Train.suggest_batch_size:
        batch = _batch(config, prepared, loader)
    if config.Train.find_learning_rate:
        rates = find_learning_rate(prepared.learner, loader, seed)
        draw_rate_curve(rates.rates, rates.losses, rates.smoothed, rates.suggestion, output / CURVE)
    return TrialReport(output, rates, batch)


def _batch(config: Config, prepared: Prepared, loader: Loader) -> BatchSuggestion:
    device = resolve_device(config.Global.device)
    first = next((batch for batch in loader.epoch(1, 0) if len(batch[1])), None)
    if first is None:
        raise DatasetError("No training picture can be read; run check_dataset.")
    prepared.learner.before_epoch(1)
    return suggest_batch_size(
        prepared.learner,
        first,
        GpuMemory() if device.kind == "gpu" else HostMemory(),
        multiple=config.Data.sampler.options.get("sample_per_id", 1),
        largest=len(loader) * config.Train.batch_size,
        seed=config.Global.seed,
    )

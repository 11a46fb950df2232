"""What a training run left, for people and as PaddleX's train_result.json."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.build.recipe.finding import RecipeFinding
from toolkit.evaluation.before_after import BeforeAfter
from toolkit.reports.run_rows import FILE_NAME
from toolkit.tasks.class_recalls import ClassRecalls
from toolkit.training.keeper import LATEST, KeepResult, Saved
from toolkit.training.learner import FitResult

FITTED = "fitted"
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
    interrupted_by: str | None = None
    adapter: BeforeAfter | None = None
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
            "stopped_by": "interrupted" if self.interrupted_by else self.fit.reached,
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
            **({} if self.adapter is None else {"adapter": self.adapter.to_json()}),
        }

    def summary(self) -> str:
        """Returns how long it took, how good it became, and where everything is."""
        if self.interrupted_by is not None:
            return (
                f"Interrupted by {self.interrupted_by} after step {self.fit.position.step}; "
                f"{self.output / LATEST} is saved. Go on with Train.resume_path=auto."
            )
        lines = [self._how_long()]
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
        lines += [] if self.adapter is None else self.adapter.summary_lines()
        lines += [] if self.classes is None else self.classes.summary_lines()
        named = ["best_model", "latest", FILE_NAME, "train.log", *self.curves]
        return "\n".join([*lines, *(f"  {self.output / name}" for name in named)])

    def _how_long(self) -> str:
        if self.fit.reached == FITTED:
            return f"Fitted an adapter behind {self.model_name}; nothing was trained."
        rate = self.fit.images / max(self.fit.seconds, 1e-9)
        return (
            f"Trained {self.model_name} for {self.fit.position.step} steps in "
            f"{self.fit.seconds:.0f} s ({rate:.1f} images/s, evaluation included), "
            f"{100 * self.fit.waiting_share:.1f}% of the steps' time waiting for data; "
            f"the end was reached by {self.fit.reached}."
        )


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

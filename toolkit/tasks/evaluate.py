"""Mode evaluate: how well pictures find others of their class, with pictures of how and why."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.build.embedding import build_embedder, build_export_embedder
from toolkit.build.evaluation import build_trial
from toolkit.build.fetching import fetch_options
from toolkit.build.kernels import install_kernels
from toolkit.build.lists import dataset_name
from toolkit.build.model import build_network, checkpoint_weights, load_trained
from toolkit.cards.inference_weights import PARAMETER_FILE
from toolkit.config.schema import Config
from toolkit.distributed.group import is_first
from toolkit.evaluation.floors import FLOORS
from toolkit.evaluation.open_set import Threshold, table_csv, table_lines, thresholds
from toolkit.evaluation.report import write_evaluation_report
from toolkit.evaluation.together import embedded_together
from toolkit.evaluation.trial import Embed, RetrievalTrial, TrialOutcome, described_by
from toolkit.fingerprint import fingerprint_file
from toolkit.runtime import Device, seed_framework, use_device
from toolkit.storage import write_text
from toolkit.tasks.report import HelperReport

_FOLDER, _THRESHOLDS = "evaluate", "thresholds.csv"


@dataclass(frozen=True)
class EvaluateReport:
    """The outcome of an evaluation.

    Attributes:
        weights: the file that was evaluated.
        outcome: its numbers.
        baselines: metrics of what was measured beside it.
        page: the HTML report.
        thresholds: for "no match", by the rate of false matches.
    """

    weights: Path
    outcome: TrialOutcome
    baselines: dict[str, dict[str, float]]
    page: Path
    thresholds: list[Threshold]

    @property
    def passed(self) -> bool:
        """Numbers are neither right nor wrong."""
        return True

    def to_json(self) -> dict[str, Any]:
        """Returns PaddleX's metrics and all others."""
        return {
            **self.outcome.result.summary(),
            "baselines": self.baselines,
            "unreadable": self.outcome.failures,
            "weights": str(self.weights),
            "fingerprint": fingerprint_file(self.weights),
            "report": f"{_FOLDER}/{self.page.name}",
            "thresholds": [asdict(one) for one in self.thresholds],
        }

    def summary(self) -> str:
        """Returns the numbers with their intervals, the baselines, and where the page is."""
        result = self.outcome.result
        lines = [
            f"Evaluated {self.weights}: {result.num_queries} queries against "
            f"{result.num_gallery} gallery pictures."
        ]
        for name, value in result.metrics.items():
            low, high = result.intervals.get(name, (value, value))
            interval = f"   95% interval {low:.4f} to {high:.4f}" if result.intervals else ""
            lines.append(f"  {name:16}{value:8.4f}{interval}")
        for name, metrics in self.baselines.items():
            lines.append(
                f"  {name}: recall1 {metrics['recall1']:.4f}, recall5 {metrics['recall5']:.4f}, "
                f"mAP {metrics['mAP']:.4f}"
            )
        if result.unmatched:
            lines.append(f"Queries without a match in the gallery: {len(result.unmatched)}.")
        if self.outcome.failures:
            lines.append(f"Not measured, for they could not be read: {len(self.outcome.failures)}.")
            lines += [f"  {failure}" for failure in self.outcome.failures[:10]]
        if self.thresholds:
            lines += table_lines(self.thresholds)
            lines.append(f"thresholds {self.page.with_name(_THRESHOLDS)}")
        return "\n".join([*lines, f"report    {self.page}"])


def run(config: Config) -> EvaluateReport | HelperReport:
    """Evaluates a checkpoint or an inference model on the lists gallery and query.

    In a group of processes each embeds a part, and the first one measures and writes.

    Raises:
        WeightsError: the checkpoint cannot be read, or is of another network.
        DatasetError: the lists are not there, or nothing can be measured.
    """
    output = Path(config.Global.output)
    test = build_trial(config)
    weights = checkpoint_weights(
        config.Evaluate.weight_path,
        output,
        fetch_options(config),
        averaged=config.Evaluate.averaged,
    )
    device = use_device(config.Global.device)
    baselines: dict[str, dict[str, float]] = {
        name: _baseline(name, config, test, device) for name in config.Evaluate.baselines
    }
    outcome = _outcome(config, test, _embed(config, weights, device))
    if outcome is None:
        return HelperReport()
    page = write_evaluation_report(
        output / _FOLDER,
        outcome.result,
        outcome.query_paths,
        outcome.gallery_paths,
        title=f"{config.Global.model} on {dataset_name(config)}",
        facts=_facts(config, weights, outcome),
        floors=baselines,
    )
    found = thresholds(outcome.query, outcome.gallery)
    write_text(output / _FOLDER / _THRESHOLDS, table_csv(found))
    return EvaluateReport(weights, outcome, baselines, page, found)


def _embed(config: Config, weights: Path, device: Device) -> Embed:
    """The features of a checkpoint, or of an inference model, which runs as it is."""
    if weights.suffix == Path(PARAMETER_FILE).suffix:
        return build_export_embedder(config, weights.parent)
    model = build_network(config, num_classes=None)
    load_trained(model, weights)
    install_kernels(model, config.Train.kernels, device)
    return build_embedder(config, model)


def _outcome(
    config: Config, test: RetrievalTrial, embed: Embed, *, bootstrap: bool = True
) -> TrialOutcome | None:
    """Measures in the first process, with what all have embedded; None in the others."""
    embedded = test.embedded(embedded_together(embed, config.Evaluate.batch_size))
    return test.outcome(embedded, bootstrap=bootstrap) if is_first() else None


def _facts(config: Config, weights: Path, outcome: TrialOutcome) -> dict[str, str]:
    """What the page says was evaluated, and what could not be."""
    facts = {"model": config.Global.model, "weights": str(weights)}
    if outcome.failures:
        facts["not measured"] = f"{len(outcome.failures)}: " + "; ".join(outcome.failures)
    return facts


def _baseline(name: str, config: Config, test: RetrievalTrial, device: Device) -> dict[str, float]:
    """Metrics of what needs no training: a floor, or the network as it was before."""
    if name != "untrained":
        embed = described_by(FLOORS[name])
    else:
        seed_framework(config.Global.seed)
        untrained = build_network(config, num_classes=None)
        install_kernels(untrained, config.Train.kernels, device)
        embed = build_embedder(config, untrained)
    outcome = _outcome(config, test, embed, bootstrap=False)
    return {} if outcome is None else outcome.result.metrics

"""Output folders of runs as train and evaluate leave them, drawn for the tests of compare."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.config.yaml_core import dump
from toolkit.storage import write_json, write_text

# (path below the dataset, label, rank of the first match, average precision)
Query = tuple[str, str, int, float]
COLUMNS = (
    "query,label,relevant,first_match_rank,average_precision,nearest,nearest_label,nearest_score\n"
)


def write_evaluated(
    folder: Path, queries: Sequence[Query], *, root: str = "data", relevant: int = 3
) -> Path:
    """Writes what evaluate leaves; a query whose rank is 0 has no match."""
    rows = []
    for path, label, rank, precision in queries:
        found = label if rank == 1 else "other"
        match = f"{relevant},{rank},{precision}" if rank else "0,,"
        rows.append(f"{root}/{path},{label},{match},{root}/g/{found}.png,{found},0.5\n")
    write_text(folder / "evaluate" / "queries.csv", COLUMNS + "".join(rows))
    matched = [(rank == 1, precision) for _, _, rank, precision in queries if rank]
    recall = sum(right for right, _ in matched) / len(matched)
    metrics = {"recall1": recall, "mAP": sum(p for _, p in matched) / len(matched)}
    result = {
        "done_flag": True,
        "metrics": metrics,
        "intervals": {"recall1": [recall - 0.1, recall + 0.1]},
        "queries": len(queries),
        "gallery": 5,
        "weights": str(folder / "best_model/best_model.pdparams"),
        "fingerprint": "0123456789abcdef",
    }
    write_json(folder / "evaluate_result.json", result)
    return folder


def write_config(folder: Path, *, root: str = "data", **sections: Mapping[str, Any]) -> Path:
    """Writes config.yaml, as far as a comparison reads it."""
    document = {"Global": {"model": "Tiny_rec", "dataset_dir": root, "output": str(folder)}}
    write_text(folder / "config.yaml", dump({**document, **sections}))
    return folder


def write_trained(folder: Path, *, metrics: Mapping[str, float] | None = None) -> Path:
    """Writes what train leaves."""
    write_json(
        folder / "train_result.json",
        {
            "done_flag": True,
            "best_metrics": dict(metrics or {}),
            "models": {"best": {"epoch": 2}},
            "steps": 4,
            "images": 32,
            "seconds": 75.0,
            "skipped_count": 0,
        },
    )
    rows = "".join(
        f'{{"kind": "step", "epoch": 1, "step": {step}, "loss": {2 - step / 4}, "losses": {{}}, '
        f'"learning_rate": 0.1, "images_per_second": 8.0}}\n'
        for step in range(1, 5)
    )
    evaluations = "".join(
        f'{{"kind": "evaluation", "epoch": {epoch}, "step": {2 * epoch}, '
        f'"metrics": {{"recall1": {epoch / 4}}}}}\n'
        for epoch in (1, 2)
    )
    write_text(folder / "metrics.jsonl", rows + evaluations)
    return folder

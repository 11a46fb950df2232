"""Only checked data is trained on: the lists that training is about to read, checked first."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from toolkit.audit.dataset import not_there
from toolkit.build.lists import dataset_name, list_files, lists_without_labels
from toolkit.config.schema import Config
from toolkit.data.split import SPLITS
from toolkit.errors import CheckFailedError, DatasetError
from toolkit.storage import write_text
from toolkit.tasks.check_dataset import diagnose

FINDINGS_FILE = "check_dataset/findings.jsonl"

_LOG = logging.getLogger(__name__)
_NAMED = 20


def require_checked_data(config: Config) -> None:
    """Refuses lists that do not pass; pictures that were checked before are not read again.

    Raises:
        CheckFailedError: they do not pass; findings.jsonl has every finding.
        DatasetError: a list is not there.
    """
    _check_lists(config)
    if config.Train.skip_check:
        _LOG.warning("Train.skip_check is true: the lists are used unchecked.")
        return
    splits: Sequence[str] = SPLITS if config.Train.eval_during_train else SPLITS[:1]
    if config.SelfSup is not None:
        splits = lists_without_labels(config)
        if "train" not in splits:
            _LOG.info("Packed pictures were checked when they were packed; bad ones are skipped.")
    diagnosis = diagnose(config, splits)
    if diagnosis.passed(config.CheckDataset.fail_on):
        return
    file = Path(config.Global.output) / FINDINGS_FILE
    rows = [json.dumps(finding.row(), ensure_ascii=False) for finding in diagnosis.findings]
    write_text(file, "".join(f"{row}\n" for row in rows))
    counts = diagnosis.counts["code"]
    first = [f"  {finding.code}: {finding.message}" for finding in diagnosis.findings[:_NAMED]]
    if len(rows) > _NAMED:
        first.append(f"  ... and {len(rows) - _NAMED} more")
    raise CheckFailedError(
        f"The dataset {dataset_name(config)} does not pass its check: "
        + ", ".join(f"{number} {code}" for code, number in counts.items())
        + ".\n"
        + "\n".join(first)
        + f"\nAll of them are in {file}. Run Global.mode=check_dataset for a report and for "
        "repaired lists, or set Train.skip_check=true to train all the same."
    )


def _check_lists(config: Config) -> None:
    """Says how to do without the lists that only the evaluation during training needs."""
    if not config.Train.eval_during_train or config.SelfSup is not None:
        return
    files = {split: entry.file for split, entry in list_files(config, SPLITS).items()}
    missing = [files[name] for name in ("gallery", "query") if not files[name].is_file()]
    if missing and files["train"].is_file():
        raise DatasetError(
            f"{not_there(missing)}, which the evaluation during training needs. "
            "Make them (CheckDataset.split divides the rows of one list into three), or set "
            "Train.eval_during_train=false: best_model is then the last epoch."
        )

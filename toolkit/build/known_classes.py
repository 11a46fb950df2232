"""Which classes a checkpoint that is to learn more of them knows already."""

from pathlib import Path

from toolkit.config.schema import Config
from toolkit.errors import ConfigError, WeightsError
from toolkit.storage import read_json
from toolkit.training.checkpoint import find_checkpoint

LABELS_FILE = "label_order.json"


def known_classes(config: Config) -> list[str]:
    """Returns the labels of the class head of Train.extend_from, in the order of its outputs.

    Returns:
        None of them where nothing is extended.

    Raises:
        ConfigError: the checkpoint is in the folder that the run writes to.
        WeightsError: there is no such checkpoint, or its output folder has no list of labels.
    """
    checkpoint = config.Train.extend_from
    if checkpoint is None:
        return []
    output = find_checkpoint(checkpoint).absolute().parent.parent
    if output == Path(config.Global.output).absolute():
        raise ConfigError(
            f"Train.extend_from is {checkpoint}, in the folder that this run writes to; give "
            "another Global.output, so that both runs stay."
        )
    file = output / LABELS_FILE
    if not file.is_file():
        raise WeightsError(
            f"Train.extend_from is {checkpoint}, and {file} is not there: it says which class each "
            "output is of. Give a checkpoint in the output folder of its run."
        )
    labels = read_json(file)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise WeightsError(f"{file} is no list of labels; expected what training wrote there.")
    return labels

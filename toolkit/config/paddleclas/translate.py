"""From a document of PaddleClas to one of ours, section by section."""

from collections.abc import Sequence
from typing import Any

from toolkit.config.paddleclas.arch import translate_arch
from toolkit.config.paddleclas.data import translate_data
from toolkit.config.paddleclas.loss import translate_loss
from toolkit.config.paddleclas.metric import translate_metric
from toolkit.config.paddleclas.optimizer import translate_optimizer
from toolkit.config.paddleclas.run_sections import translate_run
from toolkit.config.paddleclas.translation import Translation
from toolkit.config.recipe_sections import MetricSection
from toolkit.config.run_sections import GlobalSection
from toolkit.config.yaml_core import Document
from toolkit.errors import nearest

_OURS = ("CheckDataset", "Train", "Evaluate", "Export", "Predict", "Data")
_THEIRS = ("Arch", "Loss", "Optimizer", "DataLoader", "AMP", "EMA", "Infer", "Slim")
_SHARED = ("Global", "Metric")
_OWN_KEYS = {"Global": GlobalSection.model_fields, "Metric": MetricSection.model_fields}


def is_paddleclas(data: Any) -> bool:
    """True for a file of PaddleClas: it has DataLoader or Arch.name, and no Global.model."""
    if not isinstance(data, dict):
        return False
    run, arch = data.get("Global"), data.get("Arch")
    ours = isinstance(run, dict) and "model" in run
    return not ours and ("DataLoader" in data or (isinstance(arch, dict) and "name" in arch))


def sort_overrides(overrides: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Divides overrides by whose spelling they have.

    Returns:
        Those for PaddleClas's file, those for its translation, and what is wrong with the rest.
    """
    theirs, ours, problems = [], [], []
    for override in overrides:
        section, _, key = override.partition("=")[0].strip().partition(".")
        first = key.partition(".")[0]
        if section in _OURS or first in _OWN_KEYS.get(section, ()):
            ours.append(override)
        elif section in _THEIRS or section in _SHARED:
            theirs.append(override)
        else:
            known = (*_SHARED, *_THEIRS, *_OURS)
            problems.append(
                f"-o {override}: unknown section {section!r}.{nearest(section, known)} Known: "
                f"{', '.join(known)}."
            )
    return theirs, ours, problems


def translate(document: Document, *, mode: str, output: str | None) -> Document:
    """Returns our document for one of PaddleClas.

    Args:
        document: PaddleClas's, its overrides applied.
        mode: Global.mode.
        output: Global.output where an override says it.

    Returns:
        Our document; what is not supported is among its problems, and its notes say what was left
        out and what is not quite the same.
    """
    translation = Translation(document, mode, output)
    translation.result.problems += document.problems
    root = translation.root()
    translate_data(translation, root)
    translate_run(translation, root)
    translate_arch(translation, root)
    translate_loss(translation, root)
    translate_optimizer(translation, root)
    translate_metric(translation, root)
    root.drop("Infer", "said by Predict")
    root.only("Slim", (None,), "empty", "quantisation and pruning are not supported.")
    root.finish([*_THEIRS, *_SHARED])
    notes = list(dict.fromkeys(translation.notes))
    if translation.dropped:
        said = [f"{', '.join(keys)}: {reason}" for reason, keys in translation.dropped.items()]
        notes.append(f"Left out of PaddleClas's file, for it changes nothing: {'; '.join(said)}.")
    translation.result.notes = notes
    return translation.result

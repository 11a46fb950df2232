"""From `Train.extend_from` to a run that learns more classes than a checkpoint knows."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.build.data import TrainingData, read_split
from toolkit.build.embedding import build_embedder
from toolkit.build.known_classes import known_classes
from toolkit.config.schema import Config
from toolkit.data.manifest import Manifest
from toolkit.errors import DatasetError
from toolkit.evaluation.trial import Embed, Measures, RetrievalTrial
from toolkit.models.recognizer import Recognizer
from toolkit.training.class_rows import ClassRows, load_extended
from toolkit.training.learner import Learner

_LOG = logging.getLogger(__name__)
_PICTURES_A_CLASS = 32
Recalls = dict[str, float | None]


@dataclass(frozen=True)
class ExtendedClasses:
    """What a run that learns more classes is judged by.

    Attributes:
        rows: which classes are known.
        trials: ``old`` and ``new`` -> how the pictures of these classes are looked up; those of
            which there are no pictures are left out.
    """

    rows: ClassRows
    trials: Mapping[str, RetrievalTrial]

    def measure(self, embed: Embed) -> Recalls:
        """Returns recall@1 of old and of new classes; None where no picture could be looked up."""
        found: Recalls = {"old": None, "new": None}
        for group, trial in self.trials.items():
            try:
                metrics = trial.run(embed, bootstrap=False).result.metrics
            except DatasetError as error:
                _LOG.warning("recall@1 of %s classes is not measured: %s", group, error)
                continue
            found[group] = metrics["recall1"]
        return found


def extended_classes(config: Config, data: TrainingData) -> ExtendedClasses | None:
    """Returns what is known of the classes; None where nothing is extended.

    Raises:
        WeightsError: the checkpoint's labels are not there.
    """
    if config.Train.extend_from is None:
        return None
    known = known_classes(config)
    turns = data.num_outputs // len(data.classes)
    rows = ClassRows(known, data.classes, turns)
    if not rows.new_labels:
        _LOG.warning("Train.extend_from: the list has no class that the checkpoint does not know.")
    return ExtendedClasses(rows, _trials(config, rows))


def extend(config: Config, learner: Learner, model: Recognizer, known: ExtendedClasses) -> None:
    """Takes a checkpoint of fewer classes over into a run that is about to begin.

    Raises:
        WeightsError: it differs in more than its classes.
    """
    checkpoint = config.Train.extend_from
    if checkpoint is None:
        return
    embed = build_embedder(config, model)
    load_extended(Path(checkpoint), learner, known.rows, lambda: _means(config, known.rows, embed))
    _LOG.info(
        "%d classes of %s stay, %d are new: %s.",
        *(len(known.rows.known), checkpoint, len(known.rows.new_labels)),
        ", ".join(known.rows.new_labels[:10]) or "none",
    )


def _means(config: Config, rows: ClassRows, embed: Embed) -> dict[str, NDArray[np.float32]]:
    """Returns the mean embedding of the pictures of each new class, of those that can be read."""
    manifest = _some(read_split(config, "train"), rows.new_labels)
    labels = manifest.labels
    if not labels:
        return {}
    embedded = embed([manifest.resolve(sample) for sample in manifest.samples])
    found = np.array([labels[row] for row in embedded.rows])
    means = {label: embedded.vectors[found == label] for label in rows.new_labels}
    empty = [label for label, vectors in means.items() if not len(vectors)]
    if empty:
        _LOG.warning("No picture of %s can be read: random rows.", ", ".join(empty))
    return {label: vectors.mean(axis=0) for label, vectors in means.items() if len(vectors)}


def _trials(config: Config, rows: ClassRows) -> dict[str, RetrievalTrial]:
    """Looks old and new classes up where there are pictures: in the gallery, else among training's.

    Among the training pictures each is looked up in the others.
    """
    groups = {"old": rows.known, "new": rows.new_labels}
    train = _some(read_split(config, "train"), rows.labels)
    query = gallery = None
    if config.Train.eval_during_train:
        query, gallery = read_split(config, "query"), read_split(config, "gallery")
    trials = {}
    for name, labels in groups.items():
        looked_up = None if query is None else _some(query, labels, most=None)
        if looked_up is not None and gallery is not None and looked_up.samples:
            trials[name] = RetrievalTrial(looked_up, gallery, Measures(seed=config.Global.seed))
            continue
        looked_up = _some(train, labels)
        if looked_up.samples:
            trials[name] = RetrievalTrial(looked_up, train, Measures(seed=config.Global.seed))
    return trials


def _some(
    manifest: Manifest, labels: Iterable[str], most: int | None = _PICTURES_A_CLASS
) -> Manifest:
    """Returns a list of the first pictures of some classes."""
    left: dict[str, Any] = dict.fromkeys(labels, float("inf") if most is None else most)
    samples = []
    for sample in manifest.samples:
        if left.get(sample.label, 0) > 0:
            left[sample.label] -= 1
            samples.append(sample)
    return replace(manifest, samples=samples, problems=[])


def recall_measure(
    config: Config, learner: Learner, model: Recognizer, known: ExtendedClasses
) -> Callable[[], Recalls]:
    """Returns how recall@1 of old and new classes is measured, of the network as it stands."""
    embed = build_embedder(config, model)

    def measure() -> Recalls:
        with learner.best_weights():
            return known.measure(embed)

    return measure

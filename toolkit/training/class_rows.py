"""A trained class head for more classes: rows of known classes stay, with all that belongs to them.

A class may have several outputs (turned classes) and an output several columns (sub-centres). Which
axis of an array has the classes is told by its length, the one that differs.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paddle import nn

from toolkit.cards.weights import read_state, read_weights
from toolkit.errors import WeightsError
from toolkit.training.checkpoint import find_checkpoint, verified_states
from toolkit.training.learner import Learner, state_arrays
from toolkit.training.weight_loading import apply_weights

Array = NDArray[Any]
_LOG = logging.getLogger(__name__)
_SPARE = (
    "it was trained with a larger Train.num_classes, or with Data.rotate_classes set otherwise, so "
    "its rows cannot be told apart. Start with Train.pretrain_weight_path instead."
)


@dataclass(frozen=True)
class ClassRows:
    """Which outputs of a head were outputs of an earlier one.

    Args:
        known: labels of the earlier head, in the order of its outputs.
        labels: labels of this one.
        turns: outputs a label.
    """

    known: list[str]
    labels: list[str]
    turns: int = 1

    @property
    def new_labels(self) -> list[str]:
        """The labels that the earlier head had not."""
        known = set(self.known)
        return [label for label in self.labels if label not in known]

    def outputs_of(self, label: str) -> list[int]:
        """Returns the outputs of a label."""
        first = self.labels.index(label) * self.turns
        return list(range(first, first + self.turns))

    def carried(self, old: Array, fresh: Array, name: str) -> Array:
        """Returns an array for these classes: known ones from `old`, new ones from `fresh`.

        Args:
            old: of the earlier head.
            fresh: of this one.
            name: for the message.

        Raises:
            WeightsError: they differ in more than the number of classes.
        """
        if old.shape == fresh.shape:
            return old
        sizes = list(zip(old.shape, fresh.shape, strict=False))
        differing = [axis for axis, (before, now) in enumerate(sizes) if before != now]
        outputs = len(self.labels) * self.turns
        if old.ndim != fresh.ndim or len(differing) != 1 or fresh.shape[differing[0]] % outputs:
            raise WeightsError(
                f"{name} is {list(old.shape)} in the checkpoint and {list(fresh.shape)} here, "
                "which is more than other classes. Train.extend_from takes one of the same Arch "
                "and Loss."
            )
        axis = differing[0]
        width = fresh.shape[axis] // outputs
        result = np.moveaxis(fresh.copy(), axis, 0)
        source = np.moveaxis(old, axis, 0)
        if len(source) != len(self.known) * self.turns * width:
            raise WeightsError(
                f"{name} has {len(source) // width} outputs in the checkpoint, whose list names "
                f"{len(self.known) * self.turns}: {_SPARE}"
            )
        at = {label: number for number, label in enumerate(self.labels)}
        size = self.turns * width
        for number, label in enumerate(self.known):
            here = at[label] * size
            result[here : here + size] = source[number * size : (number + 1) * size]
        return np.ascontiguousarray(np.moveaxis(result, 0, axis))


def load_extended(
    path: Path, learner: Learner, rows: ClassRows, means: Callable[[], Mapping[str, Array]]
) -> None:
    """Takes everything that training changes from a checkpoint of fewer classes.

    The position is not taken: a run that learns more classes begins at its first step. The rows of
    new classes begin in the head at the mean of their embeddings, in the loss as initialised, and
    in the optimizer with nothing remembered.

    Args:
        path: a checkpoint's folder or file.
        learner: built for the classes of `rows`; changed in place.
        rows: which classes are known.
        means: gives, with the weights of the checkpoint, the mean of the unit embeddings of each
            new class's pictures: label -> float32 [d].

    Raises:
        WeightsError: it is not whole, or differs in more than its classes.
    """
    file = find_checkpoint(path)
    states = verified_states(file)
    weights = read_weights(file)
    _require_other_size(weights, state_arrays(learner.model), rows)
    for layer, arrays in ((learner.model, weights), (learner.loss, states["loss"])):
        apply_weights(layer, _carried(arrays, state_arrays(layer), rows), may_differ=())
    _load_optimizer(learner, read_state(file.with_suffix(".pdopt")), rows)
    if learner.model.head is not None:
        _imprint(learner.model.head, rows, means())
    if learner.average is not None:
        now, num_updates = state_arrays(learner.model), 0
        if states["average"] is not None:
            now = _carried(read_weights(file.with_suffix(".pdema")), now, rows)
            num_updates = states["average"]["num_updates"]
        learner.average.load(now, num_updates)


def _carried(
    old: Mapping[str, Array], fresh: Mapping[str, Array], rows: ClassRows
) -> dict[str, Array]:
    """Names that only one side has stay as they are on it, for whoever loads them to refuse."""
    return {
        name: rows.carried(array, fresh[name], name) if name in fresh else array
        for name, array in old.items()
    }


def _require_other_size(
    weights: Mapping[str, Array], fresh: Mapping[str, Array], rows: ClassRows
) -> None:
    """Refuses a head that had spare rows: which class each is of cannot be told by their number."""
    heads = [name for name in fresh if name.startswith("head.") and name in weights]
    if (
        heads
        and rows.new_labels
        and all(weights[name].shape == fresh[name].shape for name in heads)
    ):
        raise WeightsError(
            f"The checkpoint's class head has {len(rows.labels) * rows.turns} outputs already, for "
            f"{len(rows.known) * rows.turns} that its list names: {_SPARE}"
        )


def _load_optimizer(learner: Learner, state: dict[Any, Any], rows: ClassRows) -> None:
    fresh = learner.optimizer.state()
    if state.get("rule") != fresh["rule"]:
        _LOG.warning(
            "The checkpoint was trained with %s and this run uses %s: the optimizer begins anew.",
            *(state.get("rule"), fresh["rule"]),
        )
        return
    carried = {
        kind: _carried(state["accumulators"][kind], arrays, rows)
        for kind, arrays in fresh["accumulators"].items()
    }
    learner.optimizer.load_state({**state, "accumulators": carried})


def _imprint(head: nn.Layer, rows: ClassRows, means: Mapping[str, Array]) -> None:
    """Sets the rows of new classes.

    A row gets the direction of the mean and the usual length of a known row; a bias gets the mean
    of the known ones. Of several sub-centres the first is set. A class without a mean stays as it
    was initialised.

    Source: Qi et al., Low-Shot Learning with Imprinted Weights, 2018, section 3.2.
    """
    outputs = len(rows.labels) * rows.turns
    for tensor in head.state_dict().values():
        array = tensor.numpy().copy()
        if array.shape[-1] % outputs:
            continue
        width = array.shape[-1] // outputs
        old = [number * width for label in rows.known for number in rows.outputs_of(label)]
        known = array[..., old]
        for label, mean in means.items():
            value: Any = known.mean()
            if array.ndim > 1:
                length = np.linalg.norm(known, axis=0).mean()
                value = (mean / max(float(np.linalg.norm(mean)), 1e-12) * length)[:, np.newaxis]
            array[..., [number * width for number in rows.outputs_of(label)]] = value
        tensor.set_value(array)

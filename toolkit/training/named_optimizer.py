"""An optimizer whose state is keyed by structured names.

Paddle names the state of an optimizer by the global names of the parameters (`conv2d_0.w_0`), which
change with the order in which networks are built in a process. Here the state is a plain mapping
accumulator -> structured name -> array, so a checkpoint fits any process.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import paddle
from paddle import Tensor, nn

from toolkit.errors import WeightsError
from toolkit.models.heads.class_table import ClassTable

Kind = Literal["weight", "bias", "norm", "embedding"]
_NORM_LAYERS = (
    *(nn.BatchNorm, nn.BatchNorm1D, nn.BatchNorm2D, nn.BatchNorm3D, nn.SyncBatchNorm),
    *(nn.InstanceNorm1D, nn.InstanceNorm2D, nn.InstanceNorm3D, nn.LayerNorm, nn.GroupNorm),
)
_EMBEDDINGS = ("cls_token", "pos_embed", "relative_position_bias_table")
_FORMAT_VERSION = 1


@dataclass(frozen=True)
class NamedParameter:
    """A trainable parameter and what an optimizer has to know of it.

    Attributes:
        name: structured name, such as ``backbone.conv1.weight``.
        parameter: the tensor that is trained.
        kind: ``norm`` for scale and shift of a normalisation layer, ``bias`` for any other bias,
            ``embedding`` for class tokens and position embeddings, ``weight`` for the rest.
        table: where the parameter is the chosen rows of a table: the table.
    """

    name: str
    parameter: Tensor
    kind: Kind = "weight"
    table: ClassTable | None = None

    @property
    def of_this_process(self) -> bool:
        """Whether other processes have other values: its gradient is whole as it is."""
        return self.table is not None and self.table.sharded


def named_parameters(layer: nn.Layer, prefix: str = "") -> list[NamedParameter]:
    """Lists the trainable parameters of a network or loss, each once.

    Args:
        layer: what is trained.
        prefix: put before every name, such as ``loss.``.
    """
    seen: set[int] = set()
    found = []
    for path, part in layer.named_sublayers(prefix=prefix.rstrip("."), include_self=True):
        for name, parameter in part.named_parameters(include_sublayers=False):
            if id(parameter) in seen or parameter.stop_gradient:
                continue
            seen.add(id(parameter))
            full = f"{path}.{name}" if path else name
            found.append(NamedParameter(full, parameter, _kind(part, name)))
        if isinstance(part, ClassTable):
            found.append(NamedParameter(f"{path}.rows", part.active, table=part))
    return found


def scale_learning_rates(
    parameters: Sequence[NamedParameter], factors: Mapping[str, float]
) -> None:
    """Gives parts of a network a learning rate of their own, as a share of that of the run.

    Args:
        parameters: what is trained; changed in place, before an optimizer is made of it.
        factors: beginning of names -> factor; where several fit the longest counts. It comes on
            top of the factor that a layer brings itself.

    Raises:
        ValueError: no parameter's name begins so.
    """
    names = [item.name for item in parameters]
    for prefix in factors:
        if not any(name.startswith(prefix) for name in names):
            known = sorted({name.split(".")[0] + "." for name in names})
            raise ValueError(
                f"lr_factors: no parameter begins with {prefix!r}; there are {', '.join(known)} "
                f"and longer beginnings, such as {names[0]!r}."
            )
    for item in parameters:
        fitting = [prefix for prefix in factors if item.name.startswith(prefix)]
        if fitting:
            own = item.parameter.optimize_attr
            rate = own["learning_rate"] * factors[max(fitting, key=len)]
            item.parameter.optimize_attr = {**own, "learning_rate": rate}


class NamedOptimizer:
    """An optimizer over named parameters; the update rules are made of it.

    Args:
        rule: Paddle's optimizer, over the parameters in the same order.
        parameters: what it trains.
        start: the values its accumulators start from: accumulator -> number.
    """

    def __init__(
        self,
        rule: paddle.optimizer.Optimizer,
        parameters: list[NamedParameter],
        start: Mapping[str, float],
    ) -> None:
        self._rule, self._parameters, self._start = rule, parameters, dict(start)
        self._create_accumulators()

    @property
    def parameters(self) -> list[NamedParameter]:
        """What is trained."""
        return list(self._parameters)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self._rule.get_lr())

    def set_learning_rate(self, rate: float) -> None:
        """Sets the rate of the next steps."""
        self._rule.set_lr(rate)

    def set_progress(self, done: float) -> None:
        """Is told before every step which share of the run is done, from 0 to below 1."""

    def step(self) -> None:
        """Updates the parameters from their gradients."""
        of_rows = self._of_rows()
        for table, tensors in of_rows:
            for kind, tensor in tensors.items():
                table.recall(kind, tensor)
        self._rule.step()
        for table, tensors in of_rows:
            table.take_back(tensors)

    def clear_gradients(self) -> None:
        """Forgets the gradients."""
        self._rule.clear_grad()

    def state(self) -> dict[str, Any]:
        """Returns all that the optimizer remembers, as plain containers and numpy arrays."""
        accumulators: dict[str, dict[str, Any]] = {kind: {} for kind in self._start}
        for kind, name, tensor in self._accumulators():
            accumulators[kind][name] = tensor.numpy()
        return {
            "format_version": _FORMAT_VERSION,
            "rule": type(self).__name__,
            "accumulators": accumulators,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Puts back what `state` returned, in this process or another.

        Raises:
            WeightsError: it is the state of another rule, or of other parameters.
        """
        if state.get("format_version") != _FORMAT_VERSION or "accumulators" not in state:
            raise WeightsError(
                "The optimizer state was not written by this toolkit (a .pdopt of PaddleClas is "
                "keyed by names that no other process has). Start from the weights with "
                "Train.pretrain_weight_path instead of Train.resume_path."
            )
        if state["rule"] != type(self).__name__:
            raise WeightsError(
                f"The optimizer state belongs to {state['rule']}; this run uses "
                f"{type(self).__name__}. Resume with the optimizer that the run began with."
            )
        given = {
            (kind, name): array
            for kind, entries in state["accumulators"].items()
            for name, array in entries.items()
        }
        wanted = {(kind, name): tensor for kind, name, tensor in self._accumulators()}
        _compare(given, wanted)
        for key, tensor in wanted.items():
            tensor.set_value(given[key])

    def _create_accumulators(self) -> None:
        # Paddle makes them in the first step. A step of rate 0 on gradients of 0 changes no
        # parameter; what it leaves in the accumulators is then set to the start.
        rate = self.learning_rate
        self._rule.set_lr(0.0)
        for item in self._parameters:
            item.parameter.grad = paddle.zeros_like(item.parameter)
        self._rule.step()
        self._rule.clear_grad(set_to_zero=False)
        self._rule.set_lr(rate)
        for table, tensors in self._of_rows():
            for kind in tensors:
                table.remember(kind, self._start[kind])
        for kind, _, tensor in self._accumulators():
            tensor.fill_(self._start[kind])

    def _accumulators(self) -> Iterator[tuple[str, str, Tensor]]:
        """Yields (accumulator, structured name, tensor); Paddle's key is <global>_<kind>_<n>."""
        tensors = self._own_tensors()
        for kind in self._start:
            for item in self._parameters:
                memory = {} if item.table is None else item.table.memory
                own = tensors[f"{item.parameter.name}_{kind}"]
                yield kind, item.name, memory.get(kind, own)

    def _of_rows(self) -> list[tuple[ClassTable, dict[str, Tensor]]]:
        """Returns each table with what the rule remembers of every chosen row, by accumulator."""
        tensors, found = self._own_tensors(), []
        for item in self._parameters:
            if item.table is not None:
                own = {kind: tensors[f"{item.parameter.name}_{kind}"] for kind in self._start}
                shape = item.parameter.shape
                rows = {kind: tensor for kind, tensor in own.items() if tensor.shape == shape}
                found.append((item.table, rows))
        return found

    def _own_tensors(self) -> dict[str, Tensor]:
        """Returns the rule's tensors by <global name>_<accumulator>."""
        return {key.rpartition("_")[0]: tensor for key, tensor in self._rule.state_dict().items()}


def _kind(part: nn.Layer, name: str) -> Kind:
    if isinstance(part, _NORM_LAYERS):
        return "norm"
    if name in _EMBEDDINGS:
        return "embedding"
    return "bias" if name == "bias" else "weight"


def _compare(
    given: Mapping[tuple[str, str], Any], wanted: Mapping[tuple[str, str], Tensor]
) -> None:
    missing = [" of ".join(key) for key in wanted if key not in given]
    unexpected = [" of ".join(key) for key in given if key not in wanted]
    mismatched = [
        f"{' of '.join(key)} ({list(np.shape(given[key]))}, needed {list(tensor.shape)})"
        for key, tensor in wanted.items()
        if key in given and list(np.shape(given[key])) != list(tensor.shape)
    ]
    problems = [
        f"{title}: {', '.join(names[:5])}{f' and {len(names) - 5} more' * (len(names) > 5)}"
        for title, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", mismatched),
        )
        if names
    ]
    if problems:
        raise WeightsError(
            f"The optimizer state does not fit the network: {'; '.join(problems)}. Resume with the "
            f"configuration that the run began with."
        )

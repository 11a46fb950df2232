"""Putting weights into a network: strictly, and with a report of what did not fit."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from paddle import nn

from toolkit.errors import WeightsError, nearest

_LOGGER = logging.getLogger(__name__)
_SHOWN = 5
_HEAD = "head."


@dataclass(frozen=True)
class LoadReport:
    """What became of each name.

    Attributes:
        loaded: names that are now as in the file.
        missing: names of the network that the file has not.
        unexpected: names of the file that the network has not.
        mismatched: name -> (shape in the file, shape in the network).
        ignored: names of the file that were left out on purpose: those that were asked to be, and
            the rest of a part that does not fit as a whole.
    """

    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def apply_weights(
    model: nn.Layer,
    weights: Mapping[str, np.ndarray[Any, Any]],
    *,
    may_differ: tuple[str, ...] = (_HEAD,),
    ignored: tuple[str, ...] = (),
) -> LoadReport:
    """Sets the parameters and buffers of a network; nothing is changed when they do not fit.

    Args:
        model: the network.
        weights: structured name -> array. Other float types are converted; bfloat16 bit patterns
            (uint16) are widened.
        may_differ: prefixes of names that may be missing, unexpected or of another shape and are
            then left as they are, all names of that prefix together: a class head for other
            classes. What was left and why is logged.
        ignored: prefixes of names of the file that are not looked at.

    Raises:
        WeightsError: anything else differs; the message names what.
    """
    state = model.state_dict()
    report = LoadReport()
    for name, array in weights.items():
        if name.startswith(ignored):
            report.ignored.append(name)
        elif name not in state:
            report.unexpected.append(name)
        elif tuple(array.shape) != tuple(state[name].shape):
            report.mismatched[name] = (tuple(array.shape), tuple(state[name].shape))
        else:
            report.loaded.append(name)
    report.missing.extend(name for name in state if name not in weights)
    _refuse(report, may_differ)
    _leave_whole_parts(report, may_differ)
    for name in report.loaded:
        state[name].set_value(_converted(weights[name], str(state[name].numpy().dtype)))
    left = [n for n in (*report.missing, *report.mismatched) if not n.startswith(_HEAD)]
    if left:
        _LOGGER.warning("Not in the weights and left as initialised: %s.", _names(left))
    if _HEAD in may_differ and any(name.startswith(_HEAD) for name in state):
        _tell_of_head(model, weights, report)
    return report


def _leave_whole_parts(report: LoadReport, may_differ: tuple[str, ...]) -> None:
    """Half a head of other classes is worse than none: a part is loaded whole or not at all."""
    for prefix in may_differ:
        if any(name.startswith(prefix) for name in (*report.missing, *report.mismatched)):
            part = [name for name in report.loaded if name.startswith(prefix)]
            report.loaded[:] = [name for name in report.loaded if name not in part]
            report.ignored.extend(part)


def _tell_of_head(
    model: nn.Layer, weights: Mapping[str, np.ndarray[Any, Any]], report: LoadReport
) -> None:
    """Says plainly what became of the class head, which is trained for its classes alone."""
    if any(name.startswith(_HEAD) for name in report.loaded):
        _LOGGER.info(
            "The class head is taken from the weights as well, which is right only for the same "
            "classes in the same order."
        )
    elif not any(name.startswith(_HEAD) for name in weights):
        _LOGGER.warning("The class head was left as initialised: the weights have none.")
    else:
        reason = _other_classes(model, report) or "that of the weights is of another kind"
        _LOGGER.warning("The class head was left as initialised: %s.", reason)


def _other_classes(model: nn.Layer, report: LoadReport) -> str:
    """Returns for how many classes each of two heads is; nothing if more than that differs."""
    for name, (given, needed) in report.mismatched.items():
        axes = [axis for axis in range(len(needed)) if given[axis : axis + 1] != (needed[axis],)]
        if not name.startswith(_HEAD) or len(given) != len(needed) or len(axes) != 1:
            continue
        columns, wanted = given[axes[0]], needed[axes[0]]
        # A sub-centre head has several columns a class.
        num_classes = int(getattr(getattr(model, "head", None), "num_classes", wanted))
        return (
            f"the weights are for {columns * num_classes // wanted} classes, this network for "
            f"{num_classes} ({name} is {list(given)} in the file and {list(needed)} here)"
        )
    return ""


def _converted(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    if array.dtype == np.uint16 and dtype.startswith("float"):
        # bfloat16 is the upper half of float32.
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype, copy=False)


def _refuse(report: LoadReport, may_differ: tuple[str, ...]) -> None:
    missing = [name for name in report.missing if not name.startswith(may_differ)]
    unexpected = [name for name in report.unexpected if not name.startswith(may_differ)]
    mismatched = [
        f"{name} (file {list(given)}, network {list(needed)})"
        for name, (given, needed) in report.mismatched.items()
        if not name.startswith(may_differ)
    ]
    problems = [
        f"{len(names)} {title}: {_names(names)}"
        for title, names in (
            ("missing in the file", missing),
            ("unknown to the network", unexpected),
            ("of another shape", mismatched),
        )
        if names
    ]
    if not problems:
        return
    hint = nearest(missing[0], unexpected) if missing and unexpected else ""
    raise WeightsError(
        f"The weights do not fit the network ({len(report.loaded)} names do): "
        f"{'; '.join(problems)}.{hint} Use the configuration that the weights were trained with, "
        f"or other weights."
    )


def _names(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")

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


@dataclass(frozen=True)
class LoadReport:
    """What became of each name.

    Attributes:
        loaded: names that are now as in the file.
        missing: names of the network that the file has not.
        unexpected: names of the file that the network has not.
        mismatched: name -> (shape in the file, shape in the network).
        ignored: names of the file that were left out on purpose.
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
    may_differ: tuple[str, ...] = ("head.",),
    ignored: tuple[str, ...] = (),
) -> LoadReport:
    """Sets the parameters and buffers of a network; nothing is changed when they do not fit.

    Args:
        model: the network.
        weights: structured name -> array. Other float types are converted; bfloat16 bit patterns
            (uint16) are widened.
        may_differ: prefixes of names that may be missing, unexpected or of another shape and are
            then left as they are: a class head for other classes.
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
    for name in report.loaded:
        state[name].set_value(_converted(weights[name], str(state[name].numpy().dtype)))
    for names, reason in (
        (report.missing, "Not in the weights"),
        (list(report.mismatched), "Of another shape in the weights"),
    ):
        if names:
            _LOGGER.warning("%s and left as initialised: %s.", reason, _names(names))
    return report


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

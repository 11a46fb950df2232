"""The exports of EasyCV's self-supervised training (`epoch_N_export.pt`), in our names.

Such a file is {state_dict, meta: {config: JSON}, author}; `state_dict` has the backbone under
``backbone.``, perhaps a neck as ``neck_0.``, and a class head that was never trained. The backbone
is a ResNet with torchvision's names, or a ViT with timm's.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.cards.torch_files import read_torch
from toolkit.errors import WeightsError

_LOG = logging.getLogger(__name__)
_BACKBONE = "backbone."
_BLOCK = re.compile(r"layer(\d)\.(\d+)\.(.+)")
_IN_BLOCK = {
    **{f"conv{n}": f"conv{n - 1}.conv" for n in (1, 2, 3)},
    **{f"bn{n}": f"conv{n - 1}.bn" for n in (1, 2, 3)},
    "downsample.0": "short.conv",
    "downsample.1": "short.bn",
}
_STEM = {"conv1": "stem.0.conv", "bn1": "stem.0.bn"}
_STATISTICS = {"running_mean": "_mean", "running_var": "_variance"}
# Linear layers are the transpose of Paddle's.
_LINEAR = re.compile(r"blocks\.\d+\.(attn\.(qkv|proj)|mlp\.fc[12])\.weight")


def read_easycv(file: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Reads the backbone of an export, by the names that our backbones have.

    Returns:
        Structured name -> array, without the prefix of the backbone; neck and head are left out,
        which the log says.

    Raises:
        WeightsError: it cannot be read, or is no such export.
    """
    content = read_torch(file)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise WeightsError(
            f"{file} has no state_dict; expected an epoch_N_export.pt of EasyCV. Save other "
            "weights as .safetensors with the names of our backbone."
        )
    own = {
        name.removeprefix(_BACKBONE): value
        for name, value in state.items()
        if isinstance(name, str) and name.startswith(_BACKBONE) and isinstance(value, np.ndarray)
    }
    if not own:
        raise WeightsError(f"{file} has no weights under {_BACKBONE!r}; it is no export of EasyCV.")
    others = sorted({str(name).split(".")[0] for name in state if not name.startswith(_BACKBONE)})
    if others:
        _LOG.info("%s: only the backbone is taken; left out: %s.", file, ", ".join(others))
    return _vit(own) if "cls_token" in own else _resnet(own, file)


def _vit(weights: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    return {
        name: np.array(value.T if _LINEAR.fullmatch(name) else value)
        for name, value in weights.items()
        if not name.startswith(("head.", "fc."))
    }


def _resnet(
    weights: Mapping[str, np.ndarray[Any, Any]], file: Path
) -> dict[str, np.ndarray[Any, Any]]:
    """Numbers the blocks through: layer2.0 is the block behind the last one of layer1."""
    places = [(int(m[1]), int(m[2])) for name in weights if (m := _BLOCK.fullmatch(name))]
    order = {place: number for number, place in enumerate(sorted(set(places)))}
    renamed = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        if kind == "num_batches_tracked" or layer == "fc":
            continue
        block = _BLOCK.fullmatch(layer)
        inner = _IN_BLOCK.get(block[3]) if block else _STEM.get(layer)
        if inner is None:
            raise WeightsError(
                f"{file}: {_BACKBONE}{name} is of no network that is known here (ResNet of "
                "torchvision, ViT of timm)."
            )
        place = f"blocks.{order[int(block[1]), int(block[2])]}." if block else ""
        renamed[f"{place}{inner}.{_STATISTICS.get(kind, kind)}"] = np.array(value)
    return renamed

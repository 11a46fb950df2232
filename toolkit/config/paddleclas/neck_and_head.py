"""`Arch.Neck` and `Arch.Head`: the embedding and the class logits, and how both start."""

from collections.abc import Collection, Mapping
from typing import Any

from toolkit.config.paddleclas.parts import move_options
from toolkit.config.paddleclas.translation import Source
from toolkit.config.yaml_core import Path
from toolkit.registry import HEADS, NECKS

# So low that nothing moves: how PaddleClas's files freeze a bias.
_FROZEN = 1e-20
_XAVIER = {"name": "XavierNormal"}
_ZERO = {"name": "Constant", "value": 0.0}
_ONE = {"name": "Constant", "value": 1.0}
_NECK_OPTIONS = {"class_num": "embedding_size", "out_channels": "embedding_size"}
# PaddleClas's defaults where ours differ.
_HEAD_DEFAULTS: dict[str, dict[str, Any]] = {"ArcMargin": {"margin": 0.5, "scale": 80.0}}


def translate_neck(section: Source, width: int | None, network: Path) -> int | None:
    """Moves the neck; returns the length of the embedding where that is known."""
    neck, target = section.section("Neck"), (*network, "Neck")
    if not neck.unread():
        return width
    name = neck.word("name")
    neck.translation.put((*target, "name"), name, neck.at("name"))
    before = "the backbone's feature"
    for key in ("num_features", "in_channels"):
        neck.derived(key, width, before)
    neck.derived("embedding_size", width, before)
    size = neck.peek("class_num", neck.peek("out_channels", width))
    if name == "BNNeck":
        _frozen_bias(neck, target)
    else:
        _attribute(neck, "weight_attr", _XAVIER)
        _attribute(neck, "bias_attr", _ZERO)
    for key, usual in {
        "kernel_size": 1,
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
    }.items():
        neck.only(key, (usual,), "as it is here", f"this neck has {key} {usual}.")
    if isinstance(name, str):
        move_options(neck, NECKS, name, target, renamed=_NECK_OPTIONS)
    return size if isinstance(size, int) else None


def _frozen_bias(neck: Source, target: Path) -> None:
    _attribute(neck, "weight_attr", _ONE)
    rate = _attribute(neck, "bias_attr", _ZERO, rates=(_FROZEN,))
    neck.translation.put((*target, "freeze_bias"), rate == _FROZEN, neck.at("bias_attr"))


def translate_head(section: Source, width: int | None, network: Path, *, is_student: bool) -> None:
    """Moves the head; the number of classes goes to Train, once."""
    head, target = section.section("Head"), (*network, "Head")
    if not head.unread():
        return
    name = head.word("name")
    head.translation.put((*target, "name"), name, head.at("name"))
    head.derived("embedding_size", width, "the embedding")
    if is_student:
        head.move("class_num", ("Train", "num_classes"))
    else:
        said = head.translation.result.data.get("Train", {}).get("num_classes")
        head.derived("class_num", said, "the Student's head")
    if name == "FC":
        _linear_start(head, target)
    else:
        _attribute(head, "weight_attr", _XAVIER)
    if isinstance(name, str):
        move_options(head, HEADS, name, target, defaults=_HEAD_DEFAULTS.get(name))


def _linear_start(head: Source, target: Path) -> None:
    weight = head.peek("weight_attr")
    initializer = weight.get("initializer") if isinstance(weight, dict) else None
    if isinstance(initializer, dict) and initializer.get("name") == "Normal":
        origin = head.at("weight_attr")
        std = initializer.get("std", 1.0)
        head.translation.put((*target, "initializer"), "normal", origin)
        head.translation.put((*target, "std"), std, origin)
        _attribute(head, "weight_attr", {"name": "Normal", "mean": 0.0, "std": std})
    else:
        _attribute(head, "weight_attr", _XAVIER)
    if head.peek("bias_attr") is False:
        head.move("bias_attr", (*target, "bias"))
    else:
        _attribute(head, "bias_attr", _ZERO)


def _attribute(
    source: Source, key: str, usual: Mapping[str, Any], rates: Collection[float] = ()
) -> float:
    """Reads what a parameter starts from and how fast it learns, where the same is done here.

    Args:
        source: the neck or head.
        key: weight_attr or bias_attr.
        usual: the one initializer that is known, complete.
        rates: factors of the learning rate that are known, beside 1.

    Returns:
        The factor of the learning rate.
    """
    value = source.take(key)
    if value is None:
        return 1.0
    if not isinstance(value, dict) or not set(value) <= {"initializer", "learning_rate"}:
        source.refuse(key, f"{value!r} is not supported; give initializer and learning_rate.")
        return 1.0
    initializer, rate = value.get("initializer"), value.get("learning_rate", 1.0)
    known = initializer is None or (
        isinstance(initializer, dict)
        and initializer.get("name") == usual["name"]
        and {**usual, **initializer} == usual
    )
    if not known:
        source.refuse(key, f"the initializer {initializer!r} is not supported; here it is {usual}.")
    if rate not in (1.0, *rates):
        source.refuse(key, f"learning_rate {rate!r} is not supported for a single parameter.")
        return 1.0
    return float(rate)

"""`transform_ops`: from PaddleClas's steps to ours, where they do the same.

Steps that do nearly the same are translated as well, and a note says what the difference is.
"""

import re
from collections.abc import Callable
from typing import Any

from toolkit.config.paddleclas.translation import Source, Translation
from toolkit.config.yaml_core import Path

_QUOTIENT = re.compile(r"\s*([0-9.eE+-]+)\s*/\s*([0-9.eE+-]+)\s*")
_AUTO_AUGMENT = re.compile(r"rand-m(\d+(?:\.\d+)?)(?:-n(\d+))?(?:-mstd[0-9.]+)?(?:-inc[01])?")
_OPENCV = (
    ("cv2", None),
    "as it is here",
    "pictures are resized by OpenCV, and Pillow computes other pixels; give cv2.",
)
_ALWAYS = 2  # PaddleClas's own default of ColorJitter's probability
_ARRAYS = "pictures are arrays between all steps"
_CROP_NOTE = (
    "RandCropImage draws the aspect ratio of the part evenly on a logarithmic scale and tries ten "
    "times to place it; PaddleClas draws it evenly, and cuts the area to what fits."
)
_AUGMENT_NOTE = (
    "TimmAutoAugment becomes RandAugment with the same number of operations, strength and "
    "probability; its list of operations lacks invert and solarize_add, and its strength does not "
    "vary (mstd)."
)


class _Steps:
    """The list of transforms that is being written.

    Attributes:
        border: a Pad that waits for the window that is cut out of it.
        scaled: a ToTensor that waits for its Normalize.
    """

    def __init__(self, translation: Translation, target: Path) -> None:
        self.translation, self._target = translation, target
        self._count = 0
        self.scaled: Source | None = None
        self.border: Source | None = None

    def add(self, name: str, source: Source) -> Path:
        """Begins a step; returns where its options go."""
        place = (*self._target, self._count, name)
        self._count += 1
        self.translation.put(place, {}, source.path)
        return place


def translate_transforms(translation: Translation, dataset: Source, target: Path) -> None:
    """Moves the steps of one dataset.

    Args:
        translation: where they go.
        dataset: the mapping that has transform_ops.
        target: the list of transforms in our document.
    """
    steps = _Steps(translation, target)
    last = dataset
    for name, source in dataset.keyed("transform_ops"):
        last = source
        step = _STEPS.get(name)
        if step is None:
            translation.refuse(
                source.path, f"is not supported. Known steps: {', '.join(sorted(_STEPS))}."
            )
            source.give_up()
            continue
        _finish_pair(steps, name)
        step(steps, source)
        if source is not steps.border:
            source.finish()
    _finish_pair(steps, "")
    # PaddleClas's datasets do this themselves.
    steps.add("ToCHWImage", last)


def _finish_pair(steps: _Steps, following: str) -> None:
    """Refuses the first half of a pair that something else comes behind."""
    if steps.border is not None and following != "RandCropImageV2":
        steps.translation.refuse(
            steps.border.path, "is supported only right before RandCropImageV2."
        )
        steps.border.give_up()
        steps.border = None
    if steps.scaled is not None and following != "Normalize":
        steps.translation.refuse(steps.scaled.path, "is supported only right before Normalize.")
        steps.scaled = None


def _decode(steps: _Steps, source: Source) -> None:
    source.only("to_rgb", (True,), "as it is here", "pictures are RGB.")
    source.only("channel_first", (False,), "as it is here", "channels come first at the end.")
    source.only("to_np", (False, True), _ARRAYS, _ARRAYS)
    source.only("backend", ("cv2",), "as it is here", "OpenCV decodes.")
    steps.translation.drop(source.path, "pictures are decoded anyway")


def _resize(steps: _Steps, source: Source) -> None:
    place = steps.add("ResizeImage", source)
    if source.peek("resize_short"):
        source.drop("size", "resize_short goes first")
        source.move("resize_short", (*place, "resize_short"))
    else:
        source.take("resize_short")
        source.move("size", (*place, "size"))
    _interpolation(source, place)


def _short_side(steps: _Steps, source: Source) -> None:
    """Paddle's own Resize: a number is the shorter side, a list [height, width]."""
    place, size = steps.add("ResizeImage", source), source.peek("size")
    if isinstance(size, list):
        source.move("size", (*place, "size"), read=lambda sides: sides[::-1])
    else:
        source.move("size", (*place, "resize_short"))
    _interpolation(source, place)


def _interpolation(source: Source, place: Path) -> None:
    source.move("interpolation", (*place, "interpolation"), read=_lower)
    source.only("backend", *_OPENCV)
    source.only("return_numpy", (True, False), _ARRAYS, "give True or False.")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _crop(steps: _Steps, source: Source) -> None:
    source.move("size", (*steps.add("CropImage", source), "size"))


def _random_part(steps: _Steps, source: Source) -> None:
    steps.translation.notes.append(_CROP_NOTE)
    source.only("use_log_aspect", (True, False), "said in a note", "give True or False.")
    _random_resized_part(steps, source)


def _random_resized_part(steps: _Steps, source: Source) -> None:
    place = steps.add("RandCropImage", source)
    for key in ("size", "scale", "ratio"):
        source.move(key, (*place, key))
    _interpolation(source, place)


def _flip(steps: _Steps, source: Source) -> None:
    source.move("flip_code", (*steps.add("RandFlipImage", source), "flip_code"))


def _horizontal_flip(steps: _Steps, source: Source) -> None:
    source.move("prob", (*steps.add("RandFlipImage", source), "prob"))


def _pad(steps: _Steps, source: Source) -> None:
    source.only("padding_mode", ("constant",), "as it is here", "the border has one colour.")
    source.only("backend", *_OPENCV)
    steps.border = source


def _window(steps: _Steps, source: Source) -> None:
    """Cuts out a window: from the border on, when a Pad comes first."""
    place = steps.add("PadRandomCrop", source)
    source.move("size", (*place, "size"))
    if steps.border is None:
        steps.translation.put((*place, "pad"), 0, source.path)
        return
    steps.border.move("padding", (*place, "pad"))
    steps.border.move("fill", (*place, "fill"))
    steps.border.finish()
    steps.border = None


def _rotation(steps: _Steps, source: Source) -> None:
    place = steps.add("RandomRotation", source)
    for key in ("degrees", "prob", "fill"):
        source.move(key, (*place, key), default=0.5 if key == "prob" else None)
    # Paddle's own default.
    source.move("interpolation", (*place, "interpolation"), default="nearest", read=_lower)
    source.only("expand", (False,), "as it is here", "the size stays.")
    source.only("center", (None,), "as it is here", "the picture is turned about its middle.")


def _jitter(steps: _Steps, source: Source) -> None:
    place = steps.add("ColorJitter", source)
    for key in ("brightness", "contrast", "saturation", "hue"):
        source.move(key, (*place, key))
    source.move("prob", (*place, "prob"), read=lambda prob: 1.0 if prob == _ALWAYS else prob)


def _auto_augment(steps: _Steps, source: Source) -> None:
    text = source.take("config_str", "rand-m9-mstd0.5-inc1")
    match = _AUTO_AUGMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        source.refuse("config_str", f"{text!r} is not supported: rand-m<0 to 10>[-n<number>] is.")
    else:
        place = steps.add("RandAugment", source)
        origin = source.at("config_str")
        # timm applies each operation that it draws with probability one half.
        values = {"num_layers": int(match[2] or 2), "magnitude": float(match[1]), "prob": 0.5}
        for key, value in values.items():
            steps.translation.put((*place, key), value, origin)
        source.move("interpolation", (*place, "interpolation"), default="bicubic", read=_lower)
        steps.translation.notes.append(_AUGMENT_NOTE)
    source.only("prob", (1.0, 1), "as it is here", "every picture is augmented.")
    source.drop("img_size", "the size of the picture says how far it may be moved")


def _normalize(steps: _Steps, source: Source) -> None:
    place = steps.add("NormalizeImage", source)
    source.move("scale", (*place, "scale"), read=_number)
    for key in ("mean", "std"):
        source.move(key, (*place, key))
    source.only("order", ("", "hwc", None), "as it is here", "channels come last; give hwc.")
    source.only("output_fp16", (False,), "as it is here", "tensors have 32 bits.")
    source.only("channel_num", (3,), "as it is here", "a picture has 3 channels.")


def _to_tensor(steps: _Steps, source: Source) -> None:
    steps.scaled = source


def _normalize_tensor(steps: _Steps, source: Source) -> None:
    if steps.scaled is None:
        steps.translation.refuse(source.path, "is supported only right behind ToTensor.")
    steps.scaled = None
    place = steps.add("NormalizeImage", source)
    for key in ("mean", "std"):
        source.move(key, (*place, key))
    source.only("data_format", ("CHW",), "as it is here", "ToTensor gives CHW.")


def _erase(steps: _Steps, source: Source) -> None:
    place = steps.add("RandomErasing", source)
    for key, ours in {"EPSILON": "prob", "r1": "aspect", "attempt": "attempts"}.items():
        source.move(key, (*place, ours), read=_number)
    if "sl" in source or "sh" in source:
        area = [_number(source.take("sl", 0.02)), _number(source.take("sh", 0.4))]
        steps.translation.put((*place, "area"), area, source.at("sl"))
    colour = source.take("mean") or [0.0]
    numbers = isinstance(colour, list) and all(isinstance(level, int | float) for level in colour)
    if numbers and len(set(colour)) == 1:
        steps.translation.put((*place, "fill"), float(colour[0]), source.at("mean"))
    else:
        source.refuse("mean", f"{colour!r} is not supported: one value for all three channels is.")
    source.only("mode", ("const",), "as it is here", "the rectangle has one colour.")
    source.only("use_log_aspect", (False,), "as it is here", "the aspect is drawn evenly.")


def _channels_first(steps: _Steps, source: Source) -> None:
    steps.translation.drop(source.path, "the last step anyway")


def _number(value: Any) -> Any:
    """Reads ``1.0/255.0`` and numbers in quotes, which PaddleClas evaluates as Python."""
    match = _QUOTIENT.fullmatch(value) if isinstance(value, str) else None
    try:
        if match:
            return float(match[1]) / float(match[2])
        return float(value) if isinstance(value, str) else value
    except (ValueError, ZeroDivisionError):
        return value


_STEPS: dict[str, Callable[[_Steps, Source], None]] = {
    "DecodeImage": _decode,
    "ResizeImage": _resize,
    "Resize": _short_side,
    "CropImage": _crop,
    "CenterCrop": _crop,
    "RandCropImage": _random_part,
    "RandomResizedCrop": _random_resized_part,
    "RandCropImageV2": _window,
    "RandomCropImage": _window,
    "RandFlipImage": _flip,
    "RandomHorizontalFlip": _horizontal_flip,
    "Pad": _pad,
    "RandomRotation": _rotation,
    "ColorJitter": _jitter,
    "TimmAutoAugment": _auto_augment,
    "NormalizeImage": _normalize,
    "ToTensor": _to_tensor,
    "Normalize": _normalize_tensor,
    "RandomErasing": _erase,
    "ToCHWImage": _channels_first,
}

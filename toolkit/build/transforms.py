"""From a list of transforms to the pipeline a picture goes through."""

from collections.abc import Sequence

from toolkit.config.parts import Part
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ConfigError
from toolkit.registry import TRANSFORMS


def build_pipeline(parts: Sequence[Part]) -> Pipeline:
    """Builds the transforms in their order.

    Raises:
        ConfigError: a step stands where it cannot, or the last one does not give a tensor.
    """
    try:
        pipeline = Pipeline([TRANSFORMS.build(part.name, **part.options) for part in parts])
    except ValueError as error:
        raise ConfigError(f"Data transforms: {error}") from error
    if pipeline.gives != "tensor":
        raise ConfigError("Data transforms must end with NormalizeImage and ToCHWImage.")
    return pipeline


def image_size(parts: Sequence[Part]) -> tuple[int, int]:
    """Returns (height, width) of what the evaluation transforms produce.

    Raises:
        ConfigError: no transform of the list sets a size.
    """
    sizes = [size for part in parts if (size := part.options.get("size")) is not None]
    if not sizes:
        raise ConfigError(
            "Data.eval_transforms sets no size; the network needs pictures of one size: "
            "add 'ResizeImage: {size: 224}'."
        )
    # A list is [width, height], as in PaddleX.
    last = sizes[-1]
    return (last, last) if isinstance(last, int) else (last[1], last[0])

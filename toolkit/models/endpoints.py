"""Named places of a network at which a feature can be read: endpoints.

An endpoint is the output of one layer, a map of the backbone, or an output as a whole, in the order
of TensorFlow: batch, height, width, channel. Nothing here is a second network; forward hooks read
what the layers of the one network give on their way.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn

from toolkit.errors import ConfigError
from toolkit.models.recognizer import Recognizer

Pool: TypeAlias = Literal["avg", "max", "gem"]
POOLS: tuple[Pool, ...] = ("avg", "max", "gem")
_GEM_POWER = 3.0
_GEM_SMALLEST = 1e-6


@dataclass(frozen=True)
class Layer:
    """The output of a layer of the backbone, by its dotted name there."""

    path: str


@dataclass(frozen=True)
class Stage:
    """One of the backbone's maps, counted from 1, the finest."""

    number: int


class Whole(Enum):
    """What goes into a network or comes out of it."""

    IMAGES = "images"
    BACKBONE = "backbone"
    FEATURE = "feature"


Source: TypeAlias = Layer | Stage | Whole
Form: TypeAlias = Callable[[Tensor], Tensor]


def as_it_is(value: Tensor) -> Tensor:
    """Returns what the source gives."""
    return value


@dataclass(frozen=True)
class Endpoint:
    """A name, and what it stands for.

    Attributes:
        name: as a person gives it.
        source: what is read.
        form: makes the value of what is read, channels last.
        of_classifier: True for what only a network with its ImageNet classifier has.
        takes: what goes in: the normalised image; the picture's own pixels, 0 to 255, one picture
            at a time; or only its size, (height, width, channels) as [b, 3, 1, 1].
    """

    name: str
    source: Source
    form: Form = as_it_is
    of_classifier: bool = False
    takes: Literal["images", "pixels", "size"] = "images"


@dataclass(frozen=True)
class Measure:
    """What an endpoint gives for one image.

    Attributes:
        shape: of the value, without the batch: (h, w, c), (n, c), (d,), or () for a class. None
            stands for what differs from picture to picture.
        dtype: ``float32`` or ``int32``.
        image_size: (height, width) of the image that goes in.
    """

    shape: tuple[int | None, ...]
    dtype: str
    image_size: tuple[int, int]

    @property
    def length(self) -> int | None:
        """How many numbers that are, 1 for a class; None when it differs."""
        sides = [side for side in self.shape if side is not None]
        return math.prod(sides) if len(sides) == len(self.shape) else None


class EndpointNetwork(nn.Layer):
    """A network that ends at one of its endpoints: images to rows of numbers.

    Maps are flattened row by row: height, then width, then channel; tokens [n, c] likewise, token
    by token. Pooling leaves one value a channel, over all places or tokens.

    Args:
        network: what is run, as far as the endpoint needs it.
        endpoint: what is read.
        pool: ``avg``, ``max``, ``gem`` (generalised mean, p = 3, of values of 1e-6 at least), or
            None for the whole map.

    Source of gem: Radenovic et al., Fine-tuning CNN Image Retrieval with No Human Annotation,
    2018, equation 3; p and the smallest value from the authors' code.
    """

    def __init__(self, network: Recognizer, endpoint: Endpoint, pool: Pool | None = None) -> None:
        super().__init__()
        if pool is not None and pool not in POOLS:
            raise ConfigError(f"pool is {pool!r}; expected one of {', '.join(POOLS)}, or none.")
        self.network = network
        self.endpoint = endpoint
        self.pool = pool

    def value(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to [b, h', w', c], [b, n, c], [b, d] or, for a class, [b].

        The values are float32, those of classes and sizes int32.
        """
        return capture(self.network, [self.endpoint], images)[self.endpoint.name]

    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to rows [b, d].

        Raises:
            ConfigError: `pool` is given, and the endpoint has no places to pool over.
        """
        return self._pooled(self.value(images)).reshape([images.shape[0], -1])

    def run(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Maps arrays as `forward` does, without gradients."""
        with paddle.no_grad():
            rows: NDArray[Any] = self(paddle.to_tensor(images)).numpy()
        return rows

    def measure(self, image_size: tuple[int, int]) -> Measure:
        """Runs one black image of (height, width) pixels, and returns what comes out."""
        if self.endpoint.takes == "size":
            image_size = (1, 1)
        with paddle.no_grad():
            value = self._pooled(self.value(paddle.zeros([1, 3, *image_size]))).numpy()[0]
        shape: tuple[int | None, ...] = value.shape
        if self.endpoint.takes == "pixels" and self.pool is None:
            shape = (None, None, 3)
        return Measure(shape, str(value.dtype), image_size)

    def _pooled(self, value: Tensor) -> Tensor:
        if self.pool is None:
            return value
        if value.ndim < 3:
            raise ConfigError(
                f"The endpoint {self.endpoint.name} has no places that pool={self.pool} could go "
                "over: it is one vector an image. Leave pool out."
            )
        return pooled(value, self.pool)


def pooled(value: Tensor, pool: Pool) -> Tensor:
    """Pools [b, h, w, c] or [b, n, c] to [b, c]; see `EndpointNetwork` for the ways."""
    places = list(range(1, value.ndim - 1))
    if pool == "max":
        return value.max(places)
    if pool == "avg":
        return value.mean(places)
    mean: Tensor = value.clip(min=_GEM_SMALLEST).pow(_GEM_POWER).mean(places)
    return mean.pow(1 / _GEM_POWER)


class _AllSeenError(Exception):
    """Every layer that was asked for has given its output; what follows need not run."""


def capture(
    network: Recognizer, endpoints: Collection[Endpoint], images: Tensor
) -> dict[str, Tensor]:
    """Runs a network as far as needed, and returns the value of each endpoint by name.

    One pass serves all layers, one all maps, one each output. One thread at a time: hooks belong to
    the network, not to the call.

    Args:
        network: as it stands; its training switches are the caller's.
        endpoints: some of the network's.
        images: float32 [b, 3, h, w], or what `Endpoint.takes` says.
    """
    sources = {endpoint.source for endpoint in endpoints}
    read: dict[Source, Tensor] = {Whole.IMAGES: images}
    if Whole.FEATURE in sources:
        read[Whole.FEATURE] = network.embed(images)
    if Whole.BACKBONE in sources:
        read[Whole.BACKBONE] = network.backbone(images)
    stages = [source for source in sources if isinstance(source, Stage)]
    if stages:
        maps = network.backbone.maps(images)
        read |= {stage: maps[stage.number - 1] for stage in stages}
    read |= _layer_outputs(network.backbone, {s for s in sources if isinstance(s, Layer)}, images)
    return {one.name: one.form(_channels_last(read[one.source])) for one in endpoints}


def _layer_outputs(
    backbone: nn.Layer, layers: Collection[Layer], images: Tensor
) -> dict[Source, Tensor]:
    seen: dict[Source, Tensor] = {}

    def note(layer: Layer) -> Callable[[Any, Any, Tensor], Any]:
        def hook(_layer: Any, _inputs: Any, output: Tensor) -> Any:
            seen[layer] = output
            # While a graph is traced all of it is run; what nothing reads is left out of it then.
            if len(seen) == len(layers) and paddle.in_dynamic_mode():
                raise _AllSeenError

        return hook

    if not layers:
        return seen
    by_path = dict(backbone.named_sublayers())
    hooks = [by_path[layer.path].register_forward_post_hook(note(layer)) for layer in layers]
    try:
        backbone(images)
    except _AllSeenError:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _channels_last(value: Tensor) -> Tensor:
    return value.transpose([0, 2, 3, 1]) if value.ndim == 4 else value

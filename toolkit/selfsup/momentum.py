"""A network that follows another one slowly: its targets change less than what is trained."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import Tensor, nn

from toolkit.models.backbones.transformer_blocks import DropPath
from toolkit.models.recognizer import Recognizer


@dataclass(frozen=True)
class MomentumSchedule:
    """How much of itself the follower keeps in an update.

    Attributes:
        first: in the first update, in [0, 1].
        last: where the rise along half a cosine ends; None stays at the first.
        total_steps: updates of the run.

    Source: Grill et al., Bootstrap Your Own Latent, 2020, section 3.3, for the rise.
    """

    first: float
    last: float | None
    total_steps: int

    def __call__(self, step: int) -> float:
        """Returns the momentum before the update after `step` updates."""
        if self.last is None:
            return self.first
        done = min(1.0, step / max(1, self.total_steps))
        return self.last - (self.last - self.first) * (1 + math.cos(math.pi * done)) / 2


class MomentumNetwork(nn.Layer):
    """A copy of a network, and of what stands behind it, that follows the originals.

    It gets no gradient, and branches are not dropped in it. In training mode its batch norms use
    the statistics of the batch and keep averages of their own, as the originals do.

    Args:
        network: what is trained.
        heads: what stands behind its embedding, in the order in which it is run.
    """

    def __init__(self, network: Recognizer, heads: Sequence[nn.Layer]) -> None:
        super().__init__()
        self.network = copy.deepcopy(Recognizer(network.backbone, network.neck))
        self.heads = nn.LayerList([copy.deepcopy(head) for head in heads])
        for parameter in self.parameters():
            parameter.stop_gradient = True
        for layer in self.sublayers():
            if isinstance(layer, DropPath):
                layer.rate = 0.0

    @paddle.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Maps images [b, 3, h, w] to the last head's output [b, d], without gradient."""
        outputs = self.network.embed(images)
        for head in self.heads:
            outputs = head(outputs)
        return outputs

    @paddle.no_grad()
    def follow(self, network: Recognizer, heads: Sequence[nn.Layer], momentum: float) -> None:
        """Moves every parameter towards its original: momentum * own + (1 - momentum) * original.

        Args:
            network: as it was given to the constructor, or with the same parts.
            heads: likewise.
            momentum: share that is kept, in [0, 1].
        """
        originals = [*network.parameters(), *nn.LayerList(heads).parameters()]
        for own, original in zip(self.parameters(), originals, strict=True):
            own.lerp_(original, 1.0 - momentum)

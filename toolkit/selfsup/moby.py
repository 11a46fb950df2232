"""MoBY: MoCo in both directions, with BYOL's predictor in front of the comparison."""

import paddle
from paddle import Tensor, nn

from toolkit.config.types import Fraction, PositiveFloat, PositiveInt
from toolkit.models.recognizer import Recognizer
from toolkit.selfsup.contrast import contrast
from toolkit.selfsup.method import Method, Outputs
from toolkit.selfsup.momentum import MomentumNetwork, MomentumSchedule
from toolkit.selfsup.projection import perceptron, spread, unit
from toolkit.selfsup.queue import KeyQueue
from toolkit.selfsup.split_norm import shuffled_in_groups


class MoBY(Method):
    """Each view is the query once, against the other's key and the queue of the other's keys.

    The slow copy has a projector and no predictor. Its batches are shuffled and normalised in
    groups, as in MoCo, which matters for backbones with batch norm.

    Args:
        network: what is trained; handed in.
        total_steps: updates of the run; handed in.
        hidden: width of the hidden layers of projector and predictor, both with batch norm.
        width: length of the vectors that are compared.
        queue_size: wrong answers in each of the two queues.
        momentum: share of itself that the slow copy keeps in an update, at first.
        final_momentum: where that rises to by the end of the run; null stays.
        temperature: cosines are divided by it.
        norm_groups: parts in which the keys of a batch are normalised; 1 does not shuffle.

    Source: Xie et al., Self-Supervised Learning with Swin Transformers, 2021, section 3.
    """

    pair_only = True

    def __init__(  # noqa: PLR0913 - one argument for each option of the method
        self,
        network: Recognizer,
        total_steps: int,
        *,
        hidden: PositiveInt = 4096,
        width: PositiveInt = 256,
        queue_size: PositiveInt = 4096,
        momentum: Fraction = 0.99,
        final_momentum: Fraction | None = 1.0,
        temperature: PositiveFloat = 0.2,
        norm_groups: PositiveInt = 1,
    ) -> None:
        super().__init__()
        self.temperature, self.norm_groups = temperature, norm_groups
        self.projector = perceptron([network.out_features, hidden, width], norm=True)
        self.predictor = perceptron([width, hidden, width], norm=True)
        self.slow = MomentumNetwork(network, [self.projector])
        self.queues = nn.LayerList([KeyQueue(queue_size, width) for _ in range(2)])
        self._momentum = MomentumSchedule(momentum, final_momentum, total_steps)

    def encode(self, network: Recognizer, views: list[Tensor]) -> Outputs:
        """Returns ``queries`` and ``keys`` of both views, of length 1."""
        (group,) = views
        pair = group.unbind(1)
        return {
            "queries": [unit(self.predictor(self.projector(network.embed(x)))) for x in pair],
            "keys": [shuffled_in_groups(self._key, x, self.norm_groups) for x in pair],
        }

    def forward(self, outputs: Outputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compares each view's queries with the other's keys and queue; takes the keys in."""
        del labels
        queries, keys, queues = outputs["queries"], outputs["keys"], self.queues
        loss = contrast(queries[0], keys[1], queues[1].keys, self.temperature) + contrast(
            queries[1], keys[0], queues[0].keys, self.temperature
        )
        for queue, of_view in zip(queues, keys, strict=True):
            queue.take_in(of_view)
        values = {
            "MoBY": loss.detach(),
            "spread": spread(queries[0]),
            "queue_fill": paddle.to_tensor(queues[0].fill),
        }
        return loss, values

    def before_step(self, network: Recognizer, step: int) -> None:
        """Lets the slow copy follow."""
        self.slow.follow(network, [self.projector], self._momentum(step))

    def _key(self, images: Tensor) -> Tensor:
        return unit(self.slow(images))

"""MoCo v2: find the other view of a picture among the views of many others."""

import paddle
from paddle import Tensor

from toolkit.config.types import Fraction, PositiveFloat, PositiveInt
from toolkit.models.recognizer import Recognizer
from toolkit.selfsup.contrast import contrast
from toolkit.selfsup.method import Method, Outputs
from toolkit.selfsup.momentum import MomentumNetwork, MomentumSchedule
from toolkit.selfsup.projection import perceptron, spread, unit
from toolkit.selfsup.queue import KeyQueue
from toolkit.selfsup.split_norm import shuffled_in_groups


class MoCo(Method):
    """Momentum contrast with a two-layer projector.

    The first view is the query. The second goes through a slow copy of the networks and is the key;
    keys of earlier batches are the wrong answers. Batch norm could tell query and key together by
    the statistics that they share, so keys are shuffled and normalised in groups, as several GPUs
    would do (section 3.3 of the first paper).

    Args:
        network: what is trained; handed in.
        total_steps: updates of the run; handed in.
        hidden: width of the projector's hidden layer.
        width: length of the vectors that are compared.
        queue_size: wrong answers; more than the data has pictures makes right ones wrong.
        momentum: share of itself that the slow copy keeps in an update.
        final_momentum: where that rises to by the end of the run; null stays.
        temperature: cosines are divided by it.
        norm_groups: parts in which the keys of a batch are normalised; 1 does not shuffle.

    Source: He et al., Momentum Contrast for Unsupervised Visual Representation Learning, 2020,
    algorithm 1; Chen et al., Improved Baselines with Momentum Contrastive Learning, 2020.
    """

    pair_only = True

    def __init__(  # noqa: PLR0913 - one argument for each option of the method
        self,
        network: Recognizer,
        total_steps: int,
        *,
        hidden: PositiveInt = 2048,
        width: PositiveInt = 128,
        queue_size: PositiveInt = 65536,
        momentum: Fraction = 0.999,
        final_momentum: Fraction | None = None,
        temperature: PositiveFloat = 0.2,
        norm_groups: PositiveInt = 2,
    ) -> None:
        super().__init__()
        self.temperature, self.norm_groups = temperature, norm_groups
        self.projector = perceptron([network.out_features, hidden, width], norm=False)
        self.slow = MomentumNetwork(network, [self.projector])
        self.queue = KeyQueue(queue_size, width)
        self._momentum = MomentumSchedule(momentum, final_momentum, total_steps)

    def encode(self, network: Recognizer, views: list[Tensor]) -> Outputs:
        """Returns ``queries`` of the first view and ``keys`` of the second, of length 1."""
        ((first, second),) = (group.unbind(1) for group in views)
        return {
            "queries": [unit(self.projector(network.embed(first)))],
            "keys": [shuffled_in_groups(self._key, second, self.norm_groups)],
        }

    def forward(self, outputs: Outputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compares queries with keys and queue, and takes the keys into the queue."""
        del labels
        (queries,), (keys,) = outputs["queries"], outputs["keys"]
        loss = contrast(queries, keys, self.queue.keys, self.temperature)
        self.queue.take_in(keys)
        values = {
            "MoCo": loss.detach(),
            "spread": spread(queries),
            "queue_fill": paddle.to_tensor(self.queue.fill),
        }
        return loss, values

    def before_step(self, network: Recognizer, step: int) -> None:
        """Lets the slow copy follow."""
        self.slow.follow(network, [self.projector], self._momentum(step))

    def _key(self, images: Tensor) -> Tensor:
        return unit(self.slow(images))

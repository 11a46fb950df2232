"""SwAV: each view tells from the prototypes of another view which are its own."""

import paddle
from paddle import Tensor, nn
from paddle.nn import functional

from toolkit.config.types import NonNegativeInt, PositiveFloat, PositiveInt
from toolkit.distributed.shares import shares_of
from toolkit.models.recognizer import Recognizer
from toolkit.selfsup.method import Method, Outputs, crop_features
from toolkit.selfsup.projection import perceptron, spread, unit
from toolkit.selfsup.queue import KeyQueue
from toolkit.selfsup.sinkhorn import sinkhorn
from toolkit.selfsup.swapped import swapped_cross_entropy


class SwAV(Method):
    """Swapped assignments to prototypes, between two large views and to all others.

    The first two views give the targets; a queue of their earlier vectors, a ring for each, lets a
    small batch fill the prototypes alike.

    Args:
        network: what is trained; handed in.
        total_steps: updates of the run; handed in.
        hidden: width of the projector's hidden layer, which has batch norm.
        width: length of the vectors that are compared.
        prototypes: how many; some times more than kinds of things in the data.
        temperature: cosines are divided by it where a view tells prototypes.
        epsilon: softness of the targets, see `sinkhorn`.
        sinkhorn_iterations: rounds of it.
        queue_size: earlier vectors of each of the two views; 0 for no queue.
        queue_from: first epoch, from 1, that uses the queue, once it is full.
        freeze_epochs: epochs at the start in which the prototypes stay.

    Source: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster
    Assignments, 2020, algorithm 1 and appendix A.
    """

    def __init__(  # noqa: PLR0913 - one argument for each option of the method
        self,
        network: Recognizer,
        total_steps: int,
        *,
        hidden: PositiveInt = 2048,
        width: PositiveInt = 128,
        prototypes: PositiveInt = 3000,
        temperature: PositiveFloat = 0.1,
        epsilon: PositiveFloat = 0.05,
        sinkhorn_iterations: PositiveInt = 3,
        queue_size: NonNegativeInt = 3840,
        queue_from: PositiveInt = 16,
        freeze_epochs: NonNegativeInt = 1,
    ) -> None:
        super().__init__()
        del total_steps  # nothing follows the course of the run but the epochs
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, sinkhorn_iterations
        self.queue_from, self.freeze_epochs = queue_from, freeze_epochs
        self.projector = perceptron([network.out_features, hidden, width], norm=True)
        self.prototypes = nn.Linear(width, prototypes, bias_attr=False)
        sizes = [queue_size] * 2 if queue_size else []
        self.queues = nn.LayerList([KeyQueue(size, width) for size in sizes])
        self._queue_is_used = False
        self._normalise()

    def encode(self, network: Recognizer, views: list[Tensor]) -> Outputs:
        """Returns the ``vectors`` of all views, of length 1."""
        features, count = crop_features(network, views)
        return {"vectors": unit(self.projector(features)).chunk(count)}

    def forward(self, outputs: Outputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compares every view with the targets of the first two, and takes those into the queue."""
        del labels
        vectors = outputs["vectors"]
        scores = [self.prototypes(of_view) for of_view in vectors]
        targets = [self._targets(scores[place].detach(), place) for place in (0, 1)]
        told = [functional.log_softmax(score / self.temperature, axis=1) for score in scores]
        loss = swapped_cross_entropy(targets, told)
        for queue, of_view in zip(self.queues, vectors[:2], strict=False):
            queue.take_in(of_view)
        chosen = paddle.concat(targets).argmax(1)
        values = {
            "SwAV": loss.detach(),
            "spread": spread(vectors[0]),
            # Of the prototypes that the batch could have used.
            "prototype_usage": paddle.to_tensor(
                len(paddle.unique(chosen)) / min(len(chosen), self.prototypes.weight.shape[1])
            ),
        }
        return loss, values

    def before_epoch(self, epoch: int) -> None:
        """Freezes the prototypes at first, and begins to use the queue when it is time."""
        self.prototypes.weight.stop_gradient = epoch <= self.freeze_epochs
        self._queue_is_used = epoch >= self.queue_from

    def before_step(self, network: Recognizer, step: int) -> None:
        """Puts the prototypes back on the sphere, which the update before has left."""
        del network, step
        self._normalise()

    @paddle.no_grad()
    def _normalise(self) -> None:
        # Paddle's weight is [width, prototypes]: a prototype is a column.
        self.prototypes.weight.set_value(functional.normalize(self.prototypes.weight, axis=0))

    @paddle.no_grad()
    def _targets(self, scores: Tensor, place: int) -> Tensor:
        """Returns the assignments [b, prototypes] of a view, balanced over batch and queue.

        The batch is that of all processes.
        """
        shares = shares_of(scores.shape[0])
        scores = shares.gather(scores)
        if self._queue_is_used and self.queues and self.queues[place].fill == 1.0:
            scores = paddle.concat([scores, self.prototypes(self.queues[place].keys)])
        balanced = sinkhorn(scores, epsilon=self.epsilon, iterations=self.iterations)
        return shares.own(balanced)

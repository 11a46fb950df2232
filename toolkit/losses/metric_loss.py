"""The frame of the losses on embeddings: read one output of the network, then compare.

Of several processes each compares the embeddings of all, so a batch that is shared out meets the
same negatives, and gives the same loss, as one that is not.
"""

from paddle import Tensor, nn

from toolkit.distributed.shares import shares_of
from toolkit.losses.cross_batch_memory import CrossBatchMemory
from toolkit.losses.outputs import read_output
from toolkit.losses.pairs import positive_and_negative_pairs, squared_distances, unit_rows


class MetricLoss(nn.Layer):
    """A loss on the embeddings of a batch; a subclass says which in `value`.

    Args:
        feature_from: the network's output to read.
        normalize: scale every vector to length 1 first.

    Attributes:
        reads: the network's outputs that `forward` needs, as every loss tells them.
    """

    def __init__(self, feature_from: str, *, normalize: bool) -> None:
        super().__init__()
        self.feature_from, self.normalize = feature_from, normalize
        self.reads: tuple[str, ...] = (feature_from,)

    def forward(self, outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        """Returns the loss of a batch, a scalar.

        Args:
            outputs: needs the output named by `feature_from` [b, d].
            labels: class indices [b], int64.
        """
        vectors = read_output(outputs, self.feature_from, type(self).__name__)
        shares = shares_of(labels.shape[0])
        vectors, labels = shares.gather(vectors), shares.gather(labels)
        return self.value(unit_rows(vectors) if self.normalize else vectors, labels)

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss of vectors [b, d] of classes [b], a scalar."""
        raise NotImplementedError


class PairLoss(MetricLoss):
    """A loss that asks nothing but how near two embeddings are and whether they are of one class.

    A subclass says in `compare` what it makes of that. The references are the batch itself and,
    for a loss that was told to `remember`, also what its memory holds.

    Args:
        feature_from: the network's output to read.
        normalize: scale every vector to length 1 first.
    """

    def __init__(self, feature_from: str, *, normalize: bool) -> None:
        super().__init__(feature_from, normalize=normalize)
        self.memory: CrossBatchMemory | None = None
        self.memory_weight = 0.0

    def remember(self, in_features: int, *, size: int, weight: float, start_iter: int) -> None:
        """Compares with embeddings of earlier batches as well from now on.

        Args:
            in_features: length of the embeddings.
            size: how many are held.
            weight: factor on the comparison with them.
            start_iter: batches before the first is held.
        """
        self.memory = CrossBatchMemory(in_features, size=size, start_iter=start_iter)
        self.memory_weight = weight

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss of vectors [b, d] of classes [b], a scalar."""
        loss = self.compare(self.measure(vectors, vectors), *positive_and_negative_pairs(labels))
        if self.memory is None:
            return loss
        held = self.memory(vectors, labels)
        if held is None:
            return loss
        measured = self.measure(vectors, held.vectors.astype(vectors.dtype))
        pairs = positive_and_negative_pairs(labels, held.labels, held.slots)
        return loss + self.memory_weight * self.compare(measured, *pairs)

    def measure(self, anchors: Tensor, references: Tensor) -> Tensor:
        """Returns how near each of [b, d] is to each of [n, d]: inner products [b, n]."""
        products: Tensor = anchors @ references.T
        return products

    def compare(self, measured: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Returns the loss of b anchors and n references, a scalar.

        Args:
            measured: what `measure` gave [b, n].
            positive: the pairs of one class [b, n], bool.
            negative: the pairs of two classes [b, n], bool.
        """
        raise NotImplementedError


class DistanceLoss(PairLoss):
    """A loss on pairs that measures squared Euclidean distances."""

    def measure(self, anchors: Tensor, references: Tensor) -> Tensor:
        """Returns how far each of [b, d] is from each of [n, d]: squared distances [b, n]."""
        return squared_distances(anchors, references)

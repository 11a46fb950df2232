"""Embeddings of the last batches, kept so that a small batch meets many others (XBM)."""

from typing import NamedTuple

import paddle
from paddle import Tensor, nn


class Held(NamedTuple):
    """What a memory holds after a batch was taken in.

    Attributes:
        vectors: [n, d], without gradient.
        labels: class indices [n].
        slots: for each row of the batch its place among the n [b]; -1 where it has none.
    """

    vectors: Tensor
    labels: Tensor
    slots: Tensor


class CrossBatchMemory(nn.Layer):
    """A ring of the last embeddings and their classes.

    While the network changes slowly, an embedding of some steps ago is nearly what it would be
    now, so it can stand among the negatives at no cost. The first steps change fast: nothing is
    taken in before `start_iter`. All of it is in buffers, so a checkpoint has it and a resumed run
    goes on bit for bit. In evaluation it is read and not written.

    Args:
        in_features: length of the embeddings, d.
        size: how many it holds; of a larger batch the last rows are kept.
        start_iter: calls in training before the first batch is taken in.

    Source: Wang et al., Cross-Batch Memory for Embedding Learning, 2020, algorithm 1: the batch
    is taken in first and then compared with all that is held. A row is not a pair with itself.
    """

    vectors: Tensor
    labels: Tensor
    written: Tensor
    iteration: Tensor

    def __init__(self, in_features: int, *, size: int, start_iter: int) -> None:
        super().__init__()
        self.size, self.start_iter = size, start_iter
        self.register_buffer("vectors", paddle.zeros([size, in_features], dtype="float32"))
        self.register_buffer("labels", paddle.zeros([size], dtype="int64"))
        # Rows taken in so far: the place of the next one and the fill follow from it.
        self.register_buffer("written", paddle.zeros([], dtype="int64"))
        self.register_buffer("iteration", paddle.zeros([], dtype="int64"))

    def forward(self, vectors: Tensor, labels: Tensor) -> Held | None:
        """Takes a batch in, in training, and returns what is held; None while it is empty.

        Args:
            vectors: [b, d].
            labels: class indices [b], int64.
        """
        slots = paddle.full(labels.shape, -1, dtype="int64")
        if self.training:
            self.iteration.set_value(self.iteration + 1)
            if int(self.iteration) > self.start_iter:
                slots = self._take_in(vectors.detach(), labels)
        count = min(int(self.written), self.size)
        return Held(self.vectors[:count], self.labels[:count], slots) if count else None

    def _take_in(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Writes rows over the oldest ones and returns their places, -1 for those left out."""
        batch = labels.shape[0]
        left_out = max(0, batch - self.size)
        places = (self.written + paddle.arange(batch)) % self.size
        kept = places[left_out:]
        # New tensors, not written in place: an earlier loss may still need the old rows for its
        # gradient.
        rows = vectors[left_out:].astype(self.vectors.dtype)
        self.vectors = paddle.scatter(self.vectors, kept, rows)
        self.labels = paddle.scatter(self.labels, kept, labels[left_out:].astype("int64"))
        self.written.set_value(self.written + batch)
        return paddle.concat([paddle.full([left_out], -1, dtype="int64"), kept])

"""The keys of the last batches, as negatives."""

import paddle
from paddle import Tensor, nn

from toolkit.distributed.shares import gather_rows
from toolkit.selfsup.projection import unit


class KeyQueue(nn.Layer):
    """A ring of unit vectors; it begins with random ones.

    Batches of any size go in: where one reaches the end of the ring it goes on at its start, and of
    one that is larger than the ring the last rows stay. All of it is in buffers, so a checkpoint
    has it and a resumed run goes on bit for bit.

    Args:
        size: vectors that it holds.
        width: length of a vector.
    """

    keys: Tensor
    written: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("keys", unit(paddle.randn([size, width])))
        # Rows taken in so far: the place of the next one and the fill follow from it.
        self.register_buffer("written", paddle.zeros([], dtype="int64"))

    @property
    def fill(self) -> float:
        """The share of the ring that is no longer random, from 0 to 1."""
        return min(1.0, int(self.written) / self.size)

    @paddle.no_grad()
    def take_in(self, vectors: Tensor) -> None:
        """Writes the vectors [b, width] of all processes, in their order, over the oldest ones."""
        vectors = gather_rows(vectors)
        batch = vectors.shape[0]
        left_out = max(0, batch - self.size)
        places = (self.written + paddle.arange(left_out, batch)) % self.size
        # A new tensor, not written in place: the loss of this batch still needs the old rows for
        # its gradient.
        rows = vectors[left_out:].detach().astype(self.keys.dtype)
        self.keys = paddle.scatter(self.keys, places, rows)
        self.written.set_value(self.written + batch)

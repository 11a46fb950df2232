"""How the rows of one batch are shared out among the processes, and the whole batch from it."""

from dataclasses import dataclass
from typing import Any

import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from toolkit.distributed.group import all_gathered, all_summed, process_count, process_rank


@dataclass(frozen=True)
class Shares:
    """How many rows each process has; they may differ.

    Attributes:
        counts: rows of each process, in their order.
        rank: the number of this process.
    """

    counts: tuple[int, ...]
    rank: int

    @property
    def total(self) -> int:
        """Rows of all processes."""
        return sum(self.counts)

    @property
    def start(self) -> int:
        """The place of this process's first row among all."""
        return sum(self.counts[: self.rank])

    def gather(self, rows: Tensor) -> Tensor:
        """Returns the rows [n, ...] of all processes, in their order [total, ...].

        Its gradient is the sum of those of all processes, as if one had held all rows.
        """
        if len(self.counts) == 1:
            return rows
        operator: Any = _Gather
        gathered: Tensor = operator.apply(rows, self)
        return gathered

    def own(self, gathered: Tensor) -> Tensor:
        """Returns this process's part [n, ...] of rows of all [total, ...]."""
        return gathered[self.start : self.start + self.counts[self.rank]]


def shares_of(num_rows: int) -> Shares:
    """Returns the shares of all processes; every one of them has to ask, each for its own rows."""
    if process_count() == 1:
        return Shares((num_rows,), 0)
    counts = all_gathered(paddle.to_tensor([num_rows], dtype="int64"))
    return Shares(tuple(map(int, counts.numpy())), process_rank())


def gather_rows(rows: Tensor) -> Tensor:
    """Returns the rows of all processes; see `Shares.gather`."""
    return shares_of(rows.shape[0]).gather(rows)


def mean_of_rows(rows: Tensor) -> Tensor:
    """Returns the mean over the rows [n, ...] of all processes, without gradient."""
    total = all_summed(rows.detach().sum(0))
    return total / shares_of(rows.shape[0]).total


class _Gather(PyLayer):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, shares: Shares) -> Tensor:
        ctx.shares = shares
        largest = max(shares.counts)
        if not largest:
            return rows.clone()
        missing = largest - rows.shape[0]
        if missing:
            rows = paddle.concat([rows, paddle.zeros([missing, *rows.shape[1:]], rows.dtype)])
        parts = all_gathered(rows).split(len(shares.counts))
        return paddle.concat(
            [part[:count] for part, count in zip(parts, shares.counts, strict=True)]
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return ctx.shares.own(all_summed(gradients[0]))  # type: ignore[no-any-return]

"""One direction a class for very many classes: an update touches few, and the rest sleeps.

The directions of all classes lie in a table. For every update some are chosen: those of the batch's
classes, and others drawn evenly. They are copied into a parameter of their own, which the network,
its gradient and the optimizer see; afterwards they go back. So neither gradients nor updates are as
large as the table, and what the optimizer remembers of a class changes only when the class is used.

The table may be divided among processes, each holding the rows of some classes.

Source: An et al., Partial FC: Training 10 Million Identities on a Single Machine, 2021; An et al.,
Killing Two Birds with One Stone: Efficient and Robust Training of Face Recognition CNNs by Partial
FC, 2022.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import Tensor, nn
from paddle.nn.initializer import Constant

from toolkit.distributed.group import process_count, process_rank
from toolkit.distributed.shares import gather_rows, shares_of
from toolkit.errors import ConfigError

# Of the authors' code. What counts is the direction; a length gives how fast it turns.
_DEVIATION = 0.01
# Rows that are made, or sent to other processes, at a time.
_AT_ONCE = 1 << 15


class ClassTable(nn.Layer):
    """The directions of all classes, or of this process's.

    Args:
        in_features: length of a direction.
        num_classes: of all processes.
        sample_rate: share of the rows that an update uses, (0, 1].
        sharded: each process holds its part of the classes; otherwise each holds all.

    Attributes:
        rows: the directions [classes of this process, in_features].
        memory: what an optimizer remembers of each row: name -> [classes, in_features].
        first: the class of the first row.
    """

    rows: Tensor
    drawn: Tensor
    seed: Tensor

    def __init__(
        self, in_features: int, num_classes: int, sample_rate: float, *, sharded: bool
    ) -> None:
        super().__init__()
        rank, count = (process_rank(), process_count()) if sharded else (0, 1)
        self.num_classes, self.sharded = num_classes, sharded
        self.first = num_classes * rank // count
        own = num_classes * (rank + 1) // count - self.first
        self.num_chosen = max(1, math.ceil(sample_rate * own))
        self.memory: dict[str, Tensor] = {}
        # The draw follows from these two, so a resumed run draws what it would have drawn.
        self.register_buffer("seed", paddle.randint(0, 2**31 - 1, [], dtype="int64"))
        self.register_buffer("drawn", paddle.zeros([], dtype="int64"))
        self.register_buffer("rows", self._first_rows(own, in_features))
        # In a tuple Paddle does not take them for a part of the state, where the rows are already.
        start = Constant(0.0)  # draws nothing: the processes' generators stay alike
        shape = [self.num_chosen, in_features]
        self._active = (self.create_parameter(shape, default_initializer=start),)
        self._chosen = paddle.arange(self.num_chosen)

    @property
    def active(self) -> Tensor:
        """The parameter with the chosen rows, in the order of their classes."""
        return self._active[0]

    @paddle.no_grad()
    def choose(self, labels: Tensor) -> Tensor:
        """Chooses the rows of the next update and copies them into `active`.

        Args:
            labels: class indices [n], int64. Where every process holds all rows, those of the
                others are chosen as well, so that all choose the same.

        Returns:
            The place of each label among the chosen rows [n]; -1 for one of another process.

        Raises:
            ConfigError: there are more classes in the batch than rows to choose.
        """
        every = labels if self.sharded else gather_rows(labels)
        chosen = self._draw(np.unique(every.numpy()) - self.first)
        self._chosen = paddle.to_tensor(chosen)
        self.active.set_value(paddle.index_select(self.rows, self._chosen))
        wanted = labels.numpy() - self.first
        places = np.searchsorted(chosen, wanted).clip(max=len(chosen) - 1)
        return paddle.to_tensor(np.where(chosen[places] == wanted, places, -1))

    def remember(self, name: str, start: float) -> None:
        """Makes room for something that an optimizer remembers of each row."""
        self.memory[name] = paddle.full(self.rows.shape, start, dtype=self.rows.dtype)

    @paddle.no_grad()
    def recall(self, name: str, target: Tensor) -> None:
        """Copies what is remembered of the chosen rows into an optimizer's own tensor."""
        target.set_value(paddle.index_select(self.memory[name], self._chosen))

    @paddle.no_grad()
    def take_back(self, remembered: dict[str, Tensor]) -> None:
        """Writes the chosen rows, and what an optimizer now remembers of them, into the table."""
        paddle.scatter_(self.rows, self._chosen, self.active.detach())
        for name, values in remembered.items():
            paddle.scatter_(self.memory[name], self._chosen, values.detach())

    def _draw(self, positives: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the chosen rows, ascending: those of the batch's classes, and others evenly."""
        own = len(self.rows)
        positives = positives[(positives >= 0) & (positives < own)]
        if len(positives) > self.num_chosen:
            raise ConfigError(
                f"A batch has {len(positives)} classes and the head uses {self.num_chosen} of its "
                f"{own} in an update: raise Arch.Head.sample_rate to {len(positives) / own:.3g} or "
                "more, or take a smaller batch."
            )
        rng = np.random.default_rng([int(self.seed), int(self.drawn), self.first])
        self.drawn.set_value(self.drawn + 1)
        order = rng.random(own, dtype=np.float32)
        order[positives] = -1.0
        return np.sort(np.argpartition(order, self.num_chosen - 1)[: self.num_chosen])

    @paddle.no_grad()
    def _first_rows(self, count: int, in_features: int) -> Tensor:
        """Returns random rows; those of a class are the same, however the table is divided."""
        rows = paddle.empty([count, in_features], dtype="float32")
        end = self.first + count
        for start in range(self.first - self.first % _AT_ONCE, end, _AT_ONCE):
            rng = np.random.default_rng([int(self.seed), start])
            made = rng.standard_normal((_AT_ONCE, in_features), dtype=np.float32) * _DEVIATION
            low, high = max(start, self.first), min(start + _AT_ONCE, end)
            places = paddle.arange(low - self.first, high - self.first)
            paddle.scatter_(rows, places, paddle.to_tensor(made[low - start : high - start]))
        return rows


def common_state(network: nn.Layer) -> list[Tensor]:
    """Returns the parameters and buffers of a network, but for rows of which each has others."""
    divided = {id(table.rows) for table in _divided(network)}
    return [tensor for tensor in network.state_dict().values() if id(tensor) not in divided]


@contextmanager
def whole_tables(network: nn.Layer) -> Iterator[None]:
    """Lets every process hold all rows of divided tables inside the block, to save or load them.

    Every process has to enter it. Each needs room for the whole table meanwhile.
    """
    divided = _divided(network)
    counts = [len(table.rows) for table in divided]
    for table in divided:
        table.rows = _of_all(table.rows)
        table.memory = {name: _of_all(values) for name, values in table.memory.items()}
    try:
        yield
    finally:
        for table, count in zip(divided, counts, strict=True):
            own = slice(table.first, table.first + count)
            table.rows = table.rows[own].clone()
            table.memory = {name: values[own].clone() for name, values in table.memory.items()}


def share_tables(network: nn.Layer) -> None:
    """Sends this process's rows to another one that holds them whole for a while."""
    with whole_tables(network):
        pass


def _divided(network: nn.Layer) -> list[ClassTable]:
    return [
        layer
        for layer in network.sublayers(include_self=True)
        if isinstance(layer, ClassTable) and len(layer.rows) < layer.num_classes
    ]


@paddle.no_grad()
def _of_all(values: Tensor) -> Tensor:
    """Returns the rows of all processes, sent in pieces."""
    shares = shares_of(len(values))
    whole = paddle.empty([shares.total, values.shape[1]], dtype=values.dtype)
    starts = np.cumsum([0, *shares.counts[:-1]])
    for start in range(0, max(shares.counts), _AT_ONCE):
        piece = values[start : start + _AT_ONCE]
        of_all = shares_of(len(piece))
        sent = of_all.gather(piece).split(list(of_all.counts))
        for rows, first in zip(sent, starts, strict=True):
            if len(rows):
                places = paddle.arange(int(first) + start, int(first) + start + len(rows))
                paddle.scatter_(whole, places, rows)
    return whole

"""Features of pictures, computed by all processes together."""

from pathlib import Path

import numpy as np
import paddle

from toolkit.distributed.group import gather_json, meet, process_count, process_rank
from toolkit.distributed.shares import gather_rows
from toolkit.evaluation.trial import Embed
from toolkit.inference.embed import EmbeddedPaths, Failure


def embedded_together(embed: Embed, batch_size: int) -> Embed:
    """Returns an embedding that every process calls for all paths, and that computes a part of it.

    Args:
        embed: features of paths, in one process.
        batch_size: pictures a forward pass. Parts are whole batches, so that each picture is
            computed in the company it would have in one process, and is the same bit for bit.

    Returns:
        Paths -> features of all of them, in every process.
    """

    def together(paths: list[Path]) -> EmbeddedPaths:
        if process_count() == 1:
            return embed(paths)
        start, stop = _part(len(paths), batch_size, process_rank(), process_count())
        nothing = EmbeddedPaths(np.empty((0, 0), np.float32), np.empty(0, np.int64), [])
        own = embed(paths[start:stop]) if start < stop else nothing
        meet()
        failures = [(start + failure.row, failure.message) for failure in own.failures]
        told = gather_json([own.vectors.shape[1], failures])
        width = max(width for width, _ in told)
        vectors = own.vectors if len(own.rows) else np.empty((0, width), np.float32)
        return EmbeddedPaths(
            gather_rows(paddle.to_tensor(vectors)).numpy(),
            gather_rows(paddle.to_tensor(own.rows + start)).numpy(),
            [Failure(row, message) for _, texts in told for row, message in texts],
        )

    return together


def _part(num_paths: int, batch_size: int, rank: int, count: int) -> tuple[int, int]:
    """Returns the first path of a process and the one behind its last."""
    batches = -(-num_paths // batch_size)
    first, end = batches * rank // count, batches * (rank + 1) // count
    return min(first * batch_size, num_paths), min(end * batch_size, num_paths)

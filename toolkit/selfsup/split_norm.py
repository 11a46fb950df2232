"""Batch norm that tells nothing: the pictures of a batch meet in random groups."""

from collections.abc import Callable

import paddle
from paddle import Tensor

from toolkit.distributed.shares import shares_of


def shuffled_in_groups(run: Callable[[Tensor], Tensor], images: Tensor, groups: int) -> Tensor:
    """Runs a network on random parts of a batch, each with statistics of its own.

    Args:
        run: maps images [n, 3, h, w] to [n, d].
        images: [b, 3, h, w].
        groups: how many parts; fewer where one would have less than two pictures, which have no
            statistics. With one part nothing is shuffled.

    Returns:
        [b, d], in the order of the images. The parts are drawn from Paddle's generator.

    Source: He et al., Momentum Contrast, 2020, section 3.3 ("shuffling BN"), on one device.
    """
    batch = images.shape[0]
    # Of several processes each makes parts of its own share, and all as many: where batch norm
    # is synchronised they wait for each other in every part.
    groups = min(groups, min(shares_of(batch).counts) // 2)
    if groups < 2:
        return run(images)
    order = paddle.randperm(batch)
    parts = paddle.tensor_split(order, groups)
    outputs = paddle.concat([run(paddle.index_select(images, part)) for part in parts])
    return paddle.index_select(outputs, paddle.argsort(order))

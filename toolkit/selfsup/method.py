"""What every self-supervised method is: networks over the views of pictures, and a loss.

A method is the loss of a training run, and holds all that only training needs: projectors,
momentum networks, queues, prototypes. The network that is kept stands beside it and holds nothing
of that, so its checkpoints are those of any recogniser, and what the method holds is saved and
resumed like the parameters of any loss.
"""

from abc import abstractmethod

import paddle
from paddle import Tensor, nn

from toolkit.models.recognizer import Recognizer

Outputs = dict[str, list[Tensor]]
"""What the networks gave: name -> one tensor [b, d] a view."""


class Method(nn.Layer):
    """Base of all methods.

    Attributes:
        pair_only: it needs exactly two views, of one size.
    """

    pair_only = False

    @abstractmethod
    def encode(self, network: Recognizer, views: list[Tensor]) -> Outputs:
        """Runs the networks on the views of a batch.

        Args:
            network: the one that is kept.
            views: grouped by size, float32 [b, views of the size, 3, h, w] each.

        Returns:
            What `forward` takes.
        """

    @abstractmethod
    def forward(self, outputs: Outputs, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes the loss, and takes in what later batches are compared with.

        Args:
            outputs: of `encode`.
            labels: not looked at.

        Returns:
            The loss, a scalar to call backward on; and values by name for the log, without
            gradient.
        """

    def before_epoch(self, epoch: int) -> None:
        """Is told of every epoch, from 1, before it begins or goes on."""

    def before_step(self, network: Recognizer, step: int) -> None:
        """Is told of every update before it: how many were done."""


class ViewRecognizer(Recognizer):
    """A recogniser that is trained on views, through a method.

    Args:
        network: its backbone and neck become this network's; names and weights stay.
        method: what runs it on views. It is no part of this network.
    """

    def __init__(self, network: Recognizer, method: Method) -> None:
        super().__init__(network.backbone, network.neck)
        # In a tuple, Paddle does not take it for a part of this network.
        self._method = (method,)

    def forward(self, images: list[Tensor], labels: Tensor | None = None) -> Outputs:  # type: ignore[override]
        """Returns what the method makes of the views of a batch, grouped by size."""
        del labels
        return self._method[0].encode(self, images)


def crop_features(network: Recognizer, views: list[Tensor]) -> tuple[Tensor, int]:
    """Embeds all views, with one pass for each size.

    Args:
        network: run once a group, on all views of the group together.
        views: grouped by size, [b, v_i, 3, h_i, w_i] each.

    Returns:
        [v b, d]: all pictures' first view, then all their second ones; and v, the sum of v_i.
    """
    features = paddle.concat([network.embed(view_by_view(group)) for group in views])
    return features, sum(group.shape[1] for group in views)


def view_by_view(group: Tensor) -> Tensor:
    """Returns views [b, v, 3, h, w] as [v b, 3, h, w]: all first views, then all second ones."""
    return group.transpose([1, 0, 2, 3, 4]).flatten(0, 1)

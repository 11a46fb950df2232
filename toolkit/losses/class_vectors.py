"""Losses that learn one vector a class beside the network: centres and proxies."""

from typing import Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional
from paddle.nn.initializer import Normal
from paddle.regularizer import L2Decay

from toolkit.config.types import NonNegativeFloat, PositiveFloat, PositiveInt
from toolkit.losses.metric_loss import MetricLoss
from toolkit.losses.pairs import log_sum_exp, mean_over, squared_distances, sum_over, unit_rows


class CenterLoss(MetricLoss):
    """Pulls every embedding to the centre of its class; goes with a loss that separates classes.

    The mean over the batch of the squared distance to the class's centre. PaddleClas adds 1e-12
    for each other class to it, which the printed value does not show.

    Args:
        num_classes: number of centres; handed in.
        in_features: length of the embeddings; handed in.
        lr_factor: factor on the learning rate of the centres. Their gradient shrinks with the
            weight of this loss, so a weight of 0.0005 goes with a factor of about 1000.
        normalize_feature: scale every embedding to length 1 first.
        feature_from: the network's output to compare.

    Source: Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition,
    2016, equation 2, without its half and as a mean; the centres follow by gradient.
    """

    def __init__(
        self,
        num_classes: PositiveInt,
        in_features: PositiveInt,
        *,
        lr_factor: PositiveFloat = 1.0,
        normalize_feature: bool = False,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=normalize_feature)
        self.centers = self.create_parameter(
            [num_classes, in_features], attr=_learnt(lr_factor), default_initializer=Normal(0, 1)
        )

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the mean over the batch, a scalar."""
        centers = functional.embedding(labels, self.centers)
        return ((vectors - centers.astype(vectors.dtype)) ** 2).sum(1).mean()


class ProxyNCALoss(MetricLoss):
    """Each embedding has to be nearest to the proxy of its class, in squared distance.

    -log(exp(-scale d(x, own proxy)) / sum over proxies of exp(-scale d(x, proxy))) on unit
    vectors, the mean over the batch. PaddleClas has no such loss.

    Args:
        num_classes: number of proxies; handed in.
        in_features: length of the embeddings; handed in.
        scale: sharpness; 1 is that of the first paper, 9 that of the second.
        own_in_sum: True counts the own proxy in the sum, as the second paper: the value is a
            cross entropy. False leaves it out, as the first: the value can fall below 0.
        lr_factor: factor on the learning rate of the proxies.
        feature_from: the network's output to compare.

    Source: Movshovitz-Attias et al., No Fuss Distance Metric Learning using Proxies, 2017
    (static assignment); Teh et al., ProxyNCA++, 2020.
    """

    def __init__(
        self,
        num_classes: PositiveInt,
        in_features: PositiveInt,
        *,
        scale: PositiveFloat = 1.0,
        own_in_sum: bool = True,
        lr_factor: PositiveFloat = 100.0,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=True)
        self.scale, self.own_in_sum = scale, own_in_sum
        self.proxies = _proxies(self, num_classes, in_features, lr_factor)

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the mean over the batch, a scalar; 0 with a single class."""
        proxies = unit_rows(self.proxies.astype(vectors.dtype))
        logits = -self.scale * squared_distances(vectors, proxies)
        own = _own_class(labels, proxies)
        summed = paddle.ones_like(own) if self.own_in_sum else ~own
        return mean_over(log_sum_exp(logits, summed) - sum_over(logits, own), summed.any(1))


class ProxyAnchorLoss(MetricLoss):
    """Each proxy is an anchor that pulls its class's embeddings and pushes all others.

    The mean over the classes in the batch of log(1 + sum exp(-alpha (s - margin))) over their own
    embeddings, plus the mean over all classes of log(1 + sum exp(alpha (s + margin))) over the
    others', s being the cosine to the proxy. PaddleClas has no such loss.

    Args:
        num_classes: number of proxies; handed in.
        in_features: length of the embeddings; handed in.
        margin: the delta of the paper, in cosine.
        alpha: scale of the cosines; larger looks harder at the hardest embeddings.
        lr_factor: factor on the learning rate of the proxies; 100 as in the paper.
        feature_from: the network's output to compare.

    Source: Kim et al., Proxy Anchor Loss for Deep Metric Learning, 2020, equation 4.
    """

    def __init__(
        self,
        num_classes: PositiveInt,
        in_features: PositiveInt,
        *,
        margin: NonNegativeFloat = 0.1,
        alpha: PositiveFloat = 32.0,
        lr_factor: PositiveFloat = 100.0,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(feature_from, normalize=True)
        self.margin, self.alpha = margin, alpha
        self.proxies = _proxies(self, num_classes, in_features, lr_factor)

    def value(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Returns the pull plus the push, a scalar."""
        proxies = unit_rows(self.proxies.astype(vectors.dtype))
        cosines = proxies @ vectors.T  # [c, b]
        own = _own_class(labels, proxies).T
        pull = functional.softplus(log_sum_exp(-self.alpha * (cosines - self.margin), own))
        push = functional.softplus(log_sum_exp(self.alpha * (cosines + self.margin), ~own))
        return mean_over(pull, own.any(1)) + push.mean()


def _own_class(labels: Tensor, vectors: Tensor) -> Tensor:
    """Returns whether a row is of a class [b, c], bool."""
    return labels.unsqueeze(1) == paddle.arange(vectors.shape[0]).unsqueeze(0)


def _proxies(layer: nn.Layer, num_classes: int, in_features: int, lr_factor: float) -> Tensor:
    """Creates proxies of about length 1 in random directions."""
    start = Normal(0, in_features**-0.5)
    return layer.create_parameter(
        [num_classes, in_features], attr=_learnt(lr_factor), default_initializer=start
    )


def _learnt(lr_factor: float) -> paddle.ParamAttr:
    # Weight decay would pull centres to the origin, harder than their own small gradient pulls.
    return paddle.ParamAttr(learning_rate=lr_factor, regularizer=L2Decay(0.0))

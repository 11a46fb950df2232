"""Losses that also compare a batch with the embeddings of earlier ones (cross-batch memory)."""

from typing import Literal

from toolkit.config.types import Cosine, Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt
from toolkit.losses.contrastive import ContrastiveLoss
from toolkit.losses.triplet_angular import TripletAngularMarginLoss


class ContrastiveLoss_XBM(ContrastiveLoss):  # noqa: N801 - PaddleClas's name
    """Contrastive loss of the batch, and of the batch against a memory of earlier embeddings.

    The value is PaddleClas's until the memory is full; from there on PaddleClas's differs, which
    loses rows at every turn of the ring and takes a last label of 0 for an empty memory. The
    memory is part of a checkpoint.

    Args:
        in_features: length of the embeddings; handed in.
        margin: cosine above which a negative is pushed, -1 to 1.
        xbm_size: embeddings that the memory holds; up to the number of training images is useful.
        xbm_weight: factor on the comparison with the memory.
        start_iter: batches before the memory begins; the network should no longer change fast.
        normalize_feature: compare directions; False compares plain inner products.
        epsilon: positives above 1 - epsilon are near enough and left alone.
        feature_from: the network's output to compare.

    Source: Wang et al., Cross-Batch Memory for Embedding Learning, 2020, algorithm 1.
    """

    def __init__(  # noqa: PLR0913 - those of the loss and of the memory
        self,
        in_features: PositiveInt,
        *,
        margin: Cosine = 0.5,
        xbm_size: PositiveInt = 4096,
        xbm_weight: NonNegativeFloat = 1.0,
        start_iter: NonNegativeInt = 1000,
        normalize_feature: bool = True,
        epsilon: Fraction = 1e-5,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(
            margin=margin,
            normalize_feature=normalize_feature,
            epsilon=epsilon,
            feature_from=feature_from,
        )
        self.remember(in_features, size=xbm_size, weight=xbm_weight, start_iter=start_iter)


class TripletAngularMarginLoss_XBM(TripletAngularMarginLoss):  # noqa: N801 - PaddleClas's name
    """Angular triplet loss of the batch, and of the batch against a memory of earlier embeddings.

    Until the memory is full the value is PaddleClas's, but for the constant that its angular
    triplet loss adds; from there on PaddleClas loses rows at every turn of the ring. The memory
    is part of a checkpoint.

    Args:
        in_features: length of the embeddings; handed in.
        margin: by how much the positive has to win, in cosine (0 to 2).
        xbm_size: embeddings that the memory holds; up to the number of training images is useful.
        xbm_weight: factor on the comparison with the memory.
        start_iter: batches before the memory begins; the network should no longer change fast.
        normalize: compare directions; False compares plain inner products.
        add_absolute: also pull positives above `ap_value` and push negatives below `an_value`.
        absolute_loss_weight: factor on that part.
        ap_value: cosine that the hardest positive should reach.
        an_value: cosine that the hardest negative should not exceed.
        feature_from: the network's output to compare.

    Source: Wang et al., Cross-Batch Memory for Embedding Learning, 2020, algorithm 1.
    """

    def __init__(  # noqa: PLR0913 - those of the loss and of the memory
        self,
        in_features: PositiveInt,
        *,
        margin: NonNegativeFloat = 0.5,
        xbm_size: PositiveInt = 4096,
        xbm_weight: NonNegativeFloat = 1.0,
        start_iter: NonNegativeInt = 1000,
        normalize: bool = True,
        add_absolute: bool = False,
        absolute_loss_weight: NonNegativeFloat = 1.0,
        ap_value: Cosine = 0.9,
        an_value: Cosine = 0.5,
        feature_from: Literal["features", "backbone"] = "features",
    ) -> None:
        super().__init__(
            margin,
            normalize=normalize,
            add_absolute=add_absolute,
            absolute_loss_weight=absolute_loss_weight,
            ap_value=ap_value,
            an_value=an_value,
            feature_from=feature_from,
        )
        self.remember(in_features, size=xbm_size, weight=xbm_weight, start_iter=start_iter)

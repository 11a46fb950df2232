"""Adapter: the options of `Train.adapter`."""

from typing import Literal

from pydantic import Field

from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import Fraction, PositiveInt


class AdapterSection(Section):
    """A linear map behind a model that stays as it is; Train.adapter says of which kind."""

    dimension: PositiveInt | None = Field(
        None, description="Length of the embedding; null is that of the model's feature."
    )
    learned_from: Literal["pictures", "labels"] = Field(
        "labels",
        description="What whitening makes equal: all differences, or those within a class.",
    )
    strength: Fraction = Field(
        1.0, description="Of whitening without labels: 1 makes every direction count the same."
    )
    shrinkage: Fraction = Field(
        0.3,
        description="Of whitening: 0 trusts the measured covariance, 1 takes all variances for "
        "equal.",
    )
    features: OptionalPath = Field(
        None,
        description="features.npy or .parquet of extract or predict, by the same model: what is in "
        "it is not computed again.",
    )

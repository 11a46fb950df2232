"""The thresholds of the dataset doctor; ``CheckDataset.thresholds`` has the same names.

They were chosen on photographs (4,018 pictures of groceries in shops) and on line drawings
(2,720 of Omniglot: white paper, thin strokes), so that what they flag there is worth a look.
"""

from dataclasses import dataclass

from toolkit.config.types import (
    Fraction,
    HashRadius,
    NonNegativeFloat,
    PositiveInt,
    Ratio,
    RatioAboveOne,
)


@dataclass(frozen=True)
class AuditOptions:
    """When a picture or a list is worth a finding.

    Attributes:
        min_side: a picture whose shorter side has fewer pixels is too small.
        max_aspect: a picture whose longer side is more than this many times the shorter is extreme.
        max_pixels: more pixels than this are a decompression bomb and are not decoded.
        near_duplicate_radius: how many of the 64 bits of the codes of two pictures may differ for
            them to be compared; 0 to 16. Less is faster and misses pictures cut off-centre.
        near_duplicate_correlation: correlation of the details of the two thumbnails, laid on one
            another, that confirms a pair.
        blur: variance of the Laplacian (grey 0 to 255, longer side shrunk to 256) below which a
            picture is blurred; 0 turns the check off.
        dark: a picture is dark when 99 of 100 pixels are below this; black is 0, white is 1.
        light: a picture is light when 99 of 100 pixels are above this.
        low_information: standard deviation of the grey thumbnail (grey 0 to 255) below which a
            picture shows next to nothing.
        dim: a picture that is not dark is dim when 99 of 100 pixels are below this.
        pale: a picture that is not light is pale when 95 of 100 pixels are above this.
        plain: entropy of the grey values, in bits, below which a picture is plain.
        soft: standard deviation of the edges (grey 0 to 255, longer side shrunk to 64) below which
            a picture is soft: few edges even when it is small.
        elongated: a picture whose longer side is more than this many times the shorter is long.
        size_fence: a side further than this many interquartile ranges from the middle half of all
            sides is uncommon.
        odd_size: a side this many times longer or shorter than the usual one is odd.
        imbalance: the largest class may have this many times the pictures of the median class.
    """

    min_side: PositiveInt = 16
    max_aspect: Ratio = 20.0
    max_pixels: PositiveInt = 100_000_000
    near_duplicate_radius: HashRadius = 14
    near_duplicate_correlation: Fraction = 0.92
    blur: NonNegativeFloat = 20.0
    dark: Fraction = 0.2
    light: Fraction = 0.9
    low_information: NonNegativeFloat = 5.0
    dim: Fraction = 0.32
    pale: Fraction = 0.95
    plain: NonNegativeFloat = 3.0
    soft: NonNegativeFloat = 34.0
    elongated: Ratio = 2.85
    size_fence: NonNegativeFloat = 3.0
    odd_size: RatioAboveOne = 4.0
    imbalance: Ratio = 10.0

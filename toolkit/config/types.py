"""Named number ranges for the options of parts.

A part's constructor says ``margin: PositiveFloat = 0.2``; to Python and mypy that is a float, to
the configuration loader it is a float above zero. Ranges are metadata (PEP 593) and cost nothing.
"""

from typing import Annotated

from annotated_types import Ge, Gt, Interval, Le, MinLen

PositiveInt = Annotated[int, Gt(0)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
Cosine = Annotated[float, Interval(ge=-1, le=1)]
Degrees = Annotated[float, Interval(ge=0, le=180)]
Percent = Annotated[float, Interval(ge=0, le=100)]
# A ratio of the larger to the smaller, where equal ones must pass.
Ratio = Annotated[float, Ge(1)]
RatioAboveOne = Annotated[float, Gt(1)]
# How many of the 64 bits of two codes may differ; beyond 16 everything is near everything.
HashRadius = Annotated[int, Interval(ge=0, le=16)]
PositiveIntList = Annotated[list[PositiveInt], MinLen(1)]
ProbabilityList = Annotated[list[Fraction], MinLen(1)]

__all__ = [
    "Cosine",
    "Degrees",
    "Fraction",
    "Ge",
    "Gt",
    "HashRadius",
    "Interval",
    "Le",
    "MinLen",
    "NonNegativeFloat",
    "NonNegativeInt",
    "Percent",
    "PositiveFloat",
    "PositiveInt",
    "PositiveIntList",
    "ProbabilityList",
    "Ratio",
    "RatioAboveOne",
]

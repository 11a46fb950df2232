"""Named number ranges for the options of parts.

A part's constructor says ``margin: PositiveFloat = 0.2``; to Python and mypy that is a float, to
the configuration loader it is a float above zero. Ranges are metadata (PEP 593) and cost nothing:
who opens a model reads no configuration, and need not load what does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal


@dataclass(frozen=True)
class Range:
    """Limits of a number, or of the length of a list; None is no limit.

    A group of metadata in the sense of the package annotated-types, which is asked for its parts.

    Attributes:
        gt: the number is above this.
        ge: the number is not below this.
        le: the number is not above this.
        min_length: the list is not shorter than this.
    """

    __is_annotated_types_grouped_metadata__: ClassVar[Literal[True]] = True

    gt: float | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None

    def __iter__(self) -> Iterator[Any]:
        """Yields the limits as annotated-types writes them."""
        import annotated_types

        if self.min_length is not None:
            yield annotated_types.MinLen(self.min_length)
        if self.gt is not None:
            yield annotated_types.Gt(self.gt)
        if self.ge is not None:
            yield annotated_types.Ge(self.ge)
        if self.le is not None:
            yield annotated_types.Le(self.le)


PositiveInt = Annotated[int, Range(gt=0)]
NonNegativeInt = Annotated[int, Range(ge=0)]
PositiveFloat = Annotated[float, Range(gt=0)]
NonNegativeFloat = Annotated[float, Range(ge=0)]
Fraction = Annotated[float, Range(ge=0, le=1)]
Cosine = Annotated[float, Range(ge=-1, le=1)]
Degrees = Annotated[float, Range(ge=0, le=180)]
Percent = Annotated[float, Range(ge=0, le=100)]
# A ratio of the larger to the smaller, where equal ones must pass.
Ratio = Annotated[float, Range(ge=1)]
RatioAboveOne = Annotated[float, Range(gt=1)]
# How many of the 64 bits of two codes may differ; beyond 16 everything is near everything.
HashRadius = Annotated[int, Range(ge=0, le=16)]
PositiveIntList = Annotated[list[PositiveInt], Range(min_length=1)]
ProbabilityList = Annotated[list[Fraction], Range(min_length=1)]

__all__ = [
    "Cosine",
    "Degrees",
    "Fraction",
    "HashRadius",
    "NonNegativeFloat",
    "NonNegativeInt",
    "Percent",
    "PositiveFloat",
    "PositiveInt",
    "PositiveIntList",
    "ProbabilityList",
    "Range",
    "Ratio",
    "RatioAboveOne",
]

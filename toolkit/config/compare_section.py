"""Compare: two runs or more side by side."""

from pydantic import Field, ValidationInfo, field_validator

from toolkit.config.section import Section
from toolkit.config.types import NonNegativeInt, PositiveInt


class CompareSection(Section):
    """Runs side by side: settings, numbers, curves, and the queries that changed."""

    runs: list[str] = Field(
        [],
        description="Output folders of train or evaluate, two or more; the first is what the "
        "others are compared with.",
    )
    names: list[str] | None = Field(
        None, description="What to call the runs; null: what differs in their paths."
    )
    resamples: PositiveInt = Field(
        10000, description="Draws of the queries for the intervals of differences."
    )
    shown: NonNegativeInt = Field(
        24, description="Pictures of changed queries on the page, each way; changed.csv has all."
    )

    @field_validator("names")
    @classmethod
    def _one_each(cls, names: list[str] | None, info: ValidationInfo) -> list[str] | None:
        runs = info.data.get("runs", [])
        if names is not None and (len(names) != len(runs) or len(set(names)) != len(names)):
            raise ValueError(
                f"expected a name of its own for each of the {len(runs)} runs; received {names}."
            )
        return names
